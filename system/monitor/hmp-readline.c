/*
 * The human monitor's lines on a terminal: editing, history and completion by GNU readline.
 *
 * The library is loaded when a monitor first gets a terminal, so that nobody else pays for it.  It is driven by its
 * callback interface: it is given the bytes that the character device delivered, one by one, and what it prints is
 * collected and goes out as the monitor's output.  It never sees the process's terminal, signals or environment.
 *
 * Whoever types is hostile: of the library only the functions in the table of keys can be reached (no macros, no
 * init file, no variables, no numeric arguments), a line has at most HMP_LINE_MAX bytes and no undo list, so that
 * memory is bounded.  Commands run with none of the library's functions on the stack.
 */
#include "config-host.h"
#include "system/monitor/internal.h"

#ifdef CONFIG_READLINE
#include <dlfcn.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <readline/readline.h>
#include <readline/history.h>

/* What is used of the library: functions and variables. */
#define READLINE_SYMBOLS(S) \
    S(add_history) \
    S(clear_history) \
    S(rl_attempted_completion_function) \
    S(rl_attempted_completion_over) \
    S(rl_bind_keyseq_in_map) \
    S(rl_callback_handler_install) \
    S(rl_callback_handler_remove) \
    S(rl_callback_read_char) \
    S(rl_callback_sigcleanup) \
    S(rl_catch_signals) \
    S(rl_catch_sigwinch) \
    S(rl_change_environment) \
    S(rl_completer_word_break_characters) \
    S(rl_completion_matches) \
    S(rl_completion_query_items) \
    S(rl_delete_text) \
    S(rl_deprep_term_function) \
    S(rl_end) \
    S(rl_forced_update_display) \
    S(rl_free_undo_list) \
    S(rl_getc_function) \
    S(rl_initialize) \
    S(rl_input_available_hook) \
    S(rl_insert) \
    S(rl_insert_text) \
    S(rl_instream) \
    S(rl_line_buffer) \
    S(rl_make_bare_keymap) \
    S(rl_named_function) \
    S(rl_outstream) \
    S(rl_point) \
    S(rl_prep_term_function) \
    S(rl_read_init_file) \
    S(rl_reset_terminal) \
    S(rl_set_keymap) \
    S(rl_set_screen_size) \
    S(rl_tty_set_echoing) \
    S(rl_variable_bind) \
    S(stifle_history)

#define POINTER(name) __typeof__(name) *name;
#define ROW(name)     { #name, offsetof(Readline, name) },

typedef struct Readline {
    READLINE_SYMBOLS(POINTER)
} Readline;

static const struct {
    const char *name;
    size_t offset;
} symbols[] = { READLINE_SYMBOLS(ROW) };

static Readline lib;

/* The one editor of the process. */
static struct {
    Monitor *owner, *last;      /* borrowed; who has it, who had it last */
    int fd;                     /* owner's terminal; -1 = its size is not known */
    int byte;                   /* of input, not yet taken; EOF = none */
    bool prompted;              /* a line is being edited */
    bool in_csi;                /* the rest of an unknown key is dropped */
    char *line;                 /* complete, malloc()ed */
    char *newest;               /* of the history */
    GPtrArray *names;           /* completion: of char * */
    GString *output;
    FILE *stream;               /* into .output */
    locale_t locale, outside;   /* the environment's character type, for the library alone */
    char *outside_name;
} editor = { .byte = EOF };

