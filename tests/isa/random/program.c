/*
 * Programs: their layout in memory, and which flags are undefined where.
 *
 * A flag that an instruction leaves undefined may differ between processors: nothing may read it, and it is
 * not compared.  Which they are follows from the nodes alone, over every path that exists, so that it stays
 * true when the minimizer takes nodes out.
 */
#include "random.h"

Program *program_new(void)
{
    Program *p = g_new0(Program, 1);

    p->nodes = g_array_new(false, false, sizeof(Node));
    return p;
}

Program *program_copy(const Program *p)
{
    Program *q = program_new();

    g_array_append_vals(q->nodes, p->nodes->data, p->nodes->len);
    q->n_labels = p->n_labels;
    q->start = p->start;
    q->mode = p->mode;
    return q;
}

void program_free(Program *p)
{
    g_array_free(p->nodes, true);
    g_free(p);
}

/* --- layout --- */

static bool is_jump(const Node *n)
{
    return n->kind == N_JCC || n->kind == N_JMP || n->kind == N_CALL || n->kind == N_LOOP;
}

/* Of a near displacement, with the opcode byte before it. */
static uint32_t near_size(const Node *n)
{
    return n->mode == ISA_16 ? 3 : 5;
}

static uint32_t jump_size(const Node *n)
{
    switch (n->kind) {
    case N_JCC:
        return n->is_near ? 1 + near_size(n) : 2;
    case N_JMP:
        return n->is_near ? near_size(n) : 2;
    case N_CALL:
        return near_size(n);
    default:
        return n->is_near ? 2 + 2 + near_size(n) : 2;      /* LOOP near; JMP over; JMP target */
    }
}

static uint32_t *label_places(const Program *p, uint32_t *end)
{
    uint32_t *places = g_new0(uint32_t, p->n_labels + 1);
    uint32_t at = p->start;

    for (unsigned i = 0; i < p->nodes->len; i++) {
        Node *n = PROGRAM_NODE(p, i);

        n->at = at;
        n->size = n->kind == N_LABEL ? 0 : is_jump(n) ? jump_size(n) : n->len;
        if (n->kind == N_LABEL) {
            places[n->label] = at;
        }
        at += n->size;
    }
    *end = at;
    return places;
}

/* True: some short jump had to be made near. */
static bool lengthen(Program *p, const uint32_t *places)
{
    bool any = false;

    for (unsigned i = 0; i < p->nodes->len; i++) {
        Node *n = PROGRAM_NODE(p, i);

        if (is_jump(n) && !n->is_near && n->kind != N_CALL) {
            int32_t rel = (int32_t)(places[n->label] - (n->at + n->size));

            if (rel != (int8_t)rel) {
                n->is_near = any = true;
            }
        }
    }
    return any;
}

static void write_jump(const Node *n, uint32_t target, uint8_t *code)
{
    uint8_t *c = code + n->at;
    int32_t rel = (int32_t)(target - (n->at + n->size));

    if (n->kind == N_LOOP) {
        *c++ = n->op;
        *c++ = n->is_near ? 2 : (uint8_t)rel;
        if (!n->is_near) {
            return;
        }
        *c++ = 0xeb;                            /* jmp over */
        *c++ = (uint8_t)near_size(n);
        *c++ = 0xe9;
    } else if (n->kind == N_CALL) {
        *c++ = 0xe8;
    } else if (!n->is_near) {
        *c++ = n->kind == N_JCC ? 0x70 | n->op : 0xeb;
        *c = (uint8_t)rel;
        return;
    } else if (n->kind == N_JCC) {
        *c++ = 0x0f;
        *c++ = 0x80 | n->op;
    } else {
        *c++ = 0xe9;
    }
    memcpy(c, &rel, n->mode == ISA_16 ? 2 : 4);
}

