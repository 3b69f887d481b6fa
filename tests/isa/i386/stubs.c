/*
 * Helpers of system instructions, none of which user mode reaches: they end the test.  Those that
 * user mode does reach are defined in guest.c; these here are weak.
 */
#include "target/i386/tcg/helper.h"

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
