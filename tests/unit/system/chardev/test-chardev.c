/*
 * Character devices: both ends' promises, socket, ring buffer, file, FIFO, multiplexer.
 */
#include "qapi/keyval.h"
#include "system/chardev.h"
#include "system/runstate.h"
#include "util/main-loop.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A front end that takes up to @room bytes. */
typedef struct Front {
    CharBackend be;
    GString *seen;
    size_t room;
    unsigned writable, opened, closed, breaks, mux_in, mux_out;
} Front;

static size_t front_can_receive(void *opaque)
{
    return ((Front *)opaque)->room;
}

static void front_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Front *f = opaque;

    g_assert_cmpuint(len, <=, f->room);
    g_string_append_len(f->seen, (const char *)buf, len);
    f->room -= len;
}

static void front_event(void *opaque, CharEvent ev)
{
    Front *f = opaque;
    unsigned *const counts[] = { &f->opened, &f->closed, &f->breaks, &f->mux_in, &f->mux_out };

    ++*counts[ev];
}

static void front_writable(void *opaque)
{
    ((Front *)opaque)->writable++;
}

static const CharHandlers front_handlers = { front_can_receive, front_receive, front_event, front_writable };

static void front_attach(Front *f, Chardev *c)
{
    *f = (Front){ .seen = g_string_new(NULL), .room = 1024 };
    g_assert_true(char_backend_init(&f->be, c, &error_abort));
    char_backend_set_handlers(&f->be, &front_handlers, f);
}

static void front_detach(Front *f)
{
    char_backend_deinit(&f->be);
    g_string_free(f->seen, true);
}

static Chardev *make(const char *text)
{
    g_autoptr(Value) opts = keyval_parse(text, "backend", KEYVAL_FLAT, NULL, &error_abort);

    return chardev_new_from_opts(opts, &error_abort);
}

static void steps(unsigned n)
{
    while (n--) {
        main_loop_step(false);
    }
}

static size_t put(Front *f, const char *text)
{
    return char_write(&f->be, (const uint8_t *)text, strlen(text));
}

static char *temp_folder(void)
{
    return g_dir_make_tmp("quern-XXXXXX", NULL);
}

/* --- */

static void test_no_back_end_discards(void)
{
    CharBackend be;

    g_assert_true(char_backend_init(&be, NULL, &error_abort));
    g_assert_cmpuint(char_write(&be, (const uint8_t *)"abc", 3), ==, 3);
    char_backend_deinit(&be);
}

static void test_second_front_end_is_refused(void)
{
    Chardev *c = make("null,id=n");
    g_autoptr(Error) err = NULL;
    CharBackend other;
    Front f;

    front_attach(&f, c);
    g_assert_false(char_backend_init(&other, c, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "Device 'n' is in use");
    front_detach(&f);
    g_assert_true(char_backend_init(&other, c, &error_abort));
    char_backend_deinit(&other);
    g_assert_true(chardev_remove("n", &error_abort));
    g_assert_null(chardev_find("n"));
}

static void test_file_writes_and_appends(void)
{
    g_autofree char *folder = temp_folder(), *path = g_build_filename(folder, "out", NULL);
    g_autofree char *opts = g_strdup_printf("file,id=f,path=%s", path), *text = NULL;
    g_autofree char *more = g_strdup_printf("file,id=f,append=on,path=%s", path);
    Front f;

    front_attach(&f, make(opts));
    g_assert_cmpuint(put(&f, "one\n"), ==, 4);
    front_detach(&f);
    g_assert_true(chardev_remove("f", &error_abort));
    front_attach(&f, make(more));
    g_assert_cmpuint(put(&f, "two\n"), ==, 4);
    front_detach(&f);
    g_assert_true(chardev_remove("f", &error_abort));
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "one\ntwo\n");
    g_unlink(path);
    g_rmdir(folder);
}

static void test_log_file_gets_a_copy(void)
{
    g_autofree char *folder = temp_folder(), *path = g_build_filename(folder, "log", NULL);
    g_autofree char *opts = g_strdup_printf("null,id=l,logfile=%s", path), *text = NULL;
    Front f;

    front_attach(&f, make(opts));
    put(&f, "hello");
    front_detach(&f);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "hello");
    g_assert_true(chardev_remove("l", &error_abort));
    g_unlink(path);
    g_rmdir(folder);
}

