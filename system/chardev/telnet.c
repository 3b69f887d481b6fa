/*
 * The telnet protocol (RFC 854) for servers on a socket: a character at a time, echo at our side.
 *
 * Out of what comes in commands are taken; a break is told.  Bytes of value 255 are doubled both ways.
 */
#include "system/chardev/internal.h"

enum { IAC = 255, DONT = 254, WILL = 251, SB = 250, BRK = 243, SE = 240, BINARY = 0, ECHO_OPTION = 1, SUPPRESS_GO_AHEAD = 3 };
enum { STATE_DATA, STATE_IAC, STATE_OPTION, STATE_SB, STATE_SB_IAC };

const uint8_t telnet_greeting[TELNET_GREETING_BYTES] = {
    IAC, WILL, ECHO_OPTION, IAC, WILL, SUPPRESS_GO_AHEAD, IAC, WILL, BINARY, IAC, WILL + 2, BINARY,
};

/* True if @c is data. */
static bool take(Telnet *t, uint8_t c)
{
    switch (t->state) {
    case STATE_IAC:
        t->state = c >= WILL && c <= DONT ? STATE_OPTION : c == SB ? STATE_SB : STATE_DATA;
        t->breaks += c == BRK;
        return c == IAC;
    case STATE_OPTION:              /* what the client will or will not do changes nothing here */
        t->state = STATE_DATA;
        return false;
    case STATE_SB:
        t->state = c == IAC ? STATE_SB_IAC : STATE_SB;
        return false;
    case STATE_SB_IAC:
        t->state = c == SE ? STATE_DATA : STATE_SB;
        return false;
    default:
        t->state = c == IAC ? STATE_IAC : STATE_DATA;
        return c != IAC;
    }
}

size_t telnet_decode(Telnet *t, uint8_t *buf, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (take(t, buf[i])) {
            buf[n++] = buf[i];
        }
    }
    return n;
}
