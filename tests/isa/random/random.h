/*
 * tests/isa/random: random sequences of instructions on the host CPU and through the translator.
 *
 * gen*.c make a program of nodes; program.c lays it out and follows the flags; machine.c is a vCPU of the
 * real accelerator in user mode; compare.c runs a case on both sides; minimize.c makes it small; main.c
 * does it again and again.  The host's side and the random operands are tests/isa/i386's.
 */
#ifndef TESTS_ISA_RANDOM_RANDOM_H
#define TESTS_ISA_RANDOM_RANDOM_H

#include "../i386/isa.h"

/* --- memory, by page from ISA_MEM_VA --- */

enum { MEM_DATA = 0, MEM_READ_ONLY = 3, MEM_NONE = 4, MEM_STACK = 5, MEM_END = 7 };
_Static_assert(ISA_MEM_SIZE == MEM_END * 4096, "meson.build has the size");
#define ISA_FORM_MAX    96
#define MEM_COUNTERS    (ISA_MEM_VA + 0x2fc0)       /* the last 64 bytes of data: few accesses get there */

/* --- programs --- */

typedef enum NodeKind {
    N_INSN, N_LABEL, N_JCC, N_JMP,
    N_LOOP,                     /* LOOP, LOOPE, LOOPNE, JRCXZ */
    N_CALL, N_RET,
    N_JUMP_TO, N_CALL_TO,       /* indirect, or RET to a pushed address; @label is where they go */
} NodeKind;

typedef struct Node {
    NodeKind kind;
    uint8_t bytes[ISA_FORM_MAX];
    uint8_t len;
    uint8_t rip_at;             /* of the displacement relative to the instruction's end; 0 = none */
    uint8_t op;                 /* condition of N_JCC, opcode of N_LOOP */
    bool is_near;               /* of jumps: 32-bit displacement even if 8 bits do */
    uint8_t mode;               /* of the program: without ISA_64 no REX, addresses absolute instead of relative to RIP */
    bool addr32;                /* in 16-bit code, a memory operand's address is of 32 bits: it has the prefix */
    bool may_change;            /* the program writes to it */
    bool many;                  /* several instructions: a fault in them may find any flags */
    int32_t label;              /* of N_LABEL itself, or the target; -1 = none */
    int32_t label_add;
    uint32_t rip_target;        /* without a label */
    uint16_t reads, defines, undefines;     /* EFLAGS */
    /* layout and flow */
    uint32_t at, size;
    uint16_t undefined;         /* before it */
} Node;

typedef struct Program {
    GArray *nodes;              /* of Node */
    int32_t n_labels;
    uint32_t start;             /* offset of the first node in the hole */
    IsaMode mode;               /* but for ISA_64, in compatibility-mode segments */
} Program;

#define PROGRAM_NODE(p, i) (&g_array_index((p)->nodes, Node, i))

Program *program_new(void);
Program *program_copy(const Program *p);
void program_free(Program *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Program, program_free)
/* Place the nodes and write them to @code (ISA_HOLE_SIZE bytes, the rest INT3).  False: too long. */
bool program_layout(Program *p, uint8_t *code) MUST_USE;
/* Which flags are undefined where.  False: some node reads an undefined one (@where: its index). */
bool program_follow_flags(Program *p, unsigned *where);
/* Did the program write over nodes that it was not to change?  Then nothing is known of its flags. */
bool program_written_over(const Program *p, const uint8_t *before, const uint8_t *after);
/* The flags that are defined with a fault at @rip of exception @vector. */
uint64_t program_defined_flags(const Program *p, uint64_t rip, int vector);

/* --- generation --- */

typedef struct Gen {
    Program *p;
    GArray *forms;              /* of Form */
    uint32_t reserved;          /* registers that no result may go to */
    unsigned weight[9];         /* of the families, see gen.c */
    unsigned depth;
    int budget;                 /* nodes still to make */
    int32_t fn_label[3];
    unsigned n_fn, fn;          /* functions; in which we are (n_fn: none) */
    bool fallbacks;             /* vector operations in C: no approximations */
    bool faults;                /* provoke some */
    IsaMode mode;
} Gen;

/* In gen-*.c: append one instruction each. */
void gen_integer(Gen *g);
void gen_simd(Gen *g);
void gen_avx(Gen *g);
void gen_x87(Gen *g);
void gen_string(Gen *g);
void gen_row_of_accesses(Gen *g);                       /* several instructions */
/* @forms: by IsaMode. */
Program *gen_program(GArray *const forms[3], bool fallbacks);

