/*
 * Random bytes that a guest sees: the host's, or with -seed the same in every run.
 */
#ifndef UTIL_GUEST_RANDOM_H
#define UTIL_GUEST_RANDOM_H

#include "util/base.h"

/* Who draws: a CPU by its index, or this. */
#define GUEST_RANDOM_DEVICES UINT32_MAX

/* Before the first draw. */
void guest_random_seed(uint64_t seed);
/*
 * @len bytes.  With a seed each @stream has a sequence of its own, so that what one CPU sees does not depend on what
 * the others do.  Any thread.
 */
void guest_random_fill(uint32_t stream, void *buf, size_t len);

#endif
