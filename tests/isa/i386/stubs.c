/*
 * Helpers of system instructions, none of which user mode reaches: they end the test.  Those that
 * user mode does reach are defined in guest.c; these here are weak.
 */
#include "target/i386/tcg/helper.h"
#include "util/main-loop.h"

#ifdef __clang__    /* the table names types only; gcc takes unnamed parameters as C2x does */
#pragma clang diagnostic ignored "-Wc2x-extensions"
#endif

#define HELPER(name, ret, flags, ...)                                                              \
    __attribute__((weak)) HLP_R_##ret helper_##name(CPUX86State *env HLP_ARGS(__VA_ARGS__))        \
    {                                                                                              \
        g_error("helper " #name " called from user mode");                                         \
    }
#undef HLP_C_I32
#undef HLP_C_I64
#define HLP_C_I32 G_GNUC_UNUSED uint32_t
#define HLP_C_I64 G_GNUC_UNUSED uint64_t
#include "target/i386/tcg/helpers-system.def"

/* What the table of operations names. */
#define UNUSED_IN_USER_MODE(ret, name, ...)                                                        \
    __attribute__((weak)) ret name(__VA_ARGS__)                                                    \
    {                                                                                              \
        g_error(#name " called from user mode");                                                   \
    }
UNUSED_IN_USER_MODE(bool, x86_tlb_fill, Vcpu *cpu, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx,
                    bool probe, uintptr_t ra)
UNUSED_IN_USER_MODE(void, x86_do_exception, Vcpu *cpu)
UNUSED_IN_USER_MODE(bool, x86_exec_interrupt, Vcpu *cpu, uint32_t request)
UNUSED_IN_USER_MODE(void, x86_unaligned, Vcpu *cpu, vaddr va, MmuAccess access, unsigned mmu_idx, uintptr_t ra)
UNUSED_IN_USER_MODE(void, x86_debug_hit, Vcpu *cpu, vaddr va, unsigned len, MmuAccess access, uintptr_t ra)
