/*
 * Guest memory into files (dump-guest-memory).
 */
#ifndef SYSTEM_DUMP_H
#define SYSTEM_DUMP_H

#include "util/error.h"

/* A dump is being written: the machine must not run.  BQL. */
bool dump_in_progress(void);

#endif
