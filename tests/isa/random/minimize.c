/*
 * A failing program made small: runs of nodes are taken out, longest first, as long as it still fails.
 */
#include "random.h"

static bool still_fails(Program *p, const Case *c)
{
    static Outcome host, guest;
    uint8_t code[ISA_HOLE_SIZE];
    unsigned where;

    return program_follow_flags(p, &where) && program_layout(p, code) && !case_agrees(p, code, c, &host, &guest, false);
}

/* Labels stay, for the jumps to them. */
static Program *without(const Program *p, unsigned first, unsigned n)
{
    Program *q = program_copy(p);
    unsigned at = first;

    for (unsigned i = 0; i < n && at < q->nodes->len; i++) {
        if (PROGRAM_NODE(q, at)->kind == N_LABEL) {
            at++;
        } else {
            g_array_remove_index(q->nodes, at);
        }
    }
    return q->nodes->len < p->nodes->len ? q : (program_free(q), NULL);
}

static bool try_without(Program *p, Case *c, unsigned n)
{
    bool any = false;

    for (unsigned first = 0; first < p->nodes->len; ) {
        Program *q = without(p, first, n);

        if (q && still_fails(q, c)) {
            SWAP(*p, *q);
            any = true;
        } else {
            first += n;
        }
        if (q) {
            program_free(q);
        }
    }
    return any;
}

/* A plain state, where that fails too. */
static void simplify_state(Program *p, Case *c)
{
    for (unsigned n = 0; n < 16; n++) {
        Case small = *c;

        small.in.r[n] = n == 3 || n == 4 || n == 5 || n == 6 || n == 7 ? small.in.r[n] & ~4095ull : 0;
        *c = still_fails(p, &small) ? small : *c;
    }
    {
        Case small = *c;

        memset(small.mem, 0, 4096 * MEM_READ_ONLY);
        *c = still_fails(p, &small) ? small : *c;
        small = *c;
        memset(small.in.fx.xmm, 0, sizeof(small.in.fx.xmm));
        memset(small.in.ymmh, 0, sizeof(small.in.ymmh));
        *c = still_fails(p, &small) ? small : *c;
        small = *c;
        small.in.fx.mxcsr = 0x1f80;
        small.in.fx.fcw = 0x37f;
        small.in.fx.fsw = 0;
        small.in.fx.ftw = 0;
        *c = still_fails(p, &small) ? small : *c;
    }
}

void minimize(Program *p, Case *c)
{
    bool any;

    for (unsigned runs = 1; runs < c->guest_runs; runs++) {
        Case fewer = *c;

        fewer.guest_runs = runs;
        if (still_fails(p, &fewer)) {
            *c = fewer;
            break;
        }
    }
    do {
        any = false;
        for (unsigned n = MAX(1, p->nodes->len / 2); n; n /= 2) {
            any |= try_without(p, c, n);
        }
    } while (any);
    simplify_state(p, c);
}

void program_print(const Program *p)
{
    static const char *const kinds[] = { "", "", "jcc", "jmp", "loop", "call", "ret", "jump to", "call to" };

    for (unsigned i = 0; i < p->nodes->len; i++) {
        const Node *n = PROGRAM_NODE(p, i);

        if (n->kind == N_LABEL) {
            continue;
        }
        printf("  %08x:", ISA_CODE_VA + ISA_HOLE + n->at);
        for (unsigned k = 0; k < n->len; k++) {
            printf(" %02x", n->bytes[k]);
        }
        if (n->kind != N_INSN) {
            printf(" %s %s%x", kinds[n->kind], n->kind == N_JCC || n->kind == N_LOOP ? "op " : "", n->op);
        }
        for (unsigned k = 0; k < p->nodes->len && n->label >= 0; k++) {
            const Node *l = PROGRAM_NODE(p, k);
            if (l->kind == N_LABEL && l->label == n->label) {
                printf(" -> %08x", ISA_CODE_VA + ISA_HOLE + l->at + (uint32_t)n->label_add);
            }
        }
        printf("\n");
    }
}