static int client_of(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(a.sun_path, path, sizeof(a.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&a, sizeof(a)), ==, 0);
    return fd;
}

static void test_socket_server_serves_one_client_after_the_other(void)
{
    g_autofree char *folder = temp_folder(), *path = g_build_filename(folder, "s", NULL);
    g_autofree char *opts = g_strdup_printf("socket,id=s,path=%s,server=on,wait=off", path);
    char buf[16] = { 0 };
    Front f;
    int fd;

    front_attach(&f, make(opts));
    g_assert_cmpuint(put(&f, "lost"), ==, 4);       /* nobody is there */
    for (unsigned round = 1; round <= 2; round++) {
        fd = client_of(path);
        steps(3);
        g_assert_cmpuint(f.opened, ==, round);
        g_assert_cmpint(write(fd, "in", 2), ==, 2);
        steps(2);
        g_assert_cmpuint(put(&f, "out"), ==, 3);
        g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, 3);
        g_assert_cmpstr(buf, ==, "out");
        close(fd);
        steps(3);
        g_assert_cmpuint(f.closed, ==, round);
    }
    g_assert_cmpstr(f.seen->str, ==, "inin");
    front_detach(&f);
    g_assert_true(chardev_remove("s", &error_abort));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_rmdir(folder);
}

static void test_slow_reader_gets_short_writes_and_a_call_back(void)
{
    g_autofree char *folder = temp_folder(), *path = g_build_filename(folder, "s", NULL);
    g_autofree char *opts = g_strdup_printf("socket,id=s,path=%s,server=on,wait=off", path);
    g_autofree char *block = g_strnfill(64 * 1024, 'x');
    g_autofree char *sink = g_malloc(64 * 1024);
    size_t taken = 0, n, got = 0;
    Front f;
    int fd;

    front_attach(&f, make(opts));
    fd = client_of(path);
    steps(3);
    do {
        n = put(&f, block);
        taken += n;
    } while (n == 64 * 1024);
    g_assert_cmpuint(taken, <, 16 * MiB);           /* the kernel's buffer, no more */
    steps(2);
    g_assert_cmpuint(f.writable, ==, 0);
    while (got < taken) {
        got += read(fd, sink, 64 * 1024);
    }
    steps(2);
    g_assert_cmpuint(f.writable, ==, 1);
    steps(2);
    g_assert_cmpuint(f.writable, ==, 1);            /* once per short write */
    close(fd);
    front_detach(&f);
    g_assert_true(chardev_remove("s", &error_abort));
    g_rmdir(folder);
}

static void test_front_end_that_takes_nothing_stops_reading(void)
{
    g_autofree char *folder = temp_folder(), *path = g_build_filename(folder, "s", NULL);
    g_autofree char *opts = g_strdup_printf("socket,id=s,path=%s,server=on,wait=off", path);
    Front f;
    int fd;

    front_attach(&f, make(opts));
    f.room = 3;
    fd = client_of(path);
    steps(3);
    g_assert_cmpint(write(fd, "abcdef", 6), ==, 6);
    steps(5);
    g_assert_cmpstr(f.seen->str, ==, "abc");
    f.room = 100;
    steps(2);
    g_assert_cmpstr(f.seen->str, ==, "abc");        /* only when told so */
    char_accept_input(&f.be);
    steps(2);
    g_assert_cmpstr(f.seen->str, ==, "abcdef");
    close(fd);
    front_detach(&f);
    g_assert_true(chardev_remove("s", &error_abort));
    g_rmdir(folder);
}

static void test_client_reconnects(void)
{
    g_autofree char *folder = temp_folder(), *path = g_build_filename(folder, "s", NULL);
    g_autofree char *client = g_strdup_printf("socket,id=c,path=%s,reconnect-ms=10", path);
    g_autofree char *server = g_strdup_printf("socket,id=s,path=%s,server=on,wait=off", path);
    Front c, s;

    front_attach(&c, make(client));                 /* nobody listens yet */
    front_attach(&s, make(server));
    while (!c.opened || !s.opened) {
        main_loop_step(true);
    }
    put(&c, "hi");
    while (!s.seen->len) {
        main_loop_step(true);
    }
    g_assert_cmpstr(s.seen->str, ==, "hi");
    front_detach(&c);
    front_detach(&s);
    g_assert_true(chardev_remove("c", &error_abort));
    g_assert_true(chardev_remove("s", &error_abort));
    g_rmdir(folder);
}

