/*
 * Disassembly of host code.
 */
#ifndef TCG_DISAS_H
#define TCG_DISAS_H

#include "util/base.h"

/* @n bytes at @code + @offset; addresses are offsets.  What cannot be disassembled is shown as bytes. */
void disas_host(const uint8_t *code, size_t offset, size_t n, FILE *f);
void disas_data(const uint8_t *code, size_t offset, size_t n, FILE *f);

#endif
