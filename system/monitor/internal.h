/*
 * Between the monitors' files.
 */
#ifndef SYSTEM_MONITOR_INTERNAL_H
#define SYSTEM_MONITOR_INTERNAL_H

#include "qapi/json.h"
#include "system/monitor.h"
#include "util/value.h"

/*
 * Flow control.  While more than OUTPUT_HIGH bytes wait for the reader, no request is taken, so what
 * waits is bounded by OUTPUT_HIGH, the replies to one buffer of input, and events up to EVENTS_HIGH;
 * events beyond that are dropped.
 */
#define OUTPUT_HIGH (64 * KiB)
#define EVENTS_HIGH (1 * MiB)

#define HMP_LINE_MAX    4095
#define HMP_HISTORY_MAX 64

typedef struct Monitor {
    CharBackend be;
    MonitorKind kind;
    GString *out;               /* not yet taken by the back end */
    size_t out_done;            /* of it, already written */
    bool stalled;               /* waiting for .writable */

    /* QMP */
    JsonParser *parser;
    bool negotiated;
    bool answered;              /* a request, since this was last cleared */

    /* HMP */
    GString *line;
    unsigned escape;            /* bytes seen of an ESC [ sequence */
    GPtrArray *history;         /* of char * */
    unsigned history_at;
    bool shown, focused;        /* the banner was printed; input comes here */
} Monitor;

void monitor_write(Monitor *m, const char *text, size_t len);
/* Text with line feeds, for a terminal. */
void monitor_puts(Monitor *m, const char *text);
bool monitor_has_room(const Monitor *m);

void qmp_monitor_init(Monitor *m);
void qmp_monitor_event(Monitor *m, CharEvent ev);
void hmp_monitor_init(Monitor *m);
void hmp_monitor_event(Monitor *m, CharEvent ev);
void hmp_monitor_receive(Monitor *m, const uint8_t *buf, size_t len);
/* Every QMP session gets the event; @data may be NULL and is consumed. */
void qmp_broadcast(const char *event, Value *data);
/* Whose request is being answered; NULL = none. */
Monitor *monitor_present(void);
GPtrArray *monitor_list(void);              /* of Monitor * */

/* hmp-block.c */
void hmp_info_block(FILE *out, const char *args, int cpu_index);
void hmp_info_blockstats(FILE *out, const char *args, int cpu_index);
bool hmp_block_resize(FILE *out, const char *args, Error **errp);
bool hmp_block_set_io_throttle(FILE *out, const char *args, Error **errp);

/* One line of the human monitor; its output with line feeds.  @cpu_index -1 = the monitor's present CPU. */
char *hmp_run_line(const char *line, int cpu_index);

/* hmp-info.c: "info WHAT". */
void hmp_info(FILE *out, const char *what, const char *args, int cpu_index);
void hmp_info_list(FILE *out);
/* The CPU that commands are about. */
int hmp_present_cpu(void);
/* hmp-dump.c */
bool hmp_dump_guest_memory(FILE *out, const char *args, Error **errp);
bool hmp_memsave(FILE *out, const char *args, Error **errp);
bool hmp_pmemsave(FILE *out, const char *args, Error **errp);
/* hmp-ui.c */
bool hmp_mouse_button(FILE *out, const char *args, Error **errp);
bool hmp_mouse_move(FILE *out, const char *args, Error **errp);
bool hmp_mouse_set(FILE *out, const char *args, Error **errp);
bool hmp_screendump(FILE *out, const char *args, Error **errp);
bool hmp_sendkey(FILE *out, const char *args, Error **errp);
void hmp_info_mice(FILE *out, const char *args, int cpu_index);
/* hmp-memory.c */
void hmp_examine(FILE *out, const char *format, const char *args, bool physical, int cpu_index);
void hmp_print(FILE *out, const char *format, const char *args);

#endif
