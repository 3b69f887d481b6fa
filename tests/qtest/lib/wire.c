#include "wire.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int dial(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct timeval timeout = { 20, 0 };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    return fd;
}

QTest *qwire_start(QWire *w, const char *devices)
{
    QTest *q;

    w->folder = g_dir_make_tmp("quern-net-XXXXXX", NULL);
    w->path = g_build_filename(w->folder, "wire", NULL);
    q = qtest_start("-machine q35 -netdev stream,id=n0,server=on,addr.type=unix,addr.path=%s %s", w->path, devices);
    w->fd = dial(w->path);
    g_free(qtest_qmp_event(q, "NETDEV_STREAM_CONNECTED"));
    return q;
}

void qwire_stop(QWire *w, QTest *q)
{
    qtest_stop(q);
    close(w->fd);
    g_rmdir(w->folder);
    g_free(w->folder);
    g_free(w->path);
}

void qwire_send(QWire *w, const uint8_t *frame, uint32_t len)
{
    uint32_t be = GUINT32_TO_BE(len);

    g_assert_cmpint(send(w->fd, &be, 4, 0), ==, 4);
    g_assert_cmpint(send(w->fd, frame, len, 0), ==, len);
}

uint32_t qwire_receive(QWire *w, uint8_t *frame, size_t size)
{
    uint32_t be, len;

    g_assert_cmpint(recv(w->fd, &be, 4, MSG_WAITALL), ==, 4);
    len = GUINT32_FROM_BE(be);
    g_assert_cmpuint(len, <=, size);
    g_assert_cmpint(recv(w->fd, frame, len, MSG_WAITALL), ==, len);
    return len;
}

void qwire_make_frame(uint8_t *frame, size_t len, const char *to, uint8_t mark)
{
    for (size_t i = 0; i < len; i++) {
        frame[i] = (uint8_t)(i * 7);
    }
    memcpy(frame, to, 6);
    memcpy(frame + 6, "\x52\x54\x00\x00\x00\x01\x88\xb5", 8);
    frame[14] = mark;
}
