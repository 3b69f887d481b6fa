#include "qtest.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_MS  30000
#define FIRST_FREE  (16 * MiB)          /* of guest RAM: above firmware and what it uses */

typedef struct Stream {
    int fd;
    GString *in;
} Stream;

struct QTest {
    pid_t pid;
    char *folder;
    Stream qtest, qmp;
    bool level[QTEST_IRQS];
    unsigned raised[QTEST_IRQS];
    GQueue events;                      /* of char * */
    uint64_t next_free;
};

/* --- streams of lines --- */

static void wait_readable(int fd, const char *what)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int rc;

    do {
        rc = poll(&p, 1, TIMEOUT_MS);
    } while (rc < 0 && errno == EINTR);
    if (rc <= 0) {
        g_error("no %s within %d s", what, TIMEOUT_MS / 1000);
    }
}

static char *read_line(Stream *s)
{
    char *eol, *line;
    char buf[64 * KiB];
    size_t from = 0;

    while (!(eol = memchr(s->in->str + from, '\n', s->in->len - from))) {
        ssize_t n;

        from = s->in->len;
        wait_readable(s->fd, "answer");
        n = read(s->fd, buf, sizeof(buf));
        if (n <= 0) {
            g_error("the emulator closed the connection");
        }
        g_string_append_len(s->in, buf, n);
    }
    line = g_strndup(s->in->str, eol - s->in->str);
    g_string_erase(s->in, 0, eol + 1 - s->in->str);
    return g_strchomp(line);
}

static void write_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR) {
            g_error("the emulator takes no input: %s", g_strerror(errno));
        }
        text += MAX(n, 0);
        len -= MAX(n, 0);
    }
}

/* --- life --- */

static int listen_at(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(a.sun_path, path, sizeof(a.sun_path));
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1)) {
        g_error("cannot listen at %s: %s", path, g_strerror(errno));
    }
    return fd;
}

static Stream accept_one(int listener)
{
    Stream s = { .in = g_string_new(NULL) };

    wait_readable(listener, "connection from the emulator");
    s.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    g_assert_cmpint(s.fd, >=, 0);
    close(listener);
    return s;
}

static char **command_line(const char *socket, const char *qmp, const char *args)
{
    g_autofree char *line = g_strdup_printf(
        "%s -qtest unix:%s -qtest-log /dev/null -chardev socket,path=%s,id=char0 -mon chardev=char0,mode=control "
        "-display none -audio none %s -accel qtest", g_getenv("QTEST_EMULATOR"), socket, qmp, args);
    char **argv;

    if (!g_getenv("QTEST_EMULATOR") || !g_shell_parse_argv(line, NULL, &argv, NULL)) {
        g_error("QTEST_EMULATOR is not set, or cannot split: %s", line);
    }
    return argv;
}

static pid_t spawn(char **argv)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(argv[0], argv);
        _exit(127);
    }
    return pid;
}

QTest *qtest_start(const char *fmt, ...)
{
    QTest *q = g_new0(QTest, 1);
    g_autofree char *socket, *qmp, *args;
    g_auto(GStrv) argv = NULL;
    int listeners[2];
    va_list ap;

    va_start(ap, fmt);
    args = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    q->folder = g_dir_make_tmp("qtest-XXXXXX", NULL);
    socket = g_build_filename(q->folder, "qtest", NULL);
    qmp = g_build_filename(q->folder, "qmp", NULL);
    argv = command_line(socket, qmp, args);
    listeners[0] = listen_at(socket);
    listeners[1] = listen_at(qmp);
    q->pid = spawn(argv);
    q->qtest = accept_one(listeners[0]);
    q->qmp = accept_one(listeners[1]);
    unlink(socket);
    unlink(qmp);
    g_queue_init(&q->events);
    q->next_free = FIRST_FREE;
    g_free(read_line(&q->qmp));         /* the greeting */
    g_free(qtest_qmp(q, "{'execute': 'qmp_capabilities'}"));
    return q;
}

int qtest_pid(const QTest *q)
{
    return q->pid;
}

void qtest_stop(QTest *q)
{
    int status;

    kill(q->pid, SIGTERM);
    waitpid(q->pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        g_error("the emulator ended with wait status 0x%x", status);
    }
    close(q->qtest.fd);
    close(q->qmp.fd);
    g_string_free(q->qtest.in, true);
    g_string_free(q->qmp.in, true);
    g_queue_clear_full(&q->events, g_free);
    rmdir(q->folder);
    g_free(q->folder);
    g_free(q);
}

/* --- the protocol --- */

static bool take_irq(QTest *q, const char *line)
{
    unsigned n;
    char how[8];

    if (sscanf(line, "IRQ %7s %u", how, &n) != 2 || n >= QTEST_IRQS) {
        return false;
    }
    q->level[n] = !strcmp(how, "raise");
    q->raised[n] += q->level[n];
    return true;
}

static char *ask_text(QTest *q, const char *command)
{
    g_autofree char *line = g_strconcat(command, "\n", NULL);
    char *reply;

    write_all(q->qtest.fd, line, strlen(line));
    while (take_irq(q, reply = read_line(&q->qtest))) {
        g_free(reply);
    }
    return reply;
}

