/*
 * Random programs that can both be built as IR and be interpreted directly.
 */
#ifndef TEST_SCRIPT_H
#define TEST_SCRIPT_H

#include "fake-target.h"

typedef enum StepKind {
    S_INSN, S_CONST, S_PC, S_GET, S_PUT, S_DISCARD, S_ENV_LD, S_ENV_ST, S_VAR_GET, S_VAR_SET, S_BINARY, S_SHIFT, S_NOT, S_NEG,
    S_EXT, S_DEPOSIT, S_EXTRACT, S_BSWAP, S_CLZ, S_CTZ, S_POPCOUNT, S_SETCOND, S_SELECT, S_TRUNC, S_ZEXT, S_SEXT,
    S_ADDRESS, S_LD, S_ST, S_RMW, S_CAS, S_FENCE, S_VOP1I, S_VOP2, S_VOP3, S_TO_INT, S_FROM_INT, S_CALL,
    S_BRCOND, S_BR, S_LABEL, S_LOOP_TEST, S_EXIT_IF, S_LOOP_BACK, S_EXIT_DIRECT, S_EXIT_INDIRECT, S_EXIT_LOOP,
    S_N_KINDS
} StepKind;

typedef struct Step {
    uint8_t kind, type, sub, cond, mop, pos, len, n;
    uint16_t d;                     /* value defined; 0 = none */
    uint16_t in[6];
    uint64_t k;
} Step;

enum { SCRIPT_MAX = 400, SCRIPT_LABELS = 32, SCRIPT_VARS = 12 };

typedef struct Script {
    unsigned n_steps, n_values, n_labels, pc_bits;
    bool loops;                     /* runs FtEnv.rounds times */
    Step steps[SCRIPT_MAX];
    uint8_t type[SCRIPT_MAX + 1];   /* of values */
    uint16_t label_at[SCRIPT_LABELS];
    uint8_t var_type[SCRIPT_VARS];
} Script;

typedef struct ScriptResult {
    bool faulted;
    uint32_t pc_delta, params[2];   /* of the faulting instruction */
    unsigned exit;                  /* TCG_EXIT_* */
    uint64_t pc;
} ScriptResult;

void script_random(Script *s, GRand *rand, unsigned n_steps);
void script_build(const Script *s, IrBlock *b);
/* @env's mem and registers are changed as the guest's would be. */
/* Up to the start of the instruction at @stop when it is reached for the (@visits + 1)-th time.  False: it is not. */
bool script_interpret_until(const Script *s, FtEnv *env, uint64_t block_pc, uint64_t stop, unsigned visits, ScriptResult *out);
void script_interpret(const Script *s, FtEnv *env, uint64_t block_pc, ScriptResult *out);

#endif
