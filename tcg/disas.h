/*
 * Disassembly of host code.
 */
#ifndef TCG_DISAS_H
#define TCG_DISAS_H

#include "util/base.h"

/* @n bytes at @code + @offset; addresses are offsets.  What cannot be disassembled is shown as bytes. */
void disas_host(const uint8_t *code, size_t offset, size_t n, FILE *f);
void disas_data(const uint8_t *code, size_t offset, size_t n, FILE *f);

/* One instruction of @n bytes; @address as given and counted on.  False: enough. */
typedef bool DisasLine(FILE *f, uint64_t address, const uint8_t *bytes, size_t n, const char *mnemonic, const char *operands);

typedef enum DisasSyntax { DISAS_INTEL, DISAS_ATT } DisasSyntax;

/* Is there a disassembler? */
bool disas_available(void);
/*
 * Each whole x86 instruction of @p[0..@n) to @line; @bits is 16, 32 or 64.  Returns the bytes that were
 * instructions, 0 without a disassembler.
 */
size_t disas_x86(const uint8_t *p, size_t n, unsigned bits, uint64_t address, DisasSyntax syntax, DisasLine *line, FILE *f);

#endif