char *qtest_ask(QTest *q, const char *fmt, ...)
{
    g_autofree char *command = NULL;
    va_list ap;

    va_start(ap, fmt);
    command = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    return ask_text(q, command);
}

static char *ok_text(QTest *q, const char *command)
{
    char *reply = ask_text(q, command);

    if (!g_str_has_prefix(reply, "OK")) {
        g_error("%.200s: %s", command, reply);
    }
    memmove(reply, reply + 2, strlen(reply + 2) + 1);
    return g_strchug(reply);
}

char *qtest_ok(QTest *q, const char *fmt, ...)
{
    g_autofree char *command = NULL;
    va_list ap;

    va_start(ap, fmt);
    command = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    return ok_text(q, command);
}

static char letter(unsigned size)
{
    return size == 1 ? 'b' : size == 2 ? 'w' : size == 4 ? 'l' : 'q';
}

uint32_t qtest_in(QTest *q, uint16_t port, unsigned size)
{
    g_autofree char *v = qtest_ok(q, "in%c 0x%x", letter(size), port);

    return (uint32_t)g_ascii_strtoull(v, NULL, 0);
}

void qtest_out(QTest *q, uint16_t port, unsigned size, uint32_t v)
{
    g_free(qtest_ok(q, "out%c 0x%x 0x%x", letter(size), port, v));
}

uint64_t qtest_read(QTest *q, uint64_t addr, unsigned size)
{
    g_autofree char *v = qtest_ok(q, "read%c 0x%" PRIx64, letter(size), addr);

    return g_ascii_strtoull(v, NULL, 0);
}

void qtest_write(QTest *q, uint64_t addr, unsigned size, uint64_t v)
{
    g_free(qtest_ok(q, "write%c 0x%" PRIx64 " 0x%" PRIx64, letter(size), addr, v));
}

void qtest_memread(QTest *q, uint64_t addr, void *buf, size_t len)
{
    g_autofree char *text = qtest_ok(q, "b64read 0x%" PRIx64 " 0x%zx", addr, len);
    gsize n;
    g_autofree guchar *data = g_base64_decode(text, &n);

    g_assert_cmpuint(n, ==, len);
    memcpy(buf, data, len);
}

void qtest_memwrite(QTest *q, uint64_t addr, const void *buf, size_t len)
{
    g_autofree char *text = g_base64_encode(buf, len);

    g_free(qtest_ok(q, "b64write 0x%" PRIx64 " 0x%zx %s", addr, len, text));
}

void qtest_memset(QTest *q, uint64_t addr, uint8_t c, size_t len)
{
    g_free(qtest_ok(q, "memset 0x%" PRIx64 " 0x%zx 0x%x", addr, len, c));
}

int64_t qtest_clock_step(QTest *q, int64_t ns)
{
    g_autofree char *v = qtest_ok(q, "clock_step %" PRId64, ns);

    return g_ascii_strtoll(v, NULL, 0);
}

int64_t qtest_clock_step_next(QTest *q)
{
    g_autofree char *v = qtest_ok(q, "clock_step");

    return g_ascii_strtoll(v, NULL, 0);
}

void qtest_intercept(QTest *q, const char *direction, const char *path)
{
    g_free(qtest_ok(q, "irq_intercept_%s %s", direction, path));
}

bool qtest_irq_level(QTest *q, unsigned n)
{
    return q->level[n];
}

unsigned qtest_irq_raised(QTest *q, unsigned n)
{
    return q->raised[n];
}

void qtest_set_irq_in(QTest *q, const char *path, unsigned n, int level)
{
    g_free(qtest_ok(q, "set_irq_in %s unnamed-gpio-in %u %d", path, n, level));
}

/* --- QMP --- */

static bool is_event(const char *line)
{
    return strstr(line, "\"event\":") && strstr(line, "\"timestamp\":");
}

char *qtest_qmp(QTest *q, const char *json)
{
    g_autofree char *request = g_strdelimit(g_strconcat(json, "\n", NULL), "'", '"');
    char *line;

    write_all(q->qmp.fd, request, strlen(request));
    while (is_event(line = read_line(&q->qmp))) {
        g_queue_push_tail(&q->events, line);
    }
    return line;
}

char *qtest_qmp_event(QTest *q, const char *name)
{
    g_autofree char *mark = g_strdup_printf("\"event\": \"%s\"", name);

    for (unsigned i = 0;; i++) {
        if (i == q->events.length) {
            g_queue_push_tail(&q->events, read_line(&q->qmp));
        }
        if (strstr(g_queue_peek_nth(&q->events, i), mark)) {
            return g_queue_pop_nth(&q->events, i);
        }
    }
}

/* --- guest memory --- */

uint64_t qtest_alloc(QTest *q, size_t size, size_t align)
{
    uint64_t addr = (q->next_free + align - 1) / align * align;

    q->next_free = addr + size;
    qtest_memset(q, addr, 0, size);
    return addr;
}
