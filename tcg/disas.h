/*
 * Disassembly of host code.
 */
#ifndef TCG_DISAS_H
#define TCG_DISAS_H

#include "util/base.h"

/* Offsets are from @code; what cannot be disassembled is shown as bytes. */
void disas_host(const uint8_t *code, size_t n, FILE *f);

#endif
