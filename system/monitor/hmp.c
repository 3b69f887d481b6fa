/*
 * The human monitor's terminal: prompt, a small line editor, history.
 *
 * Keys: Enter, Tab (complete; what it may be, if that is not one thing), Backspace, Ctrl-U (clear), Ctrl-W (word), Ctrl-C (give up the line), up and down
 * (history).  On a multiplexer the banner appears when the monitor first comes into focus.
 */
#include "system/monitor/internal.h"

#include "system/cli/cli.h"

static void prompt(Monitor *m)
{
    monitor_puts(m, "(qemu) ");
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
    monitor_puts(m, m->line->str);
}

void hmp_monitor_event(Monitor *m, CharEvent ev)
{
    switch (ev) {
    case CHAR_EVENT_OPENED:
        g_string_truncate(m->line, 0);
        m->shown = false;
        if (m->focused) {
            show(m);
        }
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

/* --- line editing --- */

static void erase(Monitor *m, size_t n)
{
    g_string_truncate(m->line, m->line->len - n);
    while (n--) {
        monitor_puts(m, "\b \b");
    }
}

static void erase_word(Monitor *m)
{
    size_t keep = m->line->len;

    while (keep && m->line->str[keep - 1] == ' ') {
        keep--;
    }
    while (keep && m->line->str[keep - 1] != ' ') {
        keep--;
    }
    erase(m, m->line->len - keep);
}

static void replace_line(Monitor *m, const char *text)
{
    erase(m, m->line->len);
    g_string_assign(m->line, text);
    monitor_puts(m, text);
}

static void history_move(Monitor *m, int step)
{
    int at = (int)m->history_at + step;

    if (at < 0 || at > (int)m->history->len) {
        return;
    }
    m->history_at = at;
    replace_line(m, at == (int)m->history->len ? "" : g_ptr_array_index(m->history, at));
}

static void history_add(Monitor *m, const char *line)
{
    if (*line && !(m->history->len && !strcmp(g_ptr_array_index(m->history, m->history->len - 1), line))) {
        g_ptr_array_add(m->history, g_strdup(line));
    }
    if (m->history->len > HMP_HISTORY_MAX) {
        g_ptr_array_remove_index(m->history, 0);
    }
    m->history_at = m->history->len;
}

/* --- completion --- */

static void type_text(Monitor *m, const char *text, size_t len)
{
    g_autofree char *piece = g_strndup(text, MIN(len, HMP_LINE_MAX - m->line->len));

    g_string_append(m->line, piece);
    monitor_puts(m, piece);
}

/* How many bytes all have in common. */
static size_t common_length(const GPtrArray *names)
{
    const char *first = names->pdata[0];
    size_t n = strlen(first);

    for (unsigned i = 1; i < names->len; i++) {
        const char *other = names->pdata[i];
        size_t k = 0;

        while (k < n && other[k] == first[k]) {
            k++;
        }
        n = k;
    }
    return n;
}

static void list_names(Monitor *m, const GPtrArray *names)
{
    monitor_puts(m, "\n");
    for (unsigned i = 0; i < names->len; i++) {
        monitor_puts(m, names->pdata[i]);
        monitor_puts(m, i + 1 < names->len ? "  " : "\n");
    }
    prompt(m);
    monitor_puts(m, m->line->str);
}

static void complete(Monitor *m)
{
    size_t word_at, have, common;
    g_autoptr(GPtrArray) names = hmp_complete(m->line->str, &word_at);

    if (!names->len) {
        return;
    }
    have = m->line->len - word_at;
    common = common_length(names);
    type_text(m, (char *)names->pdata[0] + have, common - have);
    if (names->len == 1) {
        type_text(m, " ", 1);
    } else if (common == have) {
        list_names(m, names);
    }
}

static void enter(Monitor *m)
{
    g_autofree char *line = g_strdup(m->line->str), *output = NULL;

    g_string_truncate(m->line, 0);
    monitor_puts(m, "\n");
    history_add(m, line);
    output = monitor_run_line(line, -1);
    monitor_puts(m, output);
    prompt(m);
}

/* ESC [ A and ESC [ B are up and down; other sequences are swallowed. */
static void escape_byte(Monitor *m, uint8_t c)
{
    if (m->escape == 1) {
        m->escape = c == '[' || c == 'O' ? 2 : 0;
        return;
    }
    if (c >= '@') {
        m->escape = 0;
        if (c == 'A' || c == 'B') {
            history_move(m, c == 'A' ? -1 : 1);
        }
    }
}

static void key(Monitor *m, uint8_t c)
{
    char text[2] = { (char)c };

    if (m->escape) {
        escape_byte(m, c);
        return;
    }
    switch (c) {
    case '\r': case '\n':
        enter(m);
        break;
    case '\t':
        complete(m);
        break;
    case 0x1b:
        m->escape = 1;
        break;
    case 0x7f: case '\b':
        erase(m, MIN(m->line->len, 1));
        break;
    case 0x15:                          /* Ctrl-U */
        erase(m, m->line->len);
        break;
    case 0x17:                          /* Ctrl-W */
        erase_word(m);
        break;
    case 0x03:                          /* Ctrl-C */
        g_string_truncate(m->line, 0);
        monitor_puts(m, "\n");
        prompt(m);
        break;
    default:
        if (c >= ' ' && m->line->len < HMP_LINE_MAX) {
            g_string_append_c(m->line, (char)c);
            monitor_puts(m, text);
        }
        break;
    }
}

void hmp_monitor_receive(Monitor *m, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        key(m, buf[i]);
    }
}

void hmp_monitor_init(Monitor *m)
{
    m->line = g_string_new(NULL);
    m->history = g_ptr_array_new_with_free_func(g_free);
    m->focused = !chardev_is_mux(m->be.chr);
}
