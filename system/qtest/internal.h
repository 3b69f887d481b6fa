/*
 * Between the qtest server's files.
 */
#ifndef SYSTEM_QTEST_INTERNAL_H
#define SYSTEM_QTEST_INTERNAL_H

#include "hw/core/qdev.h"
#include "system/char-out.h"

/*
 * Bounds: a command's data, and so its line and its reply; what may wait for the reader before
 * commands are no longer taken.
 */
#define QTEST_DATA_MAX  (64 * MiB)
#define QTEST_LINE_MAX  (2 * QTEST_DATA_MAX + 256)
#define QTEST_OUT_HIGH  (1 * MiB)
#define QTEST_WORDS_MAX 6
#define QTEST_IRQ_MAX   256

typedef struct Qtest {
    Object obj;
    char *chardev, *log_path;       /* properties */
    CharBackend be;
    GString *in;                    /* the line that is not yet complete */
    CharOut out;
    bool too_long;                  /* the present line is being skipped */
    bool batching;                  /* several commands in hand: send when all are done */
    FILE *log;                      /* NULL = none */
    int64_t opened_ns;

    Device *intercepted;            /* counted; NULL = no interception */
    GPtrArray *output_taps;         /* irq.c's places in output lines */
    int irq_level[QTEST_IRQ_MAX];
} Qtest;

OBJECT_DECLARE(Qtest, QTEST, qtest)

/* One line to the client, without its line feed; printed to the log.  Output is bounded by QTEST_OUT_HIGH and one reply. */
void qtest_reply(Qtest *s, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* @prefix and @len bytes of @data in hexadecimal, or in base64. */
void qtest_reply_hex(Qtest *s, const char *prefix, const uint8_t *data, size_t len);

/* Carry out one command; @words is NULL-ended and not empty. */
void qtest_command(Qtest *s, char **words, unsigned n_words);
bool qtest_parse_u64(const char *text, uint64_t *v);

void qtest_irq_intercept(Qtest *s, char **words, unsigned n_words);
void qtest_set_irq_in(Qtest *s, char **words, unsigned n_words);
void qtest_irq_forget_levels(Qtest *s);
void qtest_irq_stop(Qtest *s);

#endif
