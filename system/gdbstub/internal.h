/*
 * Between the GDB stub's files.
 */
#ifndef SYSTEM_GDBSTUB_INTERNAL_H
#define SYSTEM_GDBSTUB_INTERNAL_H

#include "hw/core/gdb-arch.h"
#include "system/char-out.h"
#include "system/chardev/internal.h"

#define GDB_PACKET_MAX  0x4000          /* bytes between $ and #, either way; told as PacketSize */
#define GDB_OUT_HIGH    (256 * KiB)     /* with so much waiting for the reader nothing more is read */
#define GDB_IN_MAX      512             /* taken at once: some 50 packets, whose replies pass GDB_OUT_HIGH by 2 MiB at most */
#define GDB_PID         1

/* Errors as QEMU numbers them */
enum { GDB_EINVAL = 22, GDB_EFAULT = 14 };

typedef enum GdbParse { GDB_IDLE, GDB_PACKET, GDB_ESCAPED, GDB_RUN_LENGTH, GDB_SUM1, GDB_SUM2 } GdbParse;

typedef struct GdbBreakpoint {
    unsigned type;              /* of the Z packet: 0 software, 1 hardware, 2 write, 3 read, 4 access */
    vaddr addr;
    uint64_t len;
} GdbBreakpoint;

typedef struct GdbStub {
    CharBackend be;
    Chardev *own;               /* the device if we made it; borrowed from /chardevs */
    CharOut out;
    bool busy;                  /* in on_receive */

    /* the packet coming in */
    GdbParse parse;
    char packet[GDB_PACKET_MAX + 1];    /* NUL-ended when complete */
    unsigned len;
    bool too_long;
    uint8_t sum, want_sum;

    /* the session */
    bool connected;
    bool attached;              /* to the process; else the machine goes on without us */
    bool waiting;               /* it runs: the debugger wants a stop reply */
    bool no_ack, multiprocess, reports_breaks;
    bool physical;              /* m and M take physical addresses */
    unsigned sstep;             /* SSTEP_* for steps */
    unsigned g_cpu, c_cpu;      /* Vcpu.index: for registers and memory; last stopped, or chosen to go on */
    unsigned next_thread;       /* of qsThreadInfo: position in the list of CPUs */
    GString *last;              /* sent and not yet acknowledged */
    GArray *breakpoints;        /* of GdbBreakpoint, as inserted */
} GdbStub;

/* --- server.c --- */

/* Send one packet; @data may hold any bytes. */
void gdb_send(GdbStub *s, const char *data, size_t len);
void gdb_reply(GdbStub *s, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void gdb_reply_ok(GdbStub *s);
void gdb_reply_error(GdbStub *s, unsigned number);
void gdb_reply_unsupported(GdbStub *s);
/* Why the machine stands: T packet for @signal, GDB's number. */
void gdb_reply_stop(GdbStub *s, unsigned signal);

/* --- packets.c --- */

void gdb_packet(GdbStub *s, char *p, unsigned len);
void gdb_remove_all_breakpoints(GdbStub *s);
/* The CPU that g_cpu or c_cpu names, or the first one if it is gone; NULL: there is none. */
Vcpu *gdb_cpu(unsigned index);
/* Cursor functions: take something at *@p and move on; false leaves nothing useful. */
bool gdb_take_hex(char **p, uint64_t *v);
bool gdb_take_char(char **p, char c);
typedef enum GdbWhich { GDB_ALL = -1, GDB_ANY = 0, GDB_ONE = 1 } GdbWhich;
/* A thread-id: *@cpu is set for GDB_ONE.  False: malformed, or no such process or CPU. */
bool gdb_take_thread(GdbStub *s, char **p, GdbWhich *which, Vcpu **cpu);
char *gdb_thread_name(const GdbStub *s, const Vcpu *cpu);   /* "p01.02", or "02"; owned */
size_t gdb_from_hex(const char *hex, uint8_t *buf, size_t max);     /* bytes; stops at what is no digit */

/* --- query.c, resume.c --- */

void gdb_query(GdbStub *s, char *p);            /* after the q */
void gdb_set(GdbStub *s, char *p);              /* after the Q */
void gdb_resume(GdbStub *s, bool step);         /* c and s */
void gdb_vcont(GdbStub *s, char *p);            /* after vCont */
void gdb_detach(GdbStub *s);                    /* the machine goes on on its own */

#endif