/* What can be typed, in readline's notation and names. */
static const struct {
    const char *keys, *function;
} keys[] = {
    { "\\C-a", "beginning-of-line" },
    { "\\C-b", "backward-char" },
    { "\\C-d", "delete-char" },
    { "\\C-e", "end-of-line" },
    { "\\C-f", "forward-char" },
    { "\\C-h", "backward-delete-char" },
    { "\\C-?", "backward-delete-char" },
    { "\\C-i", "complete" },
    { "\\C-j", "accept-line" },
    { "\\C-k", "kill-line" },
    { "\\C-l", "clear-screen" },
    { "\\C-m", "accept-line" },
    { "\\C-n", "next-history" },
    { "\\C-p", "previous-history" },
    { "\\C-t", "transpose-chars" },
    { "\\C-u", "unix-line-discard" },
    { "\\C-w", "unix-word-rubout" },
    { "\\C-y", "yank" },
    { "\\e\\C-h", "backward-kill-word" },
    { "\\e\\C-?", "backward-kill-word" },
    { "\\e\\C-j", "accept-line" },
    { "\\e\\C-m", "accept-line" },
    { "\\e<", "beginning-of-history" },
    { "\\e>", "end-of-history" },
    { "\\eb", "backward-word" },
    { "\\ed", "kill-word" },
    { "\\ef", "forward-word" },
    /* Arrows, Home, End, Delete of the terminals that there are. */
    { "\\e[A", "previous-history" },
    { "\\e[B", "next-history" },
    { "\\e[C", "forward-char" },
    { "\\e[D", "backward-char" },
    { "\\e[F", "end-of-line" },
    { "\\e[H", "beginning-of-line" },
    { "\\eOA", "previous-history" },
    { "\\eOB", "next-history" },
    { "\\eOC", "forward-char" },
    { "\\eOD", "backward-char" },
    { "\\eOF", "end-of-line" },
    { "\\eOH", "beginning-of-line" },
    { "\\e[1~", "beginning-of-line" },
    { "\\e[3~", "delete-char" },
    { "\\e[4~", "end-of-line" },
    { "\\e[7~", "beginning-of-line" },
    { "\\e[8~", "end-of-line" },
    { "\\e[1;5C", "forward-word" },
    { "\\e[1;5D", "backward-word" },
};

/* --- around every call: its locale, its output --- */

static void enter_library(void)
{
    editor.outside_name = g_strdup(setlocale(LC_CTYPE, NULL));
    editor.outside = uselocale(editor.locale);
}

static void leave_library(void)
{
    Monitor *m = editor.owner;

    uselocale(editor.outside);
    if (strcmp(setlocale(LC_CTYPE, NULL), editor.outside_name)) {
        setlocale(LC_CTYPE, editor.outside_name);       /* some versions set it before each line */
    }
    g_clear_pointer(&editor.outside_name, g_free);
    fflush(editor.stream);
    if (m && editor.output->len) {
        g_autofree char *text = g_strdup(editor.output->str);

        g_string_truncate(editor.output, 0);
        monitor_puts(m, text);
    }
    g_string_truncate(editor.output, 0);
}

static ssize_t collect(void *opaque, const char *buf, size_t len)
{
    g_string_append_len(editor.output, buf, len);
    return len;
}

/* --- what readline calls --- */

static int take_byte(FILE *stream)
{
    int c = editor.byte;

    editor.byte = EOF;
    return c;
}

/* It shall not look ahead. */
static int no_more_input(void)
{
    return 0;
}

static void prepare_terminal(int meta)
{
}

static void leave_terminal(void)
{
}

static void on_line(char *line)
{
    lib.rl_callback_handler_remove();
    editor.prompted = false;
    editor.line = line ? line : strdup("");
}

static char *next_name(const char *text, int state)
{
    static unsigned at;

    at = state ? at + 1 : 0;
    return at < editor.names->len ? strdup(editor.names->pdata[at]) : NULL;
}

static char **complete(const char *text, int start, int end)
{
    g_autofree char *line = g_strndup(*lib.rl_line_buffer, end);
    char **matches = NULL;
    size_t word_at;

    *lib.rl_attempted_completion_over = 1;              /* file names are none of ours */
    editor.names = hmp_complete(line, &word_at);
    if (word_at == (size_t)start) {
        matches = lib.rl_completion_matches(text, next_name);
    }
    g_clear_pointer(&editor.names, g_ptr_array_unref);
    return matches;
}

/* --- keys --- */

static int insert(int count, int key)
{
    return *lib.rl_end < HMP_LINE_MAX ? lib.rl_insert(count, key) : 0;
}