bool program_layout(Program *p, uint8_t *code)
{
    g_autofree uint32_t *places = NULL;
    uint32_t end;

    do {
        g_free(places);
        places = label_places(p, &end);
    } while (lengthen(p, places));
    if (end > ISA_HOLE_SIZE) {
        return false;
    }
    memset(code, 0xcc, ISA_HOLE_SIZE);
    if (p->start) {
        unsigned n = p->mode == ISA_16 ? 2 : 4;
        int32_t rel = (int32_t)p->start - 1 - (int32_t)n;

        code[0] = 0xe9;
        memcpy(code + 1, &rel, n);
    }
    for (unsigned i = 0; i < p->nodes->len; i++) {
        Node *n = PROGRAM_NODE(p, i);

        if (is_jump(n)) {
            write_jump(n, places[n->label], code);
            continue;
        }
        if (n->rip_at) {
            uint32_t base = ISA_CODE_VA + ISA_HOLE - mode_code_base(p->mode);
            uint32_t target = n->label >= 0 ? base + places[n->label] + (uint32_t)n->label_add : n->rip_target;
            uint32_t rel = n->mode != ISA_64 ? target : target - (base + n->at + n->size);

            memcpy(n->bytes + n->rip_at, &rel, 4);
        }
        if (n->kind != N_LABEL) {
            memcpy(code + n->at, n->bytes, n->len);
        }
    }
    return true;
}

/* --- flags --- */

static bool falls_through(const Node *n)
{
    return n->kind != N_JMP && n->kind != N_RET && n->kind != N_JUMP_TO && n->kind != N_CALL && n->kind != N_CALL_TO;
}

static bool is_call(const Node *n)
{
    return n->kind == N_CALL || n->kind == N_CALL_TO;
}

/* @label is the target of control, not of a RIP-relative operand. */
static bool has_target(const Node *n)
{
    return is_jump(n) || n->kind == N_JUMP_TO || n->kind == N_CALL_TO;
}

static bool merge(Program *p, unsigned i, uint16_t undefined)
{
    Node *n;
    uint16_t before;

    if (i >= p->nodes->len) {
        return false;
    }
    n = PROGRAM_NODE(p, i);
    before = n->undefined;
    n->undefined |= undefined;
    return n->undefined != before;
}

static bool merge_at_label(Program *p, int32_t label, uint16_t undefined)
{
    for (unsigned i = 0; i < p->nodes->len; i++) {
        if (PROGRAM_NODE(p, i)->kind == N_LABEL && PROGRAM_NODE(p, i)->label == label) {
            return merge(p, i, undefined);
        }
    }
    return false;
}

static bool merge_after_calls(Program *p, uint16_t undefined)
{
    bool any = false;

    for (unsigned i = 0; i < p->nodes->len; i++) {
        any |= is_call(PROGRAM_NODE(p, i)) && merge(p, i + 1, undefined);
    }
    return any;
}

bool program_follow_flags(Program *p, unsigned *where)
{
    bool changed;

    for (unsigned i = 0; i < p->nodes->len; i++) {
        PROGRAM_NODE(p, i)->undefined = 0;
    }
    do {
        changed = false;
        for (unsigned i = 0; i < p->nodes->len; i++) {
            const Node *n = PROGRAM_NODE(p, i);
            uint16_t out = (n->undefined & ~n->defines) | n->undefines;

            if (n->kind == N_RET) {
                changed |= merge_after_calls(p, out);
            }
            if (has_target(n)) {
                changed |= merge_at_label(p, n->label, out);
            }
            if (falls_through(PROGRAM_NODE(p, i))) {
                changed |= merge(p, i + 1, out);
            }
        }
    } while (changed);
    for (unsigned i = 0; i < p->nodes->len; i++) {
        if (PROGRAM_NODE(p, i)->undefined & PROGRAM_NODE(p, i)->reads) {
            *where = i;
            return false;
        }
    }
    return true;
}

bool program_written_over(const Program *p, const uint8_t *before, const uint8_t *after)
{
    for (unsigned i = 0; i < p->nodes->len; i++) {
        const Node *n = PROGRAM_NODE(p, i);

        if (!n->may_change && memcmp(before + n->at, after + n->at, n->size)) {
            return true;
        }
    }
    return false;
}

uint64_t program_defined_flags(const Program *p, uint64_t rip, int vector)
{
    uint32_t offset = (uint32_t)(rip - ISA_CODE_VA - ISA_HOLE) - (vector == 3);

    for (unsigned i = 0; i < p->nodes->len; i++) {
        const Node *n = PROGRAM_NODE(p, i);

        if (n->size && n->at == offset) {
            return n->many ? 0 : FLAG_MASK & ~(uint64_t)n->undefined;
        }
    }
    return 0;                       /* within several instructions, or astray */
}
