/*
 * Between the monitors' files.
 */
#ifndef SYSTEM_MONITOR_INTERNAL_H
#define SYSTEM_MONITOR_INTERNAL_H

#include "qapi/json.h"
#include "system/monitor.h"
#include "util/main-loop.h"
#include "util/value.h"

/*
 * Flow control: what a client that does not read costs.
 *
 * While more than OUTPUT_HIGH bytes wait for the reader, no further request is answered or read, and events are
 * held, up to EVENTS_HIGH bytes of them: beyond that the oldest one of a kind whose rate is limited (the guest
 * can cause it at will, and the next one tells the same) is dropped, and when there is none, the oldest one.
 * So a session never takes more than OUTPUT_HIGH + one reply + 2 * EVENTS_HIGH (the events before that reply, and
 * those after it) besides what it sent: INPUT_MAX and one request.  Nobody ever waits for the reader.  That events
 * were dropped is told on stderr, once a session.
 */
#define OUTPUT_HIGH (64 * KiB)
#define EVENTS_HIGH (1 * MiB)
#define INPUT_MAX   (8 * KiB)

#define HMP_INPUT_MAX   (4 * KiB)
#define HMP_LINE_MAX    4095
#define HMP_HISTORY_MAX 64

typedef struct QmpIo QmpIo;

typedef struct Monitor {
    CharBackend be;
    MonitorKind kind;

    /* Output.  BQL; once there is an I/O thread, its lock */
    GString *out;               /* not yet taken by the back end */
    size_t out_done;            /* of it, already written */
    bool stalled;               /* waiting for .writable */
    bool corked;                /* more is about to come: written together */
    GQueue held;                /* of HeldEvent *, oldest first: they wait for room in .out */
    size_t held_bytes;
    bool dropped;               /* events, in this session */

    /* Input.  BQL */
    GByteArray *input;          /* read, not yet parsed: output had no room */
    BottomHalf *input_bh;       /* output has room again */

    /* QMP.  BQL */
    JsonParser *parser;         /* the I/O thread's, once there is one */
    QmpIo *io;                  /* session with out-of-band commands; NULL = the main loop does it all */
    bool negotiated, oob;
    bool answered;              /* a request, since this was last cleared */

    /* HMP */
    GString *line;              /* without readline: typed so far */
    bool edited;                /* by readline */
    bool running;               /* a command */
    bool shown, focused;        /* the banner was printed; input comes here */
} Monitor;

/* Any thread that holds what guards the output. */
void monitor_write(Monitor *m, const char *text, size_t len);
/* An event: held or dropped when there is no room. */
void monitor_write_event(Monitor *m, const char *text, size_t len, bool rate_limited);
/* Text with line feeds, for a terminal. */
void monitor_puts(Monitor *m, const char *text);
/* Collect output instead of writing it at once; off writes what was collected. */
void monitor_cork(Monitor *m, bool on);
bool monitor_has_room(const Monitor *m);
/* For who writes it: what waits, at most; and that @n bytes of it are gone. */
size_t monitor_waiting(const Monitor *m, const uint8_t **at);
void monitor_written(Monitor *m, size_t n);

void qmp_monitor_init(Monitor *m);
void qmp_monitor_event(Monitor *m, CharEvent ev);
void qmp_monitor_receive(Monitor *m, const uint8_t *buf, size_t len);
void qmp_limit_requests(Monitor *m);
/* Answer a request, or tell @err; consumes both.  Main loop. */
void qmp_answer(Monitor *m, Value *request, Error *err);
/* The reply's text with its line end. */
void qmp_send(Monitor *m, const Value *v);

/* qmp-io.c: sessions in which commands may run out of band. */

/* Hand the connection over to a thread; false = it cannot be, and all stays as it is. */
bool qmp_io_start(Monitor *m);
/* Back to the main loop; requests not yet answered are dropped. */
void qmp_io_stop(Monitor *m);
/* A value or an error came out of the parser, on the thread; consumes both. */
void qmp_io_request(QmpIo *io, Value *request, Error *err);
void qmp_io_lock(QmpIo *io);
/* Also sees to it that what waits is written. */
void qmp_io_unlock(QmpIo *io);

void hmp_monitor_init(Monitor *m);
void hmp_monitor_event(Monitor *m, CharEvent ev);
void hmp_monitor_receive(Monitor *m, const uint8_t *buf, size_t len);

#define HMP_PROMPT "(qemu) "

/*
 * hmp-readline.c: lines edited by GNU readline.  It has one state for the process: one monitor at a time has it.
 * False = it stays with plain lines: no terminal, no library, or another has it.
 */
bool hmp_readline_claim(Monitor *m);
void hmp_readline_release(Monitor *m);
/* Prompt, and what was typed after it, on a fresh line. */
void hmp_readline_show(Monitor *m);
/* One byte of input; a line that is complete (caller frees), or NULL. */
char *hmp_readline_key(Monitor *m, uint8_t c);

/* events.c: every QMP session gets the event; @data may be NULL and is consumed. */
void qmp_broadcast(const char *event, Value *data);
void qmp_events_init(void);
/* Whose request is being answered; NULL = none. */
Monitor *monitor_present(void);
GPtrArray *monitor_list(void);              /* of Monitor * */