static void test_pipe_pair(void)
{
    g_autofree char *folder = temp_folder(), *path = g_build_filename(folder, "p", NULL);
    g_autofree char *in = g_strconcat(path, ".in", NULL), *out = g_strconcat(path, ".out", NULL);
    g_autofree char *opts = g_strdup_printf("pipe,id=p,path=%s", path);
    char buf[8] = { 0 };
    int fd_in, fd_out;
    Front f;

    g_assert_cmpint(mkfifo(in, 0600), ==, 0);
    g_assert_cmpint(mkfifo(out, 0600), ==, 0);
    front_attach(&f, make(opts));
    fd_in = open(in, O_WRONLY);
    fd_out = open(out, O_RDONLY | O_NONBLOCK);
    g_assert_cmpint(write(fd_in, "abc", 3), ==, 3);
    steps(2);
    g_assert_cmpstr(f.seen->str, ==, "abc");
    put(&f, "xyz");
    g_assert_cmpint(read(fd_out, buf, 7), ==, 3);
    g_assert_cmpstr(buf, ==, "xyz");
    close(fd_in);
    close(fd_out);
    front_detach(&f);
    g_assert_true(chardev_remove("p", &error_abort));
    g_unlink(in);
    g_unlink(out);
    g_rmdir(folder);
}

/* A multiplexer over a socket pair: what the user types goes in at @peer. */
typedef struct MuxFixture {
    char *folder, *path;
    Front a, b;
    int peer;
} MuxFixture;

static void mux_setup(MuxFixture *m, const void *unused)
{
    g_autofree char *opts = NULL;
    Chardev *c;

    m->folder = temp_folder();
    m->path = g_build_filename(m->folder, "s", NULL);
    opts = g_strdup_printf("socket,id=m,mux=on,path=%s,server=on,wait=off", m->path);
    c = make(opts);
    front_attach(&m->a, c);
    front_attach(&m->b, c);
    m->peer = client_of(m->path);
    steps(3);
}

static void mux_teardown(MuxFixture *m, const void *unused)
{
    close(m->peer);
    front_detach(&m->a);
    front_detach(&m->b);
    object_unparent(chardev_find("m"));
    object_unparent(chardev_find("m-base"));
    g_rmdir(m->folder);
    g_free(m->folder);
    g_free(m->path);
}

static void type_in(MuxFixture *m, const char *keys)
{
    g_assert_cmpint(write(m->peer, keys, strlen(keys)), ==, (ssize_t)strlen(keys));
    steps(3);
}

static char *screen(MuxFixture *m)
{
    char buf[4096];
    ssize_t n = recv(m->peer, buf, sizeof(buf), MSG_DONTWAIT);

    return g_strndup(buf, MAX(n, 0));
}

static void test_mux_input_follows_focus(MuxFixture *m, const void *unused)
{
    type_in(m, "to-b\001cto-a\001\001\001cb");
    g_assert_cmpstr(m->b.seen->str, ==, "to-bb");
    g_assert_cmpstr(m->a.seen->str, ==, "to-a\001");
    g_assert_cmpuint(m->a.mux_in, ==, 2);           /* when it came, and by Ctrl-A C */
    g_assert_cmpuint(m->a.mux_out, ==, 2);
    g_assert_cmpuint(m->b.mux_in, ==, 2);
}

static void test_mux_output_is_merged(MuxFixture *m, const void *unused)
{
    g_autofree char *text = NULL;

    put(&m->a, "from a,");
    put(&m->b, "from b");
    text = screen(m);
    g_assert_cmpstr(text, ==, "from a,from b");
}

static void test_mux_break_and_help(MuxFixture *m, const void *unused)
{
    g_autofree char *text = NULL;

    type_in(m, "\001b\001h");
    g_assert_cmpuint(m->b.breaks, ==, 1);
    g_assert_cmpuint(m->a.breaks, ==, 0);
    text = screen(m);
    g_assert_nonnull(strstr(text, "C-a x    exit emulator"));
}