/* A key that is not in the table: ESC [, parameters, a letter (ECMA-48, 5.4). */
static int unknown_key(int count, int key)
{
    editor.in_csi = key < '@';
    return 0;
}

static Keymap submap(Keymap map, uint8_t c)
{
    return map[c].type == ISKMAP ? (Keymap)(void *)map[c].function : NULL;
}

static void drop_unknown_keys(Keymap map)
{
    for (int c = ' '; c < 0x7f; c++) {
        if (submap(map, c)) {
            drop_unknown_keys(submap(map, c));
        } else if (!map[c].function) {
            map[c].function = unknown_key;
        }
    }
}

static Keymap make_keymap(void)
{
    Keymap map = lib.rl_make_bare_keymap();

    for (unsigned c = ' '; c <= 0xff; c++) {
        map[c].function = insert;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        lib.rl_bind_keyseq_in_map(keys[i].keys, lib.rl_named_function(keys[i].function), map);
    }
    drop_unknown_keys(submap(submap(map, 0x1b), '['));
    return map;
}

/* --- start --- */

static bool load(void)
{
    void *so = dlopen("libreadline.so." G_STRINGIFY(RL_VERSION_MAJOR), RTLD_NOW | RTLD_LOCAL);

    for (unsigned i = 0; i < ARRAY_SIZE(symbols); i++) {
        void *at = so ? dlsym(so, symbols[i].name) : NULL;

        if (!at) {
            return false;
        }
        *(void **)((char *)&lib + symbols[i].offset) = at;
    }
    return true;
}

static void set_variables(void)
{
    static const char *const values[][2] = {
        { "bell-style", "none" },                       /* it would go to stderr */
        { "bind-tty-special-chars", "off" },
        { "convert-meta", "off" },
        { "enable-bracketed-paste", "off" },
        { "input-meta", "on" },
        { "output-meta", "on" },
        { "page-completions", "off" },
        { "show-all-if-ambiguous", "on" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
        lib.rl_variable_bind(values[i][0], values[i][1]);
    }
    *lib.rl_attempted_completion_function = complete;
    *lib.rl_completer_word_break_characters = " ";
    *lib.rl_completion_query_items = 0;                 /* never ask whether to list */
    lib.stifle_history(HMP_HISTORY_MAX);
}

/* Nothing of it may touch the process's terminal, signals, environment or the user's init file. */
static void initialize(FILE *nothing)
{
    *lib.rl_catch_signals = 0;
    *lib.rl_catch_sigwinch = 0;
    *lib.rl_change_environment = 0;
    *lib.rl_prep_term_function = prepare_terminal;
    *lib.rl_deprep_term_function = leave_terminal;
    *lib.rl_getc_function = take_byte;
    *lib.rl_input_available_hook = no_more_input;
    *lib.rl_instream = nothing;
    *lib.rl_outstream = editor.stream;
    lib.rl_variable_bind("bind-tty-special-chars", "off");
    lib.rl_read_init_file("/dev/null");                 /* instead of ~/.inputrc: the one read last is read again */
    lib.rl_initialize();
    set_variables();
    lib.rl_tty_set_echoing(1);
    lib.rl_set_keymap(make_keymap());
}

/*
 * Version 8.2 compares lines of the screen to a length that may be past the end of its buffers when a line of many
 * columns nearly fills them.  Buffers grow with the line and never shrink: make them larger than any line of ours can
 * need (a byte takes up to four columns, as \ooo) with a screen's width to spare.
 */
static void make_room(void)
{
    g_autofree char *text = g_strnfill(6 * HMP_LINE_MAX, 'x');

    lib.rl_set_screen_size(24, 80);
    lib.rl_callback_handler_install(HMP_PROMPT, on_line);
    lib.rl_insert_text(text);
    lib.rl_forced_update_display();
    lib.rl_free_undo_list();
    lib.rl_callback_handler_remove();
}

/* Once: true = there is an editor. */
static bool start(void)
{
    static bool tried, done;
    g_autofree char *outside = NULL;
    FILE *nothing;

    if (tried) {
        return done;
    }
    tried = true;
    nothing = fopen("/dev/null", "re");
    if (!nothing || !load()) {
        return false;
    }
    editor.output = g_string_new(NULL);
    editor.stream = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = collect });
    outside = g_strdup(setlocale(LC_CTYPE, NULL));
    initialize(nothing);
    editor.locale = newlocale(LC_CTYPE_MASK, setlocale(LC_CTYPE, NULL), (locale_t)0);
    setlocale(LC_CTYPE, outside);
    if (editor.locale) {
        enter_library();
        make_room();
        leave_library();
    }
    done = editor.locale != (locale_t)0;
    return done;
}

