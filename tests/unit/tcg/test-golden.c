/*
 * Golden code: what the emitter makes of common shapes, as exact bytes.
 *
 * A change of the emitter shows here as a diff of code; update the expectation when the new code
 * is meant and better.  No shape depends on CPUID.
 */
#include "fake-target.h"

static TcgContext *ctx;
static TcgCode out;
static uint8_t buf[4096 + 16] __attribute__((aligned(16)));

typedef void Shape(IrBlock *b);

/* The code of @shape up to the way out, which is ir_exit_state_set(): ff 55 disp8, kind. */
static void check(Shape *shape, const char *hex)
{
    g_autoptr(GString) s = g_string_new(NULL);
    IrBlock *b = tcg_block_begin(ctx);
    const uint8_t *code = buf + 16;
    size_t n;

    shape(b);
    ir_exit_state_set(b);
    g_assert_true(tcg_block_compile(ctx, b, buf + 16, sizeof(buf) - 16, &out));
    for (n = 0; n < out.unwind_offset && memcmp(code + n, "\xff\x55\xd0", 3); n++) {
        g_string_append_printf(s, "%s%02x", n ? " " : "", code[n]);
    }
    g_assert_cmpstr(s->str, ==, hex);
}

/* r0 is pinned (r14), r4 is not ([rbp - 32 + 4 * 8]) */
static void add_immediate(IrBlock *b) { ir_put(b, FG_R0, ir_addi(b, ir_get(b, FG_R0), 8)); }
static void add_memory(IrBlock *b) { ir_put(b, FG_R0, ir_add(b, ir_get(b, FG_R0), ir_get(b, FG_R0 + 4))); }
static void move(IrBlock *b) { ir_put(b, FG_R0 + 4, ir_get(b, FG_R0)); }
static void exchange(IrBlock *b)
{
    IrVal x = ir_get(b, FG_R0), y = ir_get(b, FG_R0 + 1);

    ir_put(b, FG_R0, y);
    ir_put(b, FG_R0 + 1, x);
}
static void constant(IrBlock *b) { ir_put(b, FG_R0 + 4, ir_i64(b, 5)); }
static void add32(IrBlock *b)
{
    IrVal x = ir_trunc(b, ir_get(b, FG_R0));

    ir_put(b, FG_R0, ir_zext(b, ir_add(b, x, ir_trunc(b, ir_get(b, FG_R0 + 1)))));
}
static void low_byte(IrBlock *b)
{
    ir_put(b, FG_R0, ir_deposit(b, ir_get(b, FG_R0), 0, 8, ir_get(b, FG_R0 + 1)));
}
static void scaled(IrBlock *b)
{
    ir_put(b, FG_R0, ir_add(b, ir_get(b, FG_R0 + 1), ir_shli(b, ir_get(b, FG_R0 + 2), 3)));
}
static void load(IrBlock *b)
{
    ir_put(b, FG_R0, ir_ld(b, IR_I64, ir_addi(b, ir_get(b, FG_R0 + 1), 16), 1, IR_MO_64));
}
static void relative_pc(IrBlock *b) { ir_put(b, FG_R0 + 4, ir_pc(b, 7)); }

static void test_shapes(void)
{
    ctx = tcg_context_new(&ft_target);
    check(add_immediate, "49 83 c6 08");                        /* add r14, 8 */
    check(add_memory, "4c 03 75 00");                           /* add r14, [r4] */
    check(move, "4c 89 75 00");                                 /* mov [r4], r14 */
    check(exchange, "49 8b c6 4d 8b f7 4c 8b f8");              /* mov rax, r14 ; mov r14, r15 ; mov r15, rax */
    check(constant, "48 c7 45 00 05 00 00 00");                 /* mov qword [r4], 5 */
    check(add32, "45 03 f7");                                   /* add r14d, r15d */
    check(low_byte, "45 8a f7");                                /* mov r14b, r15b */
    check(scaled, "4f 8d 34 ef");                               /* lea r14, [r15 + r13 * 8] */
    check(relative_pc, "48 8d 43 07 48 89 45 00");              /* lea rax, [rbx + 7] ; mov [r4], rax */
    /*
     * lea eax, [r15 + 16] ; shr eax, 7 ; and eax, [mask] ; add rax, [table] ; lea rcx, [r15 + 23] ;
     * and rcx, -4096 ; cmp rcx, [rax] ; jne miss ; mov rax, [rax + 24] ; mov r14, [r15 + rax + 16]
     */
    check(load, "41 8d 47 10 c1 e8 07 23 45 90 48 03 45 98 49 8d 4f 17 48 81 e1 00 f0 ff ff 48 3b 08 0f 85 0d 00 00 00 "
                "48 8b 40 18 4d 8b 74 07 10");
    tcg_context_free(ctx);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/golden/shapes", test_shapes);
    return g_test_run();
}