/* gen.c, for the others */
int32_t gen_new_label(Gen *g);
void gen_place(Gen *g, int32_t label);
Node *gen_branch(Gen *g, NodeKind kind, uint8_t op, int32_t label);
/* The end of a loop's round: loop_counter() counts. */
void gen_count_down(Gen *g, int32_t head);
void gen_body(Gen *g, unsigned n);

/* encode.c */
unsigned rnd(unsigned n);                               /* 0..n-1 */
static inline bool one_in(unsigned n) { return rnd(n) == 0; }
Node *gen_node(Gen *g, NodeKind kind);                  /* appended; valid until the next */
unsigned gen_any(Gen *g);                               /* a register to read */
unsigned gen_dest(Gen *g);                              /* a register to write */
void put_bytes(Node *n, const void *bytes, unsigned len);
#define PUT(n, ...) put_bytes(n, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
void put_imm(Node *n, uint64_t v, unsigned len);

/* What stands in the r/m field: a register, or memory chosen by gen_mem(). */
typedef struct Operand {
    bool is_mem;
    uint8_t reg;                /* register, or base; 0xff none (absolute or RIP-relative) */
    uint8_t index, scale;       /* index 0xff: none */
    bool rip;
    int32_t disp;
    uint32_t target;            /* with @rip */
} Operand;
Operand op_reg(unsigned reg);
/* @align: of the address; 1 = any. */
Operand gen_mem(Gen *g, unsigned align);
/*
 * [prefixes] [REX] opcode ModRM; @rex_w: 0, 1; @byte: 8-bit operands (REX where SPL.. are named).
 * @map: 0 one-byte opcodes, 1 0F, 2 0F 38, 3 0F 3A.  @pp: 0, 0x66, 0xf3, 0xf2.
 */
void put_op(Node *n, uint8_t pp, unsigned rex_w, unsigned map, uint8_t opcode, unsigned reg, const Operand *rm, bool byte);
void put_vex(Node *n, uint8_t pp, unsigned w, unsigned l, unsigned map, uint8_t opcode, unsigned reg, unsigned vvvv,
             const Operand *rm);
/* dst = imm, by MOV. */
void gen_mov_imm(Gen *g, unsigned reg, uint32_t imm);
/* lea reg, [label] */
void gen_lea_label(Gen *g, unsigned reg, int32_t label);
/* REX, or nothing in other code, where there are no registers that need it. */
void put_rex(Node *n, unsigned rex);
/* The prefix for operands of @size (1, 2, 4, 8), where the mode needs one. */
void put_osize(Node *n, unsigned size);
/* What a segment begins with: 0, but in 16-bit code. */
uint32_t mode_data_base(IsaMode mode);
uint32_t mode_code_base(IsaMode mode);
/* What counts loops: R15, or memory where that does not exist. */
Operand loop_counter(const Gen *g);
void gen_set_counter(Gen *g, uint32_t v);

/* --- running (machine.c, compare.c) --- */

/* @tb_size in MiB. */
void machine_up(unsigned tb_size);
/* In @in->flags etc.; @code: the whole hole, @mem: all pages (also out). */
void machine_run(const IsaState *in, IsaMode mode, const uint8_t *code, uint8_t *mem, IsaState *out, uint8_t *code_out);
/*
 * Does the program, run an instruction at a time, ever go where no node begins, or return elsewhere than behind a call?
 * Then the flags that program.c takes for defined may be none.
 */
bool machine_strays(const Program *p, const IsaState *in, const uint8_t *code, const uint8_t *mem);
/* Now and then: empty TLBs, other ways to translate. */
void machine_vary(void);

typedef struct Case {
    IsaState in;
    uint8_t mem[ISA_MEM_SIZE];
    unsigned guest_runs;
} Case;

typedef struct Outcome {
    IsaState st;
    uint8_t mem[ISA_MEM_SIZE];
    uint8_t code[ISA_HOLE_SIZE];
} Outcome;

extern unsigned n_unending;             /* cases whose run on the host had no end */
void compare_init(void);
void case_random(Case *c, IsaMode mode);
/* The program's hole was laid out.  Returns whether both agree; @show: print the differences. */
bool case_agrees(const Program *p, const uint8_t *code, const Case *c, Outcome *host, Outcome *guest, bool show);
/* Print what differs. */
void case_show(const Program *p, const Outcome *host, const Outcome *guest);
/* Remove what is not needed to disagree; prints the result. */
void minimize(Program *p, Case *c);
void program_print(const Program *p);

#endif
