/*
 * Starts the emulator with -accel qtest and speaks the qtest protocol and QMP to it.
 *
 * Everything that goes wrong here ends the test program with a message.  The binary is named by the
 * environment variable QTEST_EMULATOR.
 */
#ifndef TESTS_QTEST_LIB_QTEST_H
#define TESTS_QTEST_LIB_QTEST_H

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define KiB 1024ull
#define MiB (1024 * KiB)
#define QTEST_IRQS 64

typedef struct QTest QTest;

/* @args: further arguments, split as a shell does. */
QTest *qtest_start(const char *args, ...) G_GNUC_PRINTF(1, 2);
int qtest_pid(const QTest *q);
/* SIGTERM; the status must be 0. */
void qtest_stop(QTest *q);

/* One command; its reply without the line feed, owned. */
char *qtest_ask(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The same, which must be answered by OK; what follows it. */
char *qtest_ok(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

uint32_t qtest_in(QTest *q, uint16_t port, unsigned size);
void qtest_out(QTest *q, uint16_t port, unsigned size, uint32_t v);
static inline uint8_t qtest_inb(QTest *q, uint16_t port) { return (uint8_t)qtest_in(q, port, 1); }
static inline void qtest_outb(QTest *q, uint16_t port, uint8_t v) { qtest_out(q, port, 1, v); }

uint64_t qtest_read(QTest *q, uint64_t addr, unsigned size);
void qtest_write(QTest *q, uint64_t addr, unsigned size, uint64_t v);
void qtest_memread(QTest *q, uint64_t addr, void *buf, size_t len);
void qtest_memwrite(QTest *q, uint64_t addr, const void *buf, size_t len);
void qtest_memset(QTest *q, uint64_t addr, uint8_t c, size_t len);

/* Guest time goes on by @ns, or to the next timer; the new time. */
int64_t qtest_clock_step(QTest *q, int64_t ns);
int64_t qtest_clock_step_next(QTest *q);

void qtest_intercept(QTest *q, const char *direction, const char *path);
bool qtest_irq_level(QTest *q, unsigned n);
unsigned qtest_irq_raised(QTest *q, unsigned n);    /* how often since the start */
void qtest_set_irq_in(QTest *q, const char *path, unsigned n, int level);

/* One QMP command as JSON, with single quotes for double ones; the reply, owned.  Events on the way are kept. */
char *qtest_qmp(QTest *q, const char *json);
/* The first event of that name, seen or to come; owned. */
char *qtest_qmp_event(QTest *q, const char *name);

/* Guest RAM for the test: zeroed, never given back. */
uint64_t qtest_alloc(QTest *q, size_t size, size_t align);

#endif
