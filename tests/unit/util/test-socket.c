/*
 * Sockets by what options say of them: what is refused, what becomes of files, which port is taken.
 */
#include "util/socket.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;

static void assert_refused(const SocketPlace *p, const char *why)
{
    Error *err = NULL;
    GArray *all = socket_resolve(p, SOCK_STREAM, true, &err);

    g_assert_null(all);
    g_assert_nonnull(strstr(error_get_pretty(err), why));
    error_free(err);
}

static void test_what_cannot_be_is_refused(void)
{
    g_autofree char *long_path = g_strnfill(200, 'p');

    assert_refused(&(SocketPlace){ .path = "" }, "1..107 bytes");
    assert_refused(&(SocketPlace){ .path = long_path }, "1..107 bytes");
    assert_refused(&(SocketPlace){ .host = "127.0.0.1", .port = "65536" }, "'65536' is greater than 65535");
    assert_refused(&(SocketPlace){ .host = "127.0.0.1", .port = "no-such-service" }, "127.0.0.1:no-such-service");
    assert_refused(&(SocketPlace){ .host = "::1", .port = "1", .has_ipv4 = true, .ipv4 = true }, "::1:1");
    assert_refused(&(SocketPlace){ .port = "1", .has_ipv4 = true, .has_ipv6 = true }, "both off");
}

static int must_listen(const SocketPlace *p, SocketFile *file)
{
    int fd = socket_listen(p, file, &error_abort);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static void test_a_stale_socket_is_replaced_another_file_is_not(void)
{
    g_autofree char *path = g_build_filename(folder, "s", NULL), *file_path = g_build_filename(folder, "f", NULL);
    SocketPlace p = { .path = path };
    SocketFile file;
    Error *err = NULL;

    close(must_listen(&p, &file));
    g_free(file.path);
    close(must_listen(&p, &file));
    socket_file_remove(&file);
    g_assert_cmpint(access(path, F_OK), ==, -1);

    g_assert_true(g_file_set_contents(file_path, "precious", -1, NULL));
    p.path = file_path;
    g_assert_cmpint(socket_listen(&p, &file, &err), ==, -1);
    g_assert_nonnull(err);
    error_free(err);
    g_assert_cmpint(access(file_path, F_OK), ==, 0);
    unlink(file_path);
}

static void test_the_file_of_a_later_one_stays(void)
{
    g_autofree char *path = g_build_filename(folder, "s", NULL);
    SocketPlace p = { .path = path };
    SocketFile first, second;
    int a = must_listen(&p, &first), b = must_listen(&p, &second);

    close(a);
    socket_file_remove(&first);
    g_assert_cmpint(access(path, F_OK), ==, 0);
    close(b);
    socket_file_remove(&second);
    socket_file_remove(&second);                /* no harm */
    g_assert_cmpint(access(path, F_OK), ==, -1);
}

static void test_abstract_names_have_no_file(void)
{
    g_autofree char *name = g_strdup_printf("quern-test-%d", getpid());
    SocketPlace p = { .path = name, .abstract = true };
    SocketFile file;
    int fd = must_listen(&p, &file), client = socket_connect(&p, true, &error_abort);

    g_assert_null(file.path);
    close(client);
    p.loose = true;                             /* another name */
    g_assert_cmpint(socket_connect(&p, true, NULL), ==, -1);
    close(fd);
}

static unsigned port_of(int fd)
{
    SockAddr a = { .len = sizeof(a.storage) };

    g_assert_cmpint(getsockname(fd, &a.sa, &a.len), ==, 0);
    return ntohs(a.in.sin_port);
}

static void test_ports_are_tried_in_turn(void)
{
    SocketPlace p = { .host = "127.0.0.1", .port = "0" };
    SocketFile file;
    Error *err = NULL;
    int first = must_listen(&p, &file), next;
    g_autofree char *port = g_strdup_printf("%u", port_of(first));

    p.port = port;
    g_assert_cmpint(socket_listen(&p, &file, &err), ==, -1);
    g_assert_nonnull(strstr(error_get_pretty(err), port));
    error_free(err);
    p.to = MIN(port_of(first) + 20, UINT16_MAX);
    next = must_listen(&p, &file);
    g_assert_cmpuint(port_of(next), >, port_of(first));
    g_assert_cmpuint(port_of(next), <=, p.to);
    close(first);
    close(next);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("quern-socket-XXXXXX", NULL);
    g_test_add_func("/socket/what-cannot-be-is-refused", test_what_cannot_be_is_refused);
    g_test_add_func("/socket/a-stale-socket-is-replaced-another-file-is-not", test_a_stale_socket_is_replaced_another_file_is_not);
    g_test_add_func("/socket/the-file-of-a-later-one-stays", test_the_file_of_a_later_one_stays);
    g_test_add_func("/socket/abstract-names-have-no-file", test_abstract_names_have_no_file);
    g_test_add_func("/socket/ports-are-tried-in-turn", test_ports_are_tried_in_turn);
    status = g_test_run();
    g_rmdir(folder);
    g_free(folder);
    return status;
}
