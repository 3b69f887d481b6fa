/*
 * The memory of "user" networks: an account "net/user" for each.
 *
 * libslirp has two buffers of 128 KiB for each TCP connection, of which pages are used as data waits in them, and keeps them until
 * the connection's last state is over.  The account's bound is what the present connections may use; a new one of the
 * guest's is asked for (memory_allow()), and where it may not be, its first packet is dropped: the guest tries again, and then
 * sees a connection that times out.  Connections from the host (hostfwd) are counted, and not refused.
 *
 * Not counted: datagrams and fragments that wait, which libslirp does not tell of.
 */
#include "system/net/user.h"

#define CONNECTION_BYTES (2 * 128 * KiB + 8 * KiB)

enum { ETHER_HEADER = 14, ETHERTYPE_IP4 = 0x0800, ETHERTYPE_IP6 = 0x86dd, IP_TCP = 6, TCP_FIN_SYN_RST_ACK = 0x17, TCP_SYN = 2 };

/* libslirp tells by a table for humans: "  TCP[STATE]  FD  SOURCE  PORT  DEST  PORT  RECVQ  SENDQ". */
static uint64_t connections(const NetUser *u, uint64_t *waiting)
{
    g_autofree char *text = slirp_connection_info(u->slirp);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    uint64_t n = 0;

    *waiting = 0;
    for (char **line = lines; *line; line++) {
        unsigned recv_q, send_q;

        if (!g_str_has_prefix(*line, "  TCP[") || g_str_has_prefix(*line, "  TCP[HOST_FORWARD]")) {
            continue;
        }
        n++;
        if (sscanf(*line, " %*s %*s %*s %*s %*s %*s %u %u", &recv_q, &send_q) == 2) {
            *waiting += recv_q + send_q;
        }
    }
    return n;
}

static uint64_t account_bound(void *opaque)
{
    uint64_t waiting;

    return connections(opaque, &waiting) * CONNECTION_BYTES;
}

static uint64_t account_present(void *opaque)
{
    uint64_t waiting;

    (void)connections(opaque, &waiting);
    return waiting;
}

void net_user_account_open(NetUser *u)
{
    u->account = (MemoryAccount){ "net/user", account_bound, account_present, u };
    memory_account_add(&u->account);
}

void net_user_account_close(NetUser *u)
{
    if (u->account.name) {
        memory_account_remove(&u->account);
    }
}

/* A packet that begins a TCP connection; IPv6 only without extension headers, which none has that begins one. */
static bool begins_connection(const uint8_t *frame, size_t len)
{
    size_t at = ETHER_HEADER;
    unsigned type;

    if (len < ETHER_HEADER + 20) {
        return false;
    }
    type = ld16_be(frame + 12);
    if (type == ETHERTYPE_IP4 && frame[at + 9] == IP_TCP) {
        at += 4 * (frame[at] & 15);
    } else if (type == ETHERTYPE_IP6 && frame[at + 6] == IP_TCP) {
        at += 40;
    } else {
        return false;
    }
    return len >= at + 20 && (frame[at + 13] & TCP_FIN_SYN_RST_ACK) == TCP_SYN;
}

bool net_user_may_pass(NetUser *u, const uint8_t *frame, size_t len)
{
    g_autoptr(Error) err = NULL;

    if (!begins_connection(frame, len) || memory_allow(u->account.name, CONNECTION_BYTES, &err)) {
        return true;
    }
    if (!u->told) {
        warn_report("a connection of the guest's is refused: %s", error_get_pretty(err));
        u->told = true;
    }
    return false;
}
