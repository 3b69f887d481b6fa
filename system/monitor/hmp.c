/*
 * The human monitor's session: prompt, lines, commands.
 *
 * On a terminal lines are edited by readline (hmp-readline.c), else they are typed to their end.  On a multiplexer
 * the banner appears when the monitor first comes into focus.
 */
#include "system/monitor/internal.h"

#include "system/cli/cli.h"

/* And what was typed after it. */
static void prompt(Monitor *m)
{
    if (m->edited) {
        hmp_readline_show(m);
        return;
    }
    monitor_puts(m, HMP_PROMPT);
    monitor_puts(m, m->line->str);
}

/* While the machine is being built the focus wanders over front ends as they come; nobody looks. */
static bool machine_ready;

static void show(Monitor *m)
{
    if (!machine_ready) {
        return;
    }
    if (!m->shown) {
        m->shown = true;
        monitor_puts(m, "QEMU " QEMU_VERSION " monitor - type 'help' for more information\n");
    } else {
        monitor_puts(m, "\n");
    }
    prompt(m);
}

void hmp_monitor_event(Monitor *m, CharEvent ev)
{
    switch (ev) {
    case CHAR_EVENT_OPENED:
        g_string_truncate(m->line, 0);
        m->shown = false;
        m->edited = m->edited || hmp_readline_claim(m);
        if (m->focused) {
            show(m);
        }
        break;
    case CHAR_EVENT_CLOSED:
        hmp_readline_release(m);
        m->edited = false;
        g_byte_array_set_size(m->input, 0);
        break;
    case CHAR_EVENT_MUX_IN:
        m->focused = true;
        show(m);
        break;
    case CHAR_EVENT_MUX_OUT:
        m->focused = false;
        if (m->shown) {
            monitor_puts(m, "\n");
        }
        break;
    default:
        break;
    }
}

void monitor_machine_ready(void)
{
    GPtrArray *all = monitor_list();

    if (machine_ready) {
        return;
    }
    machine_ready = true;
    for (unsigned i = 0; i < all->len; i++) {
        Monitor *m = g_ptr_array_index(all, i);

        if (m->kind == MONITOR_HMP && m->focused) {
            show(m);
        }
    }
}

/* --- input --- */

static void run_line(Monitor *m, const char *line)
{
    g_autofree char *output = NULL;

    m->running = true;
    output = monitor_run_line(line, -1);
    m->running = false;
    monitor_puts(m, output);
    prompt(m);
}

/* Without readline: a line is typed to its end, at most taken back; it is complete, or NULL. */
static char *plain_key(Monitor *m, uint8_t c)
{
    g_autofree char *line = NULL;
    char text[2] = { (char)c };

    if (c == '\r' || c == '\n') {
        line = g_strdup(m->line->str);
        g_string_truncate(m->line, 0);
        monitor_puts(m, "\n");
    } else if ((c == 0x7f || c == '\b') && m->line->len) {
        g_string_truncate(m->line, m->line->len - 1);
        monitor_puts(m, "\b \b");
    } else if (c >= ' ' && c != 0x7f && m->line->len < HMP_LINE_MAX) {
        g_string_append_c(m->line, (char)c);
        monitor_puts(m, text);
    }
    return g_steal_pointer(&line);
}

/* As far as output has room; the rest waits. */
void hmp_monitor_receive(Monitor *m, const uint8_t *buf, size_t len)
{
    g_byte_array_append(m->input, buf, len);
    if (m->running) {
        return;                         /* by a command that runs the main loop */
    }
    monitor_cork(m, true);
    while (m->input->len && monitor_has_room(m)) {
        uint8_t c = m->input->data[0];
        g_autofree char *line = NULL;

        g_byte_array_remove_index(m->input, 0);
        line = m->edited ? hmp_readline_key(m, c) : plain_key(m, c);
        if (line) {
            run_line(m, line);
        }
    }
    monitor_cork(m, false);
}

void hmp_monitor_init(Monitor *m)
{
    m->line = g_string_new(NULL);
    m->input = g_byte_array_new();
    m->focused = !chardev_is_mux(m->be.chr);
}