/* --- for the monitor --- */

bool hmp_readline_claim(Monitor *m)
{
    int fd;

    if (editor.owner || !char_is_terminal(&m->be, &fd) || !start()) {
        return false;
    }
    enter_library();
    if (editor.last && editor.last != m) {
        lib.clear_history();
        g_clear_pointer(&editor.newest, g_free);
    }
    editor.owner = editor.last = m;
    editor.fd = fd;
    editor.in_csi = false;
    lib.rl_reset_terminal(fd == STDOUT_FILENO ? NULL : "ansi");     /* NULL = as $TERM says */
    leave_library();
    return true;
}

void hmp_readline_release(Monitor *m)
{
    if (editor.owner != m) {
        return;
    }
    editor.owner = NULL;
    enter_library();
    if (editor.prompted) {
        lib.rl_callback_sigcleanup();
        lib.rl_callback_handler_remove();
        editor.prompted = false;
    }
    leave_library();
}

/* As told by the terminal, whose peer may tell anything. */
static void set_size(void)
{
    struct winsize size = { .ws_row = 24, .ws_col = 80 };

    if (editor.fd >= 0 && (ioctl(editor.fd, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)) {
        size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
    }
    lib.rl_set_screen_size(CLAMP(size.ws_row, 4, 200), CLAMP(size.ws_col, 20, 500));
}

void hmp_readline_show(Monitor *m)
{
    enter_library();
    set_size();
    if (editor.prompted) {
        lib.rl_forced_update_display();
    } else {
        editor.prompted = true;
        lib.rl_callback_handler_install(HMP_PROMPT, on_line);
    }
    leave_library();
}

/* What a key may have added is bounded, and nothing is kept of what was before it. */
static void bound_line(void)
{
    if (*lib.rl_end > HMP_LINE_MAX) {
        lib.rl_delete_text(HMP_LINE_MAX, *lib.rl_end);
        *lib.rl_point = MIN(*lib.rl_point, *lib.rl_end);
        lib.rl_forced_update_display();
    }
    lib.rl_free_undo_list();
}

static void remember(const char *line)
{
    if (*line && g_strcmp0(line, editor.newest)) {
        lib.add_history(line);
        g_free(editor.newest);
        editor.newest = g_strdup(line);
    }
}

/* Input that readline shall not see. */
static bool is_dropped(uint8_t c)
{
    if (editor.in_csi) {
        editor.in_csi = c >= ' ' && c < '@';
        return c >= ' ';
    }
    return c == 0x04 && !*lib.rl_end;                   /* Ctrl-D on an empty line would be the end */
}

char *hmp_readline_key(Monitor *m, uint8_t c)
{
    g_autofree char *line = NULL;

    if (!editor.prompted) {
        hmp_readline_show(m);
    }
    if (is_dropped(c)) {
        return NULL;
    }
    editor.byte = c;
    enter_library();
    lib.rl_callback_read_char();
    if (editor.prompted) {
        bound_line();
    } else {
        line = g_strndup(editor.line, HMP_LINE_MAX);
        g_clear_pointer(&editor.line, free);
        remember(line);
    }
    leave_library();
    return g_steal_pointer(&line);
}

#else
bool hmp_readline_claim(Monitor *m)
{
    return false;
}

void hmp_readline_release(Monitor *m)
{
}

void hmp_readline_show(Monitor *m)
{
}

char *hmp_readline_key(Monitor *m, uint8_t c)
{
    return NULL;
}
#endif