static void test_mux_escapes_work_while_the_guest_reads_nothing(MuxFixture *m, const void *unused)
{
    g_autofree char *text = NULL;

    m->b.room = 0;
    type_in(m, "abcdef\001h");
    text = screen(m);
    g_assert_nonnull(strstr(text, "C-a h"));
    g_assert_cmpuint(m->b.seen->len, ==, 0);
    m->b.room = 100;
    char_accept_input(&m->b.be);
    g_assert_cmpstr(m->b.seen->str, ==, "abcdef");  /* kept, not lost */
}

/* A script on standard input is longer than any FIFO. */
static void test_mux_loses_no_input(MuxFixture *m, const void *unused)
{
    enum { LINES = 2000, LEN = 10 };
    g_autoptr(GString) script = g_string_new(NULL);

    for (unsigned i = 0; i < LINES; i++) {
        g_string_append_printf(script, "line %04u\n", i);
    }
    m->b.room = 0;
    type_in(m, script->str);
    for (unsigned i = 0; i < LINES * LEN && m->b.seen->len < script->len; i++) {
        m->b.room = 16;
        char_accept_input(&m->b.be);
        main_loop_step(false);
    }
    g_assert_true(g_string_equal(m->b.seen, script));
}

static void test_mux_timestamps(MuxFixture *m, const void *unused)
{
    g_autofree char *text = NULL;

    type_in(m, "\001t");
    put(&m->a, "one\nt");
    put(&m->a, "wo\n");
    text = screen(m);
    g_assert_true(g_regex_match_simple("^\\[00:00:0\\d\\.\\d{3}\\] one\n\\[00:00:0\\d\\.\\d{3}\\] two\n$", text, 0, 0));
}

static void test_legacy_spellings(void)
{
    static const struct { const char *text, *expected; } bad[] = {
        { "tcp:nohost", "expected HOST:PORT, got 'nohost'" },
        { "chardev:none", "chardev 'none' not found" },
        { "vc", "'vc' is not a valid char driver" },
        { "file:", "Parameter 'path' is missing" },
    };
    Chardev *c = chardev_new_legacy("s0", "null", &error_abort);

    g_assert_true(chardev_new_legacy("s1", "chardev:s0", &error_abort) == c);
    g_assert_true(chardev_is_mux(chardev_new_legacy("s2", "mon:null", &error_abort)));
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        g_autoptr(Error) err = NULL;

        g_assert_null(chardev_new_legacy("bad", bad[i].text, &err));
        g_assert_true(g_str_has_prefix(error_get_pretty(err), bad[i].expected));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    bql_lock();
    main_loop_init();
    g_test_add_func("/chardev/none", test_no_back_end_discards);
    g_test_add_func("/chardev/busy", test_second_front_end_is_refused);
    g_test_add_func("/chardev/file", test_file_writes_and_appends);
    g_test_add_func("/chardev/log", test_log_file_gets_a_copy);
    g_test_add_func("/chardev/socket/server", test_socket_server_serves_one_client_after_the_other);
    g_test_add_func("/chardev/socket/slow-reader", test_slow_reader_gets_short_writes_and_a_call_back);
    g_test_add_func("/chardev/socket/flow-control", test_front_end_that_takes_nothing_stops_reading);
    g_test_add_func("/chardev/socket/reconnect", test_client_reconnects);
    g_test_add_func("/chardev/pipe", test_pipe_pair);
    g_test_add_func("/chardev/legacy", test_legacy_spellings);
#define MUX_TEST(name, fn) g_test_add("/chardev/mux/" name, MuxFixture, NULL, mux_setup, fn, mux_teardown)
    MUX_TEST("focus", test_mux_input_follows_focus);
    MUX_TEST("merge", test_mux_output_is_merged);
    MUX_TEST("break", test_mux_break_and_help);
    MUX_TEST("kept", test_mux_escapes_work_while_the_guest_reads_nothing);
    MUX_TEST("loses-nothing", test_mux_loses_no_input);
    MUX_TEST("timestamps", test_mux_timestamps);
    return g_test_run();
}
