/*
 * The -serial list: which back end the board's n-th serial port gets.
 */
#ifndef SYSTEM_SERIAL_H
#define SYSTEM_SERIAL_H

#include "system/chardev.h"

#define MAX_SERIAL_PORTS 4

/* Back end of port @i; NULL = the board makes no such port. */
Chardev *serial_hd(unsigned i);

#endif