/* hmp-char.c */
bool hmp_chardev_add(FILE *out, const char *args, Error **errp);
bool hmp_chardev_change(FILE *out, const char *args, Error **errp);
bool hmp_chardev_remove(FILE *out, const char *args, Error **errp);
bool hmp_chardev_send_break(FILE *out, const char *args, Error **errp);
bool hmp_ringbuf_write(FILE *out, const char *args, Error **errp);
bool hmp_ringbuf_read(FILE *out, const char *args, Error **errp);
/* hmp-block.c */
void hmp_info_block(FILE *out, const char *args, int cpu_index);
void hmp_info_blockstats(FILE *out, const char *args, int cpu_index);
bool hmp_block_resize(FILE *out, const char *args, Error **errp);
bool hmp_eject(FILE *out, const char *args, Error **errp);
bool hmp_change_medium(FILE *out, const char *args, Error **errp);
bool hmp_block_set_io_throttle(FILE *out, const char *args, Error **errp);

typedef void HmpNameFn(const char *name, void *opaque);
void hmp_foreach_command(HmpNameFn *fn, void *opaque);

/* hmp-complete.c: what the last word of @line, which begins at @word_at, may become; sorted, to be unref'd. */
GPtrArray *hmp_complete(const char *line, size_t *word_at);

/* hmp-info.c: "info WHAT". */
void hmp_foreach_subject(HmpNameFn *fn, void *opaque);
void hmp_info(FILE *out, const char *what, const char *args, int cpu_index);
void hmp_info_list(FILE *out);
/* The CPU that commands are about. */
int hmp_present_cpu(void);
/* hmp-machine.c */
bool hmp_boot_set(FILE *out, const char *args, Error **errp);
bool hmp_change(FILE *out, const char *args, Error **errp);
bool hmp_closefd(FILE *out, const char *args, Error **errp);
bool hmp_getfd(FILE *out, const char *args, Error **errp);
bool hmp_expire_password(FILE *out, const char *args, Error **errp);
bool hmp_qom_get(FILE *out, const char *args, Error **errp);
bool hmp_qom_list(FILE *out, const char *args, Error **errp);
bool hmp_qom_set(FILE *out, const char *args, Error **errp);
bool hmp_set_password(FILE *out, const char *args, Error **errp);
void hmp_info_ramblock(FILE *out, const char *args, int cpu_index);
void hmp_info_roms(FILE *out, const char *args, int cpu_index);
/* hmp-dump.c */
bool hmp_dump_guest_memory(FILE *out, const char *args, Error **errp);
void hmp_info_dump(FILE *out, const char *args, int cpu_index);
bool hmp_memsave(FILE *out, const char *args, Error **errp);
bool hmp_pmemsave(FILE *out, const char *args, Error **errp);
/* hmp-pci.c */
void hmp_info_pci(FILE *out, const char *args, int cpu_index);
/* hmp-ui.c */
bool hmp_calc_dirty_rate(FILE *out, const char *args, Error **errp);
void hmp_info_dirty_rate(FILE *out, const char *args, int cpu_index);

bool hmp_mouse_button(FILE *out, const char *args, Error **errp);
bool hmp_mouse_move(FILE *out, const char *args, Error **errp);
bool hmp_mouse_set(FILE *out, const char *args, Error **errp);
bool hmp_screendump(FILE *out, const char *args, Error **errp);
bool hmp_sendkey(FILE *out, const char *args, Error **errp);
void hmp_info_vnc(FILE *out, const char *args, int cpu_index);
void hmp_info_mice(FILE *out, const char *args, int cpu_index);
/* hmp-cpu.c */
void hmp_info_hotpluggable_cpus(FILE *out, const char *args, int cpu_index);
void hmp_info_numa(FILE *out, const char *args, int cpu_index);
void hmp_info_tlb(FILE *out, const char *args, int cpu_index);
void hmp_info_mem(FILE *out, const char *args, int cpu_index);
void hmp_info_lapic(FILE *out, const char *args, int cpu_index);
/* hmp-expr.c: the value of a whole text, or of its first expression, behind which *@text then is. */
bool hmp_evaluate(const char *text, int cpu_index, uint64_t *v, Error **errp) MUST_USE;
bool hmp_evaluate_first(const char **text, int cpu_index, uint64_t *v, Error **errp) MUST_USE;
/* hmp-memory.c; @format is what stood behind the slash */
bool hmp_examine(FILE *out, const char *format, const char *args, bool physical, int cpu_index, Error **errp);
bool hmp_print(FILE *out, const char *format, const char *args, int cpu_index, Error **errp);
bool hmp_port_in(FILE *out, const char *format, const char *args, int cpu_index, Error **errp);
bool hmp_port_out(FILE *out, const char *format, const char *args, int cpu_index, Error **errp);
bool hmp_sum(FILE *out, const char *args, Error **errp);
bool hmp_gva2gpa(FILE *out, const char *args, Error **errp);
bool hmp_gpa2hpa(FILE *out, const char *args, Error **errp);
bool hmp_gpa2hva(FILE *out, const char *args, Error **errp);

#endif
