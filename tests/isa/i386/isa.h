/*
 * tests/isa/i386: instruction forms on the host CPU and through the translator.
 *
 * harness.c makes cases and compares; native.c runs a form's bytes on the host CPU; guest.c runs
 * the same bytes, at the same address and on the same memory, through decoder, IR and emitter.
 */
#ifndef TESTS_ISA_I386_ISA_H
#define TESTS_ISA_I386_ISA_H

#include "util/base.h"

/* The image of FXSAVE64, SDM Vol.1 table 10-2. */
typedef struct IsaFx {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    struct { uint8_t b[16]; } st[8];
    struct { uint64_t q[2]; } xmm[16];
    uint8_t rest[96];
} __attribute__((aligned(64))) IsaFx;
_Static_assert(sizeof(IsaFx) == 512, "FXSAVE image");

typedef struct IsaState {
    IsaFx fx;
    struct { uint64_t q[2]; } ymmh[16];     /* upper halves; zero without AVX on the host */
    uint64_t r[16];
    uint64_t flags;
    /* results */
    int32_t vector;             /* exception, -1 none */
    uint32_t fault_offset;      /* in the code, with an exception */
    uint64_t rip, cr2;          /* with an exception; CR2 with a page fault */
    uint32_t error_code;
} IsaState;

/*
 * Low in the address space, so that 32-bit addresses reach it too.  The code: the bytes under test at
 * ISA_HOLE, then the way back.  A test of longer code (tests/isa/random) has its own sizes, and no way back: it
 * ends with an exception.
 */
#define ISA_CODE_VA     0x40000000u
#ifndef ISA_HOLE_SIZE
#define ISA_CODE_SIZE   4096
#define ISA_HOLE        1024
#define ISA_HOLE_SIZE   96              /* the form, padded with NOP */
#define ISA_MEM_SIZE    4096
#define ISA_MAY_STRAY   0               /* the bytes under test may jump anywhere: into the stub, too */
#endif
#define ISA_MEM_VA      0x40010000u
#define ISA_AREA_VA     0x5c3a7000u     /* the stub and its data: no round number, that code under test may come upon */

/* IsaState.vector of a run that did not end, or ended in the stub or in a system call. */
#define ISA_HANG        1000

/*
 * How the code runs.  32: a flat compatibility-mode segment.  16: 16-bit code and stack segments of
 * the LDT; CS starts at the code page, DS, ES and SS at the test memory, so that addresses in
 * registers are offsets.
 */
typedef enum IsaMode { ISA_64, ISA_32, ISA_16 } IsaMode;
enum { ISA_SEL_CODE32 = 0x23, ISA_SEL_DATA = 0x2b, ISA_SEL_CODE64 = 0x33, ISA_SEL_CODE16 = 0x07, ISA_SEL_DATA16 = 0x0f };

typedef struct Form {
    const char *text;
    const uint8_t *code, *end;
    uint64_t flags;
    uint64_t number;
} Form;
/* As in forms.inc. */
enum {
    FLAG_A = 0x10, FLAG_O = 0x800, FLAG_MASK = 0xcd5,
    U_SHIFT_CL = 0x10000, U_ROTATE_CL = 0x20000, U_64 = 0x40000,
    FORM_MMX = 0x200000, FORM_XMM = 0x400000, FORM_ALIGN16 = 0x800000,
    FORM_32 = 0x1000000, FORM_16 = 0x2000000,
    FORM_ANY_FLAGS = 0x4000000,         /* EFLAGS are not compared (C rows only) */
    FORM_INTEL = 0x8000000,             /* AMD processors differ */
    FORM_AMD = 0x10000000,              /* Intel processors differ */
    FORM_ONCE = 0x20000000,             /* one case is enough (C rows only) */
};

/* forms-map.c: append rows to an array of Form. */
void isa_add_map_forms(GArray *forms);

void native_init(void);
/* False: the host's kernel has no such segments. */
bool native_has_mode(IsaMode mode);
/* The host implements AMD64 where it differs from Intel 64. */
bool native_is_amd(void);
bool native_has_avx(void);
/* Put @code into the hole (both runs use it). */
void native_set_code(const uint8_t *code, unsigned n, IsaMode mode);
void native_run(const IsaState *in, IsaState *out);
/* SIGVTALRM, which the caller arms, ends a run that it finds twice; outside of runs it calls @outside. */
void native_watch(void (*outside)(void));

/* values.c: random operands. */
void isa_seed(uint64_t seed);           /* not 0 */
uint64_t isa_rng(void);
uint64_t isa_interesting(void);         /* integers that carry, overflow and vanish often */
uint64_t isa_interesting_vector(void);  /* floating-point values of both widths, and integers */
void isa_random_fx(IsaFx *fx, uint64_t form_flags);
void isa_random_ymmh(IsaState *st);

void guest_init(void);
void guest_new_code(IsaMode mode);
void guest_translate(const uint8_t *bytes, unsigned n, uint64_t mode_flags);
void guest_run(const IsaState *in, IsaState *out);
/* Fill the soft TLB (fast path), or leave it empty (slow path for each access). */
void guest_set_fast(bool fast);

#endif
