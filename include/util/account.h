/*
 * Memory accounts: who may take how much of the process's memory.
 *
 * Whoever keeps memory that can be large has an account for as long as it may; the ledger (system/ledger) adds them
 * up, shows them and compares them with limits.  Guest RAM needs none: RAM blocks are accounts by themselves.
 *
 * Locks: BQL.
 */
#ifndef UTIL_ACCOUNT_H
#define UTIL_ACCOUNT_H

#include "util/error.h"

typedef struct MemoryAccount {
    const char *name;                       /* "translator/code" */
    uint64_t (*bound)(void *opaque);        /* the most it can take as things are */
    uint64_t (*present)(void *opaque);      /* what it holds now */
    void *opaque;
    uint64_t peak;                          /* the most that was seen */
} MemoryAccount;

/* @a is borrowed until it is removed. */
void memory_account_add(MemoryAccount *a);
void memory_account_remove(MemoryAccount *a);
/* NULL beyond the last. */
MemoryAccount *memory_account_at(unsigned i);

/* Asked before @more bytes may be in use under the account @name; false and @errp if they may not.  NULL: always. */
typedef bool MemoryAllowFn(const char *name, uint64_t more, Error **errp);
void memory_set_allow_hook(MemoryAllowFn *fn);
bool memory_allow(const char *name, uint64_t more, Error **errp) MUST_USE;

/*
 * @len bytes of zeroed pages, counted under the account @name until they are freed: for what is large by somebody's
 * choice.  @name is a literal.  NULL and @errp if the process may not or cannot have them.
 */
void *memory_account_alloc(const char *name, size_t len, Error **errp) MUST_USE;
/* The same to be shared with others, who map *@fd; that is the caller's to close. */
void *memory_account_alloc_shared(const char *name, size_t len, int *fd, Error **errp) MUST_USE;
/* NULL is nothing. */
void memory_account_free(void *p);

/* Bytes of [@start, +@len), pages of our own, that are in memory. */
uint64_t memory_resident(const void *start, size_t len);

/* --- what the process may have --- */

/* The smallest limit of this process's control group and those above it; UINT64_MAX = none. */
uint64_t memory_cgroup_limit(void);
/* What this process's control group holds now; UINT64_MAX if it does not say. */
uint64_t memory_cgroup_current(void);
/* The same of a host whose /proc and /sys are under @root (tests). */
uint64_t memory_cgroup_limit_in(const char *root);
uint64_t memory_cgroup_current_in(const char *root);
/* The least of the host's memory, the control group's limit and RLIMIT_AS. */
uint64_t memory_process_limit(void);

#endif
