# x87; see forms.inc.  Random states have empty registers, so stack faults are seen too.
#include "forms.inc"

.set F, FORM_MMX

# --- arithmetic ---

.irp op, fadd, fmul, fsub, fsubr, fdiv, fdivr
.irp i, 0, 1, 5, 7
form F, "\op %st(\i), %st"
form F, "\op %st, %st(\i)"
form F, "\op\()p %st, %st(\i)"
.endr
form F, "\op\()s (%rbx)"
form F, "\op\()l 3(%rbx)"
form F | FORM_XMM, "\op\()s (%rbx)"
form F | FORM_XMM, "\op\()l 3(%rbx)"
.endr
.irp op, fiadd, fimul, fisub, fisubr, fidiv, fidivr, ficom, ficomp
form F, "\op\()s (%rbx)"
form F, "\op\()l 3(%rbx)"
.endr
.irp op, fcom, fcomp, fucom, fucomp
form F, "\op %st(0)"
form F, "\op %st(1)"
form F, "\op %st(6)"
.endr
.irp op, fcom, fcomp
form F | FORM_XMM, "\op\()s (%rbx)"
form F | FORM_XMM, "\op\()l 3(%rbx)"
.endr
form F, "fcompp"
form F, "fucompp"
.irp op, fcomi, fcomip, fucomi, fucomip
form F, "\op %st(0), %st"
form F, "\op %st(1), %st"
form F, "\op %st(6), %st"
form F, "\op %st(2), %st; ja 1f; mov $1, %eax; 1: setp %cl"
.endr
.irp cc, b, e, be, u, nb, ne, nbe, nu
form F, "fcmov\cc %st(1), %st"
form F, "fcmov\cc %st(7), %st"
.endr
.irp op, fchs, fabs, ftst, fxam, fld1, fldl2t, fldl2e, fldpi, fldlg2, fldln2, fldz, f2xm1, fyl2x, fptan, fpatan, fxtract, fprem1, fdecstp, fincstp, fprem, fyl2xp1, fsqrt, fsincos, frndint, fscale, fsin, fcos, fnop, fwait
form F, "\op"
.endr
form F, "fxch %st(1)"
form F, "fxch %st(6)"
form F, "ffree %st(3)"
form F, ".byte 0xdf, 0xc2"              /* ffreep %st(2) */
form F, ".byte 0xd9, 0xda"              /* fstp1 */
form F, ".byte 0xdc, 0xd1"              /* fcom2 */
form F, ".byte 0xdc, 0xd9"              /* fcomp3 */
form F, ".byte 0xdd, 0xc9"              /* fxch4 */
form F, ".byte 0xde, 0xd1"              /* fcomp5 */
form F, ".byte 0xdf, 0xc9"              /* fxch7 */
form F, ".byte 0xdf, 0xd2"              /* fstp8 */
form F, ".byte 0xdf, 0xda"              /* fstp9 */
form F, ".byte 0xdb, 0xe0"              /* feni */
form F, ".byte 0xdb, 0xe4"              /* fsetpm */

# --- loads and stores ---

form F | FORM_XMM, "flds (%rbx)"
form F | FORM_XMM, "fldl 3(%rbx)"
form F, "fldt 3(%rbx)"
form F, "filds (%rbx)"
form F, "fildl 3(%rbx)"
form F, "fildll 5(%rbx)"
form F, "fbld 5(%rbx)"
.irp i, 0, 1, 7
form F, "fld %st(\i)"
form F, "fst %st(\i)"
form F, "fstp %st(\i)"
.endr
.irp op, fsts, fstps, fstl, fstpl, fstpt, fists, fistps, fistl, fistpl, fistpll, fisttps, fisttpl, fisttpll, fbstp
form F, "\op (%rbx)"
form F, "\op 7(%rsi,%r12)"
.endr
# integers that fit
form F, "fildl (%rbx); fistpll (%rsi); fildll (%rbx); fistpll (%rdi)"
form F, "fildl (%rbx); fbstp (%rsi); fbld (%rsi); fistpl (%rdi)"
form F | FORM_XMM, "fldl (%rbx); fmull 8(%rbx); faddl 16(%rbx); fstpl (%rsi); fstps (%rdi)"
form F | FORM_XMM, "fninit; fldl (%rbx); fldl 8(%rbx); fdivp; fsqrt; fstpt (%rsi); fnstsw %ax"
# a store that faults leaves the stack alone
form F, "fstpl 0x100000(%rbx)"
form F, "fldl 0x100000(%rbx)"
# the page fault of a store that an unmasked exception suppresses
.irp op, fstps, fstpl, fistps, fistpl, fistpll, fbstp
form F, "movw $0x340, (%rbx); fninit; fldcw (%rbx); \op 0x100000(%rbx); fnstsw %ax"
form F, "movw $0x340, (%rbx); fninit; fldcw (%rbx); \op (%rbx); fnstsw %ax"
.endr

# --- control ---

form F, "fnstcw (%rbx)"
form F, "fnstsw (%rbx)"
form F, "fnstsw %ax"
form F, "fnclex"
form F, "fninit"
form F, "movw $0x27f, (%rbx); fldcw (%rbx); fdiv %st(1), %st"
form F, "movw $0xf7f, (%rbx); fldcw (%rbx); fsqrt"
form F, "movw $0xffff, (%rbx); fldcw (%rbx); fnstcw (%rsi)"
form F, "fnstenv (%rbx); movq $0, 12(%rbx); movq $0, 20(%rbx)"
form F, "data16 fnstenv (%rbx); movq $0, 6(%rbx)"
form F, "fnsave (%rbx); movq $0, 12(%rbx); movq $0, 20(%rbx)"
form F, "data16 fnsave (%rbx); movq $0, 6(%rbx)"
form F, "fnstenv (%rbx); fninit; fldpi; fldenv (%rbx); movq $0, 12(%rbx); movq $0, 20(%rbx)"
form F, "fnsave (%rbx); fldpi; frstor (%rbx); movq $0, 12(%rbx); movq $0, 20(%rbx)"
form F, "data16 fnsave (%rbx); fldpi; fld1; data16 frstor (%rbx); movq $0, 6(%rbx)"
# unmasked exceptions: pending until the next waiting instruction, #MF there
.irp cw, 0x37e, 0x37b, 0x340, 0x35f, 0x36f, 0x377, 0x37d
form F, "movw $\cw, (%rbx); fnclex; fldcw (%rbx); fdiv %st(1), %st; fnstsw %ax; fwait"
form F, "movw $\cw, (%rbx); fnclex; fldcw (%rbx); fdiv %st(1), %st; fnclex"
form F, "movw $\cw, (%rbx); fnclex; fldcw (%rbx); fsqrt; fnstsw (%rsi); fld1"
form F, "movw $\cw, (%rbx); fnclex; fldcw (%rbx); fld1; fnclex"
form F, "movw $\cw, (%rbx); fnclex; fldcw (%rbx); fstps (%rsi); fnclex"
form F, "movw $\cw, (%rbx); fnclex; fldcw (%rbx); fistpl (%rsi); fnclex"
form F, "movw $\cw, (%rbx); fnclex; fldcw (%rbx); fcomp %st(2); fnclex"
form F | FORM_XMM, "movw $\cw, (%rbx); fnclex; fldcw (%rbx); faddl 8(%rbx); fnclex"
form F, "movw $\cw, (%rbx); fldcw (%rbx); fadd %st(1), %st"
form F, "movw $\cw, (%rbx); fldcw (%rbx); paddb %mm0, %mm1"
.endr
