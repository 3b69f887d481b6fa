/*
 * A front end's output on its way: text that the host end has not taken yet.
 *
 * The front end appends to .text and flushes; what the host end does not take waits for its .writable.  While .high
 * bytes or more wait the front end is to take no input (char_out_is_full()); it is asked for again once they are gone.
 * BQL.
 */
#ifndef SYSTEM_CHAR_OUT_H
#define SYSTEM_CHAR_OUT_H

#include "system/chardev.h"

typedef struct CharOut {
    CharBackend *be;            /* borrowed */
    size_t high;
    GString *text;              /* to append to; from .done on it waits */
    size_t done;
    bool stalled;               /* until .writable */
} CharOut;

void char_out_init(CharOut *o, CharBackend *be, size_t high);
void char_out_fini(CharOut *o);
void char_out_flush(CharOut *o);
bool char_out_is_full(const CharOut *o);
/* The front end's .writable. */
void char_out_writable(CharOut *o);
/* The reader has gone: what waits is not for the next one. */
void char_out_clear(CharOut *o);

#endif
