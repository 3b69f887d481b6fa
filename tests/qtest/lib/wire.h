/* The other end of a network device's cable: a socket on which frames come with their length before them. */
#ifndef TESTS_QTEST_LIB_WIRE_H
#define TESTS_QTEST_LIB_WIRE_H

#include "qtest.h"

#define BROADCAST "\xff\xff\xff\xff\xff\xff"
#define OUR_MAC   "\x52\x54\x00\x12\x34\x56"
#define OTHER_MAC "\x52\x54\x00\x12\x34\x99"
#define MULTICAST "\x01\x00\x5e\x00\x00\x05"

typedef struct QWire {
    char *folder, *path;
    int fd;
} QWire;

/* Start a machine with back end n0 and @devices (which name it), and connect to it. */
QTest *qwire_start(QWire *w, const char *devices);
/* Ends the machine, too. */
void qwire_stop(QWire *w, QTest *q);

void qwire_send(QWire *w, const uint8_t *frame, uint32_t len);
/* The next frame, waiting for it; its length. */
uint32_t qwire_receive(QWire *w, uint8_t *frame, size_t size);
/* A frame to @to that is told from others by @mark. */
void qwire_make_frame(uint8_t *frame, size_t len, const char *to, uint8_t mark);

#endif
