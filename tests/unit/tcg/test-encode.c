/*
 * The x86-64 assembler: bytes as the SDM has them (checked once with a disassembler).
 */
#include "tcg/tcg.h"
#include "tcg/x86_64/encode.h"

static uint8_t buf[64];
static Asm a;

static void begin(void)
{
    memset(buf, 0xee, sizeof(buf));
    a = (Asm){ buf, buf, buf + sizeof(buf) };
}

static void expect(const char *hex)
{
    g_autoptr(GString) s = g_string_new(NULL);

    for (uint8_t *p = buf; p < a.p; p++) {
        g_string_append_printf(s, "%s%02x", p > buf ? " " : "", *p);
    }
    g_assert_cmpstr(s->str, ==, hex);
}

static void test_moves(void)
{
    begin();
    op_mov(&a, HR_RAX, HR_RCX);
    expect("48 8b c1");
    begin();
    op_mov(&a, HR_R12, HR_R13);
    expect("4d 8b e5");
    begin();
    op_mov(&a, HR_RAX, HR_RAX);
    expect("");
    begin();
    op_mov(&a, HR_XMM0 + 1, HR_XMM0 + 9);
    expect("41 0f 28 c9");
    begin();
    op_rr(&a, X_MOV8_STORE, HR_RSI, HR_RAX);    /* mov al, sil */
    expect("40 88 f0");
    begin();
    op_rr(&a, X_MOVZX8, HR_RAX, HR_RDI);        /* movzx eax, dil */
    expect("40 0f b6 c7");
    begin();
    op_rr(&a, X_MOVZX8, HR_RDI, HR_RAX);        /* movzx edi, al */
    expect("0f b6 f8");
}

static void test_constants(void)
{
    begin();
    op_mov_k(&a, HR_RAX, 0, true);
    expect("33 c0");
    begin();
    op_mov_k(&a, HR_RAX, 0, false);
    expect("b8 00 00 00 00");
    begin();
    op_mov_k(&a, HR_R8, 0xffffffff, true);
    expect("41 b8 ff ff ff ff");
    begin();
    op_mov_k(&a, HR_RCX, ~0ull, true);
    expect("48 c7 c1 ff ff ff ff");
    begin();
    op_mov_k(&a, HR_R9, 0x123456789aull, true);
    expect("49 b9 9a 78 56 34 12 00 00 00");
}

static void test_memory(void)
{
    begin();
    op_rm(&a, X_MOV_LOAD | X_W, HR_RAX, mem(HR_RBP, 0));
    expect("48 8b 45 00");
    begin();
    op_rm(&a, X_MOV_LOAD | X_W, HR_RAX, mem(HR_R13, 0));
    expect("49 8b 45 00");
    begin();
    op_rm(&a, X_MOV_LOAD, HR_R10, mem(HR_RSP, 8));
    expect("44 8b 54 24 08");
    begin();
    op_rm(&a, X_MOV_LOAD, HR_RCX, mem(HR_R12, 0));
    expect("41 8b 0c 24");
    begin();
    op_rm(&a, X_LEA | X_W, HR_RDX, mem_x(HR_RCX, HR_R9, 3, 0x1000));
    expect("4a 8d 94 c9 00 10 00 00");
    begin();
    op_rm(&a, X_MOV_STORE | X_66, HR_RAX, mem_x(HR_RBP, HR_RSI, 0, -128));
    expect("66 89 44 35 80");
    begin();
    op_rm(&a, X_MOV_LOAD, HR_RAX, mem(MEM_RIP, -16));
    expect("8b 05 f0 ff ff ff");
    begin();
    op_rm(&a, X_CMPXCHG | X_W, HR_RDX, mem(HR_RDI, 0));
    expect("f0 48 0f b1 17");
    begin();
    op_rm(&a, X_XADD8, HR_RSI, mem(HR_RAX, 0));
    expect("f0 40 0f c0 30");
}

static void test_arithmetic(void)
{
    begin();
    op_alu_ri(&a, ALU_ADD, true, HR_RBX, 1);
    expect("48 83 c3 01");
    begin();
    op_alu_ri(&a, ALU_AND, true, HR_RAX, -4096);
    expect("48 25 00 f0 ff ff");
    begin();
    op_alu_ri(&a, ALU_CMP, false, HR_R8, 0x12345);
    expect("41 81 f8 45 23 01 00");
    begin();
    op_alu_mi(&a, ALU_CMP, false, mem(HR_RBP, -16), 0);
    expect("83 7d f0 00");
    begin();
    op_alu_rr(&a, ALU_XOR, true, HR_RDX, HR_R15);
    expect("49 33 d7");
    begin();
    op_alu_rm(&a, ALU_SUB, false, HR_RCX, mem(HR_RBP, 127));
    expect("2b 4d 7f");
    begin();
    op_shift_i(&a, SHIFT_SHR, false, HR_RSI, 7);
    expect("c1 ee 07");
    begin();
    op_shift_i(&a, SHIFT_SAR, true, HR_R9, 1);
    expect("49 d1 f9");
    begin();
    op_shift_x(&a, VEX_SHLX, true, HR_RAX, HR_R8, HR_RCX);
    expect("c4 c2 f1 f7 c0");
    begin();
    op_shift_x(&a, VEX_SARX, false, HR_R10, HR_RDX, HR_R11);
    expect("c4 62 22 f7 d2");
    begin();                                    /* vfmadd132pd xmm3, xmm9, xmm12 */
    op_vex(&a, 0x98 | X_66 | X_0F38 | X_W, HR_XMM0 + 3, HR_XMM0 + 9, HR_XMM0 + 12);
    expect("c4 c2 b1 98 dc");
    begin();                                    /* vcmpsd xmm10, xmm0, xmm2, without its immediate */
    op_vex(&a, 0xc2 | X_F2 | X_0F, HR_XMM0 + 10, HR_XMM0, HR_XMM0 + 2);
    expect("c4 61 7b c2 d2");
    begin();                                    /* vcvtph2ps xmm1, xmm7: vvvv names nothing */
    op_vex(&a, 0x13 | X_66 | X_0F38, HR_XMM0 + 1, 0, HR_XMM0 + 7);
    expect("c4 e2 79 13 cf");
}

static void test_jumps(void)
{
    uint8_t *at;

    begin();
    at = op_jcc32(&a, CC_NE);
    patch_rel32(at, buf + 16);
    expect("0f 85 0a 00 00 00");
    begin();
    a.p += 4;
    op_jmp_to(&a, buf);
    g_assert_cmpint(a.p - buf, ==, 6);
    g_assert_cmphex(buf[4], ==, 0xeb);
    g_assert_cmphex(buf[5], ==, 0xfa);
    begin();
    op_nops(&a, 7);
    expect("0f 1f 40 00 0f 1f 00");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/encode/moves", test_moves);
    g_test_add_func("/tcg/encode/constants", test_constants);
    g_test_add_func("/tcg/encode/memory", test_memory);
    g_test_add_func("/tcg/encode/arithmetic", test_arithmetic);
    g_test_add_func("/tcg/encode/jumps", test_jumps);
    return g_test_run();
}
