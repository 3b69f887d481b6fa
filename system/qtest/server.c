/*
 * The "qtest" object: takes lines from a character device, has them carried out, sends the replies.
 *
 * Flow control: replies to the commands of one buffer of input are collected and sent at once.  While
 * more than QTEST_OUT_HIGH bytes wait for the reader no further input is taken.
 *
 * The log has a line for each thing received [R], sent [S] and seen [I], with seconds since the
 * client came.
 */
#include "system/qtest/internal.h"

#include "system/qtest.h"
#include "util/timer.h"

#include <stdarg.h>

/* --- the log --- */

static double seconds_open(const Qtest *s)
{
    return (double)(clock_get_ns(CLOCK_TYPE_REALTIME) - s->opened_ns) / NANOSECONDS_PER_SECOND;
}

static void log_line(Qtest *s, char kind, const char *text)
{
    if (s->log) {
        fprintf(s->log, "[%c +%.6f] %s\n", kind, seconds_open(s), text);
    }
}

/* --- output --- */

/* The line that begins at @start of @out is complete. */
static void end_line(Qtest *s, size_t start)
{
    log_line(s, 'S', s->out.text->str + start);
    g_string_append_c(s->out.text, '\n');
    if (!s->batching) {
        char_out_flush(&s->out);
    }
}

void qtest_reply(Qtest *s, const char *fmt, ...)
{
    size_t start = s->out.text->len;
    va_list ap;

    va_start(ap, fmt);
    g_string_append_vprintf(s->out.text, fmt, ap);
    va_end(ap);
    end_line(s, start);
}

void qtest_reply_hex(Qtest *s, const char *prefix, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    size_t start = s->out.text->len, at;

    g_string_append(s->out.text, prefix);
    at = s->out.text->len;
    g_string_set_size(s->out.text, at + 2 * len);
    for (size_t i = 0; i < len; i++) {
        s->out.text->str[at++] = digits[data[i] >> 4];
        s->out.text->str[at++] = digits[data[i] & 15];
    }
    end_line(s, start);
}

/* --- input --- */

/* Split in place at spaces; the last word may be a long one. */
static void run_line(Qtest *s, char *line)
{
    char *words[QTEST_WORDS_MAX + 1];
    unsigned n = 0;

    g_strchomp(line);
    log_line(s, 'R', line);
    for (char *p = line + strspn(line, " "); *p && n < QTEST_WORDS_MAX; p += strspn(p, " ")) {
        words[n++] = p;
        p += strcspn(p, " ");
        if (*p) {
            *p++ = '\0';
        }
    }
    words[n] = NULL;
    if (n) {
        qtest_command(s, words, n);
    } else {
        qtest_reply(s, "FAIL Unknown command ''");
    }
}

static void end_of_line(Qtest *s)
{
    if (s->too_long) {
        qtest_reply(s, "FAIL line longer than %" PRIu64 " bytes", (uint64_t)QTEST_LINE_MAX);
    } else {
        run_line(s, s->in->str);
    }
    s->too_long = false;
    g_string_truncate(s->in, 0);
}

static void take(Qtest *s, const char *text, size_t len)
{
    if (s->too_long || len > QTEST_LINE_MAX - s->in->len) {
        s->too_long = true;
    } else {
        g_string_append_len(s->in, text, len);
    }
}

static size_t on_can_receive(void *opaque)
{
    return char_out_is_full(&((const Qtest *)opaque)->out) ? 0 : 64 * KiB;
}

static void on_receive(void *opaque, const uint8_t *buf, size_t len)
{
    const char *p = (const char *)buf, *end = p + len, *eol;
    Qtest *s = opaque;

    s->batching = true;
    while ((eol = memchr(p, '\n', end - p)) != NULL) {
        take(s, p, eol - p);
        end_of_line(s);
        p = eol + 1;
    }
    take(s, p, end - p);
    s->batching = false;
    char_out_flush(&s->out);
}

static void on_event(void *opaque, CharEvent ev)
{
    Qtest *s = opaque;

    if (ev == CHAR_EVENT_OPENED) {
        s->opened_ns = clock_get_ns(CLOCK_TYPE_REALTIME);
        if (s->log) {
            fprintf(s->log, "[I 0.000000] OPENED\n");
        }
    } else if (ev == CHAR_EVENT_CLOSED) {
        log_line(s, 'I', "CLOSED");
    } else {
        return;
    }
    qtest_irq_forget_levels(s);
    g_string_truncate(s->in, 0);
    char_out_clear(&s->out);
    s->too_long = false;
}

static void on_writable(void *opaque)
{
    char_out_writable(&((Qtest *)opaque)->out);
}

static const CharHandlers handlers = {
    .can_receive = on_can_receive,
    .receive = on_receive,
    .event = on_event,
    .writable = on_writable,
};

/* --- life --- */

static bool open_log(Qtest *s, Error **errp)
{
    if (!s->log_path) {
        s->log = stderr;
        return true;
    }
    s->log = strcmp(s->log_path, "none") ? fopen(s->log_path, "w") : NULL;
    if (!s->log && strcmp(s->log_path, "none")) {
        error_setg_errno(errp, errno, "cannot open qtest log '%s'", s->log_path);
        return false;
    }
    if (s->log) {
        setvbuf(s->log, NULL, _IOLBF, 0);
    }
    return true;
}

static bool qtest_complete(Object *obj, Error **errp)
{
    Qtest *s = QTEST(obj);
    Chardev *c = s->chardev ? chardev_find(s->chardev) : NULL;

    if (!s->chardev) {
        error_setg(errp, "Parameter 'chardev' is missing");
        return false;
    }
    if (!c) {
        error_setg(errp, "Cannot find character device '%s'", s->chardev);
        return false;
    }
    if (!open_log(s, errp) || !char_backend_init(&s->be, c, errp)) {
        return false;
    }
    char_backend_set_handlers(&s->be, &handlers, s);
    return true;
}

static void qtest_init(Object *obj)
{
    Qtest *s = QTEST(obj);

    s->in = g_string_new(NULL);
    char_out_init(&s->out, &s->be, QTEST_OUT_HIGH);
    s->output_taps = g_ptr_array_new();
}

static void qtest_fini(Object *obj)
{
    Qtest *s = QTEST(obj);

    qtest_irq_stop(s);
    char_backend_deinit(&s->be);
    if (s->log && s->log != stderr) {
        fclose(s->log);
    }
    g_string_free(s->in, true);
    char_out_fini(&s->out);
}

bool qtest_server_new(const char *text, const char *log_path, Error **errp)
{
    g_autoptr(Value) props = value_dict();

    if (!chardev_new_legacy("qtest", text, errp)) {
        return false;
    }
    value_dict_set_str(props, "qom-type", "qtest");
    value_dict_set_str(props, "id", "qtest");
    value_dict_set_str(props, "chardev", "qtest");
    if (log_path) {
        value_dict_set_str(props, "log", log_path);
    }
    return user_creatable_add(props, errp) != NULL;
}

static const Property qtest_properties[] = {
    PROP_STRING("chardev", Qtest, chardev, .help = "where the test is"),
    PROP_STRING("log", Qtest, log_path, .help = "file for a log, 'none' for none; default: standard error"),
};

TYPE_DEFINE(Qtest, qtest, "qtest", object,
    .desc = "lets a test outside touch the machine in the guest's place",
    .init = qtest_init,
    .fini = qtest_fini,
    .complete = qtest_complete,
    .properties = PROPS(qtest_properties),
    .user_creatable = true,
);
