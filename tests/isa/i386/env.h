/*
 * Between the test's picture of the registers and the emulated CPU's (env.c).
 */
#ifndef TESTS_ISA_I386_ENV_H
#define TESTS_ISA_I386_ENV_H

#include "isa.h"
#include "target/i386/cpu.h"

/* User mode with SSE, and AVX where the host has it; segments and hflags are the caller's. */
void isa_set_env(CPUX86State *env, const IsaState *in);
void isa_get_env(CPUX86State *env, IsaState *out);

#endif
