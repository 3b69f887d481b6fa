/*
 * -d ITEMS logging, -D file, -dfilter ranges.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include "util/base.h"

enum {
    LOG_IN_ASM      = 1 << 0,   /* guest instructions of each translated block */
    LOG_OP          = 1 << 1,   /* IR as built by the front end */
    LOG_OP_OPT      = 1 << 2,   /* IR after optimization */
    LOG_OP_RA       = 1 << 3,   /* IR with host registers */
    LOG_OUT_ASM     = 1 << 4,   /* host code */
    LOG_INT         = 1 << 5,   /* interrupts and exceptions */
    LOG_EXEC        = 1 << 6,   /* each block entered through the run loop */
    LOG_CPU         = 1 << 7,   /* CPU state before each such block */
    LOG_MMU         = 1 << 8,
    LOG_PCALL       = 1 << 9,   /* x86: far jumps, calls, returns, IRET */
    LOG_CPU_RESET   = 1 << 10,
    LOG_UNIMP       = 1 << 11,
    LOG_GUEST_ERROR = 1 << 12,
    LOG_PAGE        = 1 << 13,
    LOG_NOCHAIN     = 1 << 14,  /* never link blocks, so that exec shows each one */
    LOG_TRACE       = 1 << 15,
};

extern unsigned log_mask;       /* read anywhere; written at start-up and by the `log` command */

static inline bool log_enabled(unsigned mask)
{
    return unlikely(log_mask & mask);
}

/* True if @pc is inside -dfilter's ranges (or there is no filter). */
bool log_pc_in_filter(vaddr pc);

void log_write(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Whole multi-line records: the stream is locked between the two calls.  Never NULL after lock. */
FILE *log_lock(void);
void log_unlock(FILE *f);

#define log_mask_write(mask, ...) \
    do { if (log_enabled(mask)) { log_write(__VA_ARGS__); } } while (0)

/* "in_asm,op" -> bits; 0 and errp on an unknown item.  "help" is the caller's to handle. */
typedef struct Error Error;
bool log_parse_items(const char *items, unsigned *mask, Error **errp) MUST_USE;
bool log_set_file(const char *path, Error **errp) MUST_USE;
bool log_set_filter(const char *ranges, Error **errp) MUST_USE;
void log_print_items(FILE *f);

/*
 * The guest did what its hardware's specification forbids.  Shown under -d guest_errors;
 * the caller then does what the specification says (ignore, set an error bit, raise a fault).
 */
void guest_error(const char *who, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The guest used something Quern does not model.  Shown under -d unimp. */
void guest_unimp(const char *who, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
