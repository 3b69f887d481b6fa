/*
 * Arithmetic in the human monitor: "$rip+0x10", "4*(1+2)", "'a'".
 *
 * sum := logic { (+|-) logic };  logic := product { (&||^) product };  product := unary { (*|/|%) unary };
 * unary := (+|-|~) unary | ( sum ) | 'c' | $register | number
 *
 * 64 bits, wrapping; division is signed.  Nesting is bounded.
 */
#include "system/monitor/internal.h"

#include "hw/core/cpu.h"

#define DEPTH_MAX 100

typedef struct Parser {
    const char *p;
    Vcpu *cpu;                  /* whose registers; NULL = none */
    unsigned depth;
    Error *err;                 /* the first thing wrong */
} Parser;

static uint64_t parse_sum(Parser *x);

static void skip_spaces(Parser *x)
{
    x->p += strspn(x->p, " \t");
}

static bool take(Parser *x, char c)
{
    skip_spaces(x);
    return *x->p == c && x->p++;
}

static uint64_t wrong(Parser *x, const char *what)
{
    if (!x->err) {
        error_setg(&x->err, "%s", what);
    }
    return 0;
}

static uint64_t parse_char(Parser *x)
{
    uint64_t c = (uint8_t)*x->p;

    if (!c || x->p[1] != '\'') {
        return wrong(x, "missing terminating ' character");
    }
    x->p += 2;
    return c;
}

static uint64_t parse_register(Parser *x)
{
    size_t len = 0;
    g_autofree char *name = NULL;
    uint64_t v = 0;

    while (g_ascii_isalnum(x->p[len]) || x->p[len] == '_' || x->p[len] == '.') {
        len++;
    }
    name = g_strndup(x->p, len);
    x->p += len;
    if (!x->cpu || !vcpu_info(x->cpu)->get_register || !vcpu_info(x->cpu)->get_register(x->cpu, name, &v)) {
        return wrong(x, "unknown register");
    }
    return v;
}

static uint64_t parse_number(Parser *x)
{
    char *end;
    uint64_t v;

    errno = 0;
    v = g_ascii_strtoull(x->p, &end, 0);
    if (end == x->p || !g_ascii_isdigit(*x->p)) {
        return wrong(x, *x->p ? "invalid char in expression" : "unexpected end of expression");
    }
    if (errno) {
        return wrong(x, "number too large");
    }
    x->p = end;
    return v;
}

static uint64_t parse_operand(Parser *x)
{
    uint64_t v;

    if (take(x, '+')) {
        return parse_operand(x);
    } else if (take(x, '-')) {
        return -parse_operand(x);
    } else if (take(x, '~')) {
        return ~parse_operand(x);
    } else if (take(x, '(')) {
        v = parse_sum(x);
        return take(x, ')') ? v : wrong(x, "')' expected");
    } else if (take(x, '\'')) {
        return parse_char(x);
    } else if (take(x, '$')) {
        return parse_register(x);
    }
    return parse_number(x);
}

static uint64_t parse_unary(Parser *x)
{
    uint64_t v;

    if (x->err || x->depth >= DEPTH_MAX || strspn(x->p, " +-~(") >= DEPTH_MAX) {
        return wrong(x, "expression too deep");
    }
    x->depth++;
    v = parse_operand(x);
    x->depth--;
    return v;
}

static uint64_t divide(Parser *x, uint64_t a, uint64_t b, bool remainder)
{
    if (!b) {
        return wrong(x, "division by zero");
    }
    if (b == UINT64_MAX) {              /* INT64_MIN / -1 does not fit */
        return remainder ? 0 : -a;
    }
    return remainder ? (uint64_t)((int64_t)a % (int64_t)b) : (uint64_t)((int64_t)a / (int64_t)b);
}

static uint64_t parse_product(Parser *x)
{
    uint64_t v = parse_unary(x);

    while (!x->err) {
        if (take(x, '*')) {
            v *= parse_unary(x);
        } else if (take(x, '/')) {
            v = divide(x, v, parse_unary(x), false);
        } else if (take(x, '%')) {
            v = divide(x, v, parse_unary(x), true);
        } else {
            break;
        }
    }
    return v;
}

static uint64_t parse_logic(Parser *x)
{
    uint64_t v = parse_product(x);

    while (!x->err) {
        if (take(x, '&')) {
            v &= parse_product(x);
        } else if (take(x, '|')) {
            v |= parse_product(x);
        } else if (take(x, '^')) {
            v ^= parse_product(x);
        } else {
            break;
        }
    }
    return v;
}

static uint64_t parse_sum(Parser *x)
{
    uint64_t v = parse_logic(x);

    while (!x->err) {
        if (take(x, '+')) {
            v += parse_logic(x);
        } else if (take(x, '-')) {
            v -= parse_logic(x);
        } else {
            break;
        }
    }
    return v;
}

bool hmp_evaluate_first(const char **text, int cpu, uint64_t *v, Error **errp)
{
    Parser x = { .p = *text, .cpu = cpu_by_index((unsigned)cpu) };

    *v = parse_sum(&x);
    if (x.err) {
        error_propagate(errp, x.err);
        return false;
    }
    skip_spaces(&x);
    *text = x.p;
    return true;
}

bool hmp_evaluate(const char *text, int cpu, uint64_t *v, Error **errp)
{
    if (!hmp_evaluate_first(&text, cpu, v, errp)) {
        return false;
    }
    if (*text) {
        error_setg(errp, "invalid char '%c' in expression", *text);
        return false;
    }
    return true;
}
