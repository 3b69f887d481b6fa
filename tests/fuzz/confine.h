/*
 * What a fuzz target may do to the host: nothing outside its own temporary folder.
 *
 * The C library's calls that name files, sockets or processes, or take much memory at once, are wrapped at
 * link time (the list is in meson.build).  While confined, paths are taken only below the folder (which is the
 * working directory), plus a few harmless devices; nothing is connected to, accepted or bound on a network.
 */
#ifndef TESTS_FUZZ_CONFINE_H
#define TESTS_FUZZ_CONFINE_H

#include "util/base.h"

/* Make the folder and go there.  Once, before the first input. */
void confine_init(void);
/* The emulator's code runs only between these; libFuzzer itself is not confined. */
void confine_enter(void);
void confine_leave(void);       /* also empties the folder */
const char *confine_folder(void);

#endif
