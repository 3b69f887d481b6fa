# General-purpose instructions; see forms.inc.
#include "forms.inc"

# --- arithmetic and logic ---

.macro alu op, undef
.irp ops, "%al, %dl", "%dl, %al", "%ah, %dl", "%dl, %bh", "%ch, %dh", "%sil, %r9b", "%r10b, %al", "%r8b, (%rbx)", "%ah, 5(%rsi)"
form \undef, "\op\()b \ops"
.endr
.irp ops, "(%rbx), %cl", "3(%rsi), %dh", "-7(%rdi,%r12,2), %r11b", "$0x7f, %al", "$-1, %cl", "$0x80, %ah", "$3, (%rbx)", "$0x90, %r15b"
form \undef, "\op\()b \ops"
.endr
.irp ops, "%ax, %dx", "%r9w, %cx", "%cx, (%rbx)", "$0x1234, %ax", "$-2, %dx", "$0x8000, %r10w", "$0x1234, 6(%rdi)", "$5, (%rbx)"
form \undef, "\op\()w \ops"
.endr
.irp ops, "%eax, %edx", "%edx, %eax", "%r9d, %ecx", "%r14d, %r15d", "%ecx, (%rbx)", "%eax, 8(%rsi,%r12,4)", "$0x12345678, %eax", "$-2, %edx", "$0x80000000, %r10d", "$0x12345678, 6(%rdi)", "$5, (%rbx)", "%eax, 4(%ebx)"
form \undef, "\op\()l \ops"
.endr
.irp ops, "%rax, %rdx", "%rdx, %rax", "%r9, %rcx", "%r14, %r15", "%rcx, (%rbx)", "%rax, 8(%rsi,%r12,8)", "$0x12345678, %rax", "$-2, %rdx", "$-0x80000000, %r10", "$0x12345678, 6(%rdi)", "$5, (%rbx)"
form \undef, "\op\()q \ops"
.endr
.endm
alu add, 0
alu adc, 0
alu sub, 0
alu sbb, 0
alu cmp, 0
alu or, A
alu and, A
alu xor, A
.irp op, add, adc, sub, sbb, cmp, or, and, xor
form A, "\op (%rbx), %ax"
form A, "\op 16(%rdi), %r9w"
form A, "\op (%rbx), %eax"
form A, "\op 16(%rdi,%r12), %r9d"
form A, "\op (%rbx), %rax"
form A, "\op -64(%rbp), %r13"
form A, "\op %eax, %eax"
form A, "\op %r9, %r9"
form A, "\op %ax, %ax"
form A, "\op %ah, %ah"
.endr
.irp ops, "b %al, %dl", "b %ah, %dl", "b %r9b, (%rbx)", "b $0x81, %al", "b $0x81, 5(%rsi)", "w %ax, %dx", "w $0x8123, %ax", "w $0x8123, (%rbx)", "l %eax, %edx", "l %ecx, (%rdi)", "l $0x81234567, %eax", "l $0x1234567, %r9d", "q %rax, %rdx", "q %r14, 8(%rsi)", "q $-3, %rax", "q $0x1234567, (%rbx)"
form A, "test\ops"
.endr

.irp op, add, adc, sub, sbb, or, and, xor
form A, "lock \op\()b %dl, (%rbx)"
form A, "lock \op\()w %dx, (%rbx)"
form A, "lock \op\()l %edx, 3(%rbx)"
form A, "lock \op\()q %rdx, (%rbx)"
form A, "lock \op\()q $-5, (%rbx)"
.endr
.irp op, inc, dec, neg, not
.irp opd, "b %al", "b %bh", "b %r9b", "b (%rbx)", "w %ax", "w (%rsi)", "l %edx", "l %r11d", "l (%rdi)", "q %rcx", "q %r14", "q 9(%rbx)"
form 0, "\op\()\opd"
.endr
.irp opd, "b (%rbx)", "w (%rbx)", "l (%rbx)", "q (%rbx)"
form 0, "lock \op\()\opd"
.endr
.endr

# flags left by one instruction and read by another
.irp first, "add %rcx, %rax", "sub %ecx, %eax", "cmp %cx, %ax", "cmpb %cl, %al", "and %rcx, %rax", "testb %al, %al", "inc %eax", "dec %al", "incq %rcx", "decw %cx", "adc %ecx, %eax", "sbb %cl, %al", "sbbq %rcx, %rax", "neg %eax", "shl $1, %ecx", "shrw $1, %cx", "sar $1, %rcx", "xor %eax, %eax", "imul %ecx, %eax; sahf", "popcnt %rcx, %rax", "bt $5, %rax; seto %dl", "stc", "clc", "cmc", "rol $1, %eax", "cmp $0, %eax", "cmpl $-1, (%rbx)", "sahf", "push %rax; andq $0x8d5, (%rsp); popfq"
.irp cc, o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g
form A, "\first; set\cc %r8b; set\cc (%rbx)"
form A, "\first; cmov\cc %r10, %r11"
form A, "\first; j\cc 1f; movl $0x1111, %r9d; 1:"
.endr
form A, "\first; setc %r8b; seto %r9b; sets %r10b; adc %edx, %r11d"
form A, "\first; mov $7, %r13d; inc %r13; setc %al; setz %ah"
form A, "\first; mov $7, %r13d; rol $1, %r13; pushfq; andl $0x7c5, (%rsp); pop %r14"
form A, "\first; lahf; andb $0xef, %ah"
form A|O, "\first; mov %cl, %r15b; shl %cl, %r14d; setc %al; sets %ah; setz %dl"
form A, "\first; bts %rdx, %r14; setz %al; sets %ah; setp %dl"
.endr

.irp cc, o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g
form 0, "set\cc %al"
form 0, "set\cc %dh"
form 0, "cmov\cc %ax, %dx"
form 0, "cmov\cc %eax, %edx"
form 0, "cmov\cc (%rbx), %r9d"
form 0, "cmov\cc (%rbx), %rdx"
form 0, "j\cc 1f; inc %rax; 1: inc %rcx"
.endr

# --- shifts and rotates ---

.macro shift_one op, undef, n, size, opd
form \undef, "\op\()\size $\n, \opd"
.endm
.macro shift_all op, u1, un, cl
.irp n, 0, 1, 2, 3, 5, 7, 8, 9, 10, 15, 16, 17, 18, 19, 27, 31, 32, 33, 63
.set u_, \un
.if \n == 0 || \n == 32
.set u_, 0
.elseif \n == 1 || \n == 33
.set u_, \u1
.endif
shift_one \op, u_, \n, b, %al
shift_one \op, u_, \n, b, %dh
shift_one \op, u_, \n, b, 5(%rbx)
shift_one \op, u_, \n, w, %ax
shift_one \op, u_, \n, w, (%rsi)
shift_one \op, u_, \n, l, %edx
shift_one \op, u_, \n, l, %r11d
shift_one \op, u_, \n, l, (%rdi)
.set u_, \un
.if \n == 0
.set u_, 0
.elseif \n == 1
.set u_, \u1
.endif
shift_one \op, u_, \n, q, %rax
shift_one \op, u_, \n, q, %r14
shift_one \op, u_, \n, q, 8(%rbx)
.endr
.irp opd, "b %cl, %al", "b %cl, %ch", "b %cl, %cl", "b %cl, (%rbx)", "w %cl, %ax", "w %cl, %cx", "w %cl, 3(%rdi)", "l %cl, %eax", "l %cl, %ecx", "l %cl, %r9d", "l %cl, (%rbx)"
form \cl, "\op\()\opd"
.endr
.irp opd, "q %cl, %rax", "q %cl, %rcx", "q %cl, %r15", "q %cl, (%rbx)"
form \cl|U_64, "\op\()\opd"
.endr
.irp opd, "b %al", "w %ax", "l %eax", "q %rax", "b %bh", "w %r9w", "l %r9d", "q %r9", "b (%rbx)", "w (%rbx)", "l (%rbx)", "q (%rbx)"
form \u1, "\op\()\opd"
.endr
.endm
shift_all shl, A, A|O, U_SHIFT_CL
shift_all shr, A, A|O, U_SHIFT_CL
shift_all sar, A, A|O, U_SHIFT_CL
shift_all rol, 0, O, U_ROTATE_CL
shift_all ror, 0, O, U_ROTATE_CL
shift_all rcl, 0, O, U_ROTATE_CL
shift_all rcr, 0, O, U_ROTATE_CL

.irp op, shld, shrd
.irp n, 1, 2, 7, 15
form A|O, "\op\()w $\n, %ax, %dx"
form A|O, "\op\()w $\n, %r9w, (%rbx)"
.endr
form 0, "\op\()w $0, %ax, %dx"
form 0, "\op\()l $0, %eax, %edx"
form 0, "\op\()l $32, %eax, %edx"
form 0, "\op\()q $0, %rax, %rdx"
.irp n, 1, 2, 7, 15, 16, 17, 31
form A|O, "\op\()l $\n, %eax, %edx"
form A|O, "\op\()l $\n, %r9d, 3(%rdi)"
form A|O, "\op\()q $\n, %rax, %rdx"
.endr
.irp n, 32, 33, 48, 63
form A|O, "\op\()q $\n, %r14, %rdx"
form A|O, "\op\()q $\n, %rcx, (%rsi)"
.endr
form U_SHIFT_CL, "\op\()l %cl, %eax, %edx"
form U_SHIFT_CL, "\op\()l %cl, %eax, (%rbx)"
form U_SHIFT_CL, "\op\()l %cl, %ecx, %r9d"
form U_SHIFT_CL|U_64, "\op\()q %cl, %rax, %rdx"
form U_SHIFT_CL|U_64, "\op\()q %cl, %r9, 5(%rbx)"
.endr

# --- multiplication and division ---

.irp op, mul, imul
.irp opd, "b %dl", "b %ah", "b (%rbx)", "w %dx", "w %cx", "w (%rbx)", "l %ecx", "l %edx", "l (%rbx)", "q %rcx", "q %rdx", "q (%rbx)"
form S|Z|A|P, "\op\()\opd"
.endr
.endr
.irp opd, "%cx, %dx", "(%rbx), %dx", "%ecx, %edx", "%r9d, %r10d", "(%rbx), %eax", "%rcx, %rdx", "%r9, %r10", "(%rbx), %rax", "$7, %cx, %dx", "$0x1234, %cx, %dx", "$-3, %ecx, %edx", "$0x12345678, (%rbx), %edx", "$-3, %rcx, %rdx", "$0x12345678, (%rbx), %r10", "$100, %r9, %r9"
form S|Z|A|P, "imul \opd"
.endr
.irp op, div, idiv
form ALL, "\op\()b %cl"
form ALL, "\op\()b %ah"
form ALL, "\op\()b (%rbx)"
form ALL, "mov $0, %ah; \op\()b %cl"
form ALL, "\op\()w %cx"
form ALL, "mov $0, %edx; \op\()w %cx"
form ALL, "cwd; \op\()w %cx"
form ALL, "\op\()l %ecx"
form ALL, "mov $0, %edx; \op\()l %ecx"
form ALL, "cdq; \op\()l %r9d"
form ALL, "cdq; \op\()l (%rbx)"
form ALL, "\op\()q %rcx"
form ALL, "mov $0, %edx; \op\()q %rcx"
form ALL, "mov $3, %edx; \op\()q %r9"
form ALL, "cqo; \op\()q %r9"
form ALL, "cqo; \op\()q (%rbx)"
form ALL, "mov %rdx, %rax; sar $40, %rdx; \op\()q %rcx"
form ALL, "xor %ecx, %ecx; \op\()l %ecx"
.endr

# --- moves ---

.irp ops, "b %al, %dl", "b %ah, %bl", "b %dl, %bh", "b %sil, %dil", "b (%rbx), %al", "b (%rbx), %dh", "b %ch, (%rbx)", "b $0x95, %dl", "b $0x95, %dh", "b $0x95, 7(%rbx)", "w %ax, %dx", "w (%rbx), %r9w", "w %ax, 3(%rsi)", "w $0x9512, %dx", "w $0x9512, (%rbx)", "l %eax, %edx", "l %r9d, %r10d", "l 5(%rbx,%r12,2), %ecx", "l %ecx, 5(%rbx)", "l $0x95123456, %edx", "l $0x95123456, (%rbx)", "q %rax, %rdx", "q -8(%rbp), %r9", "q %r13, 16(%rsp)", "q $-7, %rdx", "q $-7, (%rbx)", "abs $0x123456789abcdef0, %r9", "q (%rsp,%r12), %rax", "q (%rbx), %rbx", "l (%esi), %eax", "l 8(%edi,%r12d,4), %eax"
form 0, "mov\ops"
.endr
.irp op, movz, movs
.irp ops, "bw %al, %dx", "bw %ah, %dx", "bw (%rbx), %r9w", "bl %dl, %eax", "bl %dh, %eax", "bl %sil, %r9d", "bl (%rbx), %eax", "bq %dl, %rax", "bq (%rbx), %r9", "wl %dx, %eax", "wl 3(%rbx), %eax", "wq %dx, %rax", "wq 3(%rbx), %rax"
form 0, "\op\()\ops"
.endr
.endr
.irp ops, "%ecx, %rdx", "%r9d, %r9", "(%rbx), %rax"
form 0, "movslq \ops"
.endr
form 0, ".byte 0x63, 0xc1"
form 0, ".byte 0x66, 0x63, 0xc1"
.irp ops, "b %al, %dl", "b %ah, %al", "b %dl, (%rbx)", "w %ax, %dx", "w %r9w, (%rbx)", "l %eax, %edx", "l %eax, %eax", "l %r9d, (%rbx)", "q %rax, %r9", "q %rcx, 8(%rbx)", "w %ax, %cx", "l %eax, %r8d", "q %rax, %r8"
form 0, "xchg\ops"
form 0, "xadd\ops"
form 0, "cmpxchg\ops"
.endr
.irp ops, "b %dl, (%rbx)", "w %dx, (%rbx)", "l %edx, 1(%rbx)", "q %rdx, (%rbx)"
form 0, "lock xchg\ops"
form 0, "lock xadd\ops"
form 0, "lock cmpxchg\ops"
.endr
form 0, "movb (%rbx), %al; cmpxchgb %cl, (%rbx)"
form 0, "movw (%rbx), %ax; lock cmpxchgw %cx, (%rbx)"
form 0, "movl (%rbx), %eax; lock cmpxchgl %ecx, (%rbx)"
form 0, "movq (%rbx), %rax; lock cmpxchgq %rcx, (%rbx)"
form 0, "movl %edx, %eax; cmpxchgl %ecx, %edx"
form 0, "movb %dh, %al; cmpxchgb %ch, %dh"
form 0, "cmpxchgb %cl, %ah"
form 0, "cmpxchgl %ecx, %eax"
form 0, "mov $3, %ecx; push %rbx; lea 64(%rsi), %rdi; mov $9, %ebx; cmpxchg8b (%rdi); pop %rbx"
form 0, "mov (%rsi), %eax; mov 4(%rsi), %edx; lock cmpxchg8b (%rsi)"
form FORM_ALIGN16, "lock cmpxchg16b (%rsi)"
form FORM_ALIGN16, "mov (%rsi), %rax; mov 8(%rsi), %rdx; lock cmpxchg16b (%rsi)"
form FORM_ALIGN16, "cmpxchg16b 8(%rsi)"
.irp r, %eax, %r9d, %rcx, %r14
form 0, "bswap \r"
.endr
.irp ops, "w (%rbx), %ax", "l (%rbx), %eax", "q (%rbx), %r9", "w %ax, (%rbx)", "l %eax, 3(%rbx)", "q %r9, (%rbx)"
form 0, "movbe\ops"
.endr
.irp op, cbtw, cwtl, cltq, cwtd, cltd, cqto
form 0, "\op"
.endr
.irp ops, "w (%rbx), %ax", "l (%rbx,%rcx), %eax", "q (%rbx,%rcx,8), %rax", "q 0x12345678(,%rcx,4), %rdx", "l 5(%ebx,%ecx,2), %eax", "q 5(%ebx,%ecx,2), %rax", "w -3(%r9,%r10), %cx", "q 1f(%rip), %rax; 1: nop", "q 1f(%eip), %rax; 1: nop", "q (%rsp,%rbp), %r12", "q -128(%r13), %r13"
form 0, "lea\ops"
.endr
form 0, "movl 1f(%rip), %eax; jmp 2f; 1: .long 0x12345678; 2:"
form 0, "lea 8(%rsi), %rbx; xlatb"
form 0, "movb $200, %al; xlatb"
form 0, "movnti %eax, (%rbx)"
form 0, "movnti %r9, 8(%rbx)"

# --- bits ---

.irp op, bt, bts, btr, btc
.irp ops, "w %cx, %dx", "l %ecx, %edx", "q %rcx, %r9", "w $5, %dx", "l $37, %edx", "q $37, %rdx", "q $63, %r9", "w $15, (%rbx)", "l $21, 3(%rbx)", "q $44, (%rbx)", "l %eax, %eax"
form O|S|A|P, "\op\()\ops"
.endr
form O|S|A|P, "movsbl %cl, %ecx; \op\()w %cx, (%rbx)"
form O|S|A|P, "movsbl %cl, %ecx; \op\()l %ecx, (%rbx)"
form O|S|A|P, "movsbq %cl, %rcx; \op\()q %rcx, (%rbx)"
form O|S|A|P, "movswq %cx, %rcx; sar $4, %rcx; \op\()q %rcx, (%rbx)"
form O|S|A|P, "movsbq %cl, %rcx; \op\()l %ecx, 8(%ebx)"
.endr
.irp op, bts, btr, btc
form O|S|A|P, "lock \op\()l $5, (%rbx)"
form O|S|A|P, "lock \op\()w $9, (%rbx)"
form O|S|A|P, "movsbq %cl, %rcx; lock \op\()q %rcx, (%rbx)"
.endr
.irp op, bsf, bsr
.irp ops, "w %cx, %dx", "w (%rbx), %dx", "q %rcx, %rdx", "q (%rbx), %r9", "l %ecx, %edx"
form O|S|A|P|C, "\op\()\ops"
.endr
form O|S|A|P|C, "xor %ecx, %ecx; \op\()q %rcx, %rdx"
form O|S|A|P|C, "xor %ecx, %ecx; \op\()w %cx, %dx"
form O|S|A|P|C, "and $0x80, %ecx; \op\()q %rcx, %rdx"
.endr
.irp op, tzcnt, lzcnt
.irp ops, "w %cx, %dx", "w (%rbx), %dx", "l %ecx, %edx", "l (%rbx), %edx", "q %rcx, %rdx", "q (%rbx), %r9"
form O|S|A|P, "\op\()\ops"
.endr
form O|S|A|P, "xor %ecx, %ecx; \op\()q %rcx, %rdx"
form O|S|A|P, "xor %ecx, %ecx; \op\()l %ecx, %edx"
form O|S|A|P, "xor %ecx, %ecx; \op\()w %cx, %dx"
.endr
.irp ops, "w %cx, %dx", "l %ecx, %edx", "l (%rbx), %edx", "q %rcx, %rdx", "q (%rbx), %r9"
form 0, "popcnt\ops"
.endr
form 0, "xor %ecx, %ecx; popcnt %rcx, %rdx"
.irp ops, "b %cl, %edx", "w %cx, %edx", "l %ecx, %edx", "b (%rbx), %rdx", "q %rcx, %rdx", "q (%rbx), %r9"
form 0, "crc32\ops"
.endr
.irp op, adcx, adox
.irp ops, "%ecx, %edx", "%rcx, %rdx", "(%rbx), %r9"
form 0, "\op \ops"
.endr
.endr

# --- BMI1, BMI2 ---

.macro bmi3 flags, op
form \flags, "\op %eax, %ecx, %edx"
form \flags, "\op %rax, %rcx, %rdx"
form \flags, "\op %r9, %rdx, %r14"
form \flags, "\op %rcx, %rcx, %rcx"
form \flags, "mov $0x1c07, %ecx; \op %rcx, %rax, %rdx"
form \flags, "xor %ecx, %ecx; \op %rcx, %rax, %rdx"
form \flags, "xor %eax, %eax; \op %ecx, %eax, %edx"
form \flags|FORM_32, ".code32; \op %eax, %ecx, %edx; .code64"
form \flags|FORM_16, ".code16; \op %eax, %ecx, %edx; .code64"
.endm
bmi3 P|A, andn
bmi3 P|A|S, bextr
bmi3 P|A, bzhi
bmi3 0, pdep
bmi3 0, pext
bmi3 0, mulx
bmi3 0, shlx
bmi3 0, shrx
bmi3 0, sarx
.irp op, andn, pdep, pext, mulx
form P|A, "\op 3(%rbx), %ecx, %edx"
form P|A, "\op 3(%rbx), %rcx, %r9"
form 0, "\op 0x10, %rcx, %r9"
.endr
.irp op, bextr, bzhi, shlx, shrx, sarx
form P|A|S, "\op %ecx, 3(%rbx), %edx"
form P|A|S, "\op %rcx, 3(%rbx), %r9"
form 0, "\op %ecx, 0x10, %edx"
.endr
.irp op, blsr, blsmsk, blsi
.irp ops, "%ecx, %edx", "%rcx, %rdx", "%r9, %r9", "(%rbx), %edx", "3(%rbx), %r14"
form P|A, "\op \ops"
.endr
form P|A, "xor %ecx, %ecx; \op %ecx, %edx"
form P|A, "xor %ecx, %ecx; \op %rcx, %rdx; setc %al; setbe %ah"
form 0, "\op 0x10, %edx"
.endr
.irp n, 0, 1, 31, 32, 63, 255
form 0, "rorx $\n, %ecx, %edx"
form 0, "rorx $\n, %rcx, %r9"
form 0, "rorx $\n, 3(%rbx), %edx"
.endr
form 0, "mulx %rcx, %rdx, %rdx"
form P|A, "andn %rcx, %rdx, %rax; jz 1f; inc %r9; 1:"
form P|A, "bzhi %rcx, %rdx, %rax; jc 1f; inc %r9; 1:"
# refused: a prefix before VEX, VEX.L, VEX.vvvv that must be 1111b (BLSR has one; RORX not), no such map
form 0, ".byte 0x66, 0xc4, 0xe2, 0x70, 0xf2, 0xd0"
form 0, ".byte 0xf2, 0xc4, 0xe2, 0x70, 0xf2, 0xd0"
form 0, ".byte 0xf3, 0xc4, 0xe2, 0x70, 0xf2, 0xd0"
form 0, ".byte 0xf0, 0xc4, 0xe2, 0x70, 0xf2, 0xd0"
form 0, ".byte 0x48, 0xc4, 0xe2, 0x70, 0xf2, 0xd0"
form P|A, ".byte 0x64, 0xc4, 0xe2, 0x70, 0xf2, 0xd0"
form P|A, ".byte 0x67, 0xc4, 0xe2, 0x70, 0xf2, 0xd0"
form 0, ".byte 0xc4, 0xe2, 0x74, 0xf2, 0xd0"
form 0, ".byte 0xc4, 0xe3, 0x73, 0xf0, 0xd0, 0x05"
form 0, ".byte 0xc4, 0xe0, 0x70, 0xf2, 0xd0"
form 0, ".byte 0xc4, 0xe2, 0x70, 0xf3, 0xc0"
form 0, ".byte 0xc4, 0xe2, 0x70, 0xf3, 0xe0"

# --- stack ---

.irp ops, "%rax", "%rsp", "%r9", "(%rbx)", "(%rsp)", "8(%rsp)", "$5", "$-5", "$0x12345678"
form 0, "push \ops"
.endr
.irp ops, "%ax", "%r9w", "(%rbx)", "$5", "$0x8123"
form 0, "pushw \ops"
.endr
.irp ops, "%rax", "%rsp", "%r9", "(%rbx)", "(%rsp)", "8(%rsp,%r12)"
form 0, "pop \ops"
.endr
.irp ops, "%ax", "%sp", "%r9w", "(%rbx)", "4(%rsp)"
form 0, "popw \ops"
.endr
form 0, "push %fs"
form 0, "pushw %gs"
form 0, "push %rax; push %rcx; pop %rdx; pop %r9"
form 0, "pushfq; pop %rax; and $0xcd5, %eax"
form 0, "pushfw; pop %ax"
form 0, "and $0xcd5, %eax; or $0x202, %eax; push %rax; popfq"
form 0, "and $0xcd5, %eax; or $0x202, %eax; push %ax; popfw; cld"
form 0, "enter $16, $0"
form 0, "enter $16, $1"
form 0, "enter $40, $3"
form 0, "enter $0, $6"
form 0, "leave"
form 0, "enter $32, $0; push %rax; leave"
form 0, "lahf"
form 0, "sahf"
form 0, "clc"
form 0, "stc"
form 0, "cmc"
form 0, "cld"
form 0, "std; movb $1, (%rbx); cld"
form 0, "std"

# --- strings ---

.macro strings op, sizes:vararg
.irp s, \sizes
form 0, "cld; \op\()\s"
form 0, "std; \op\()\s"
form 0, "mov $9, %ecx; cld; rep \op\()\s"
form 0, "mov $9, %ecx; std; rep \op\()\s"
form 0, "xor %ecx, %ecx; rep \op\()\s"
form 0, "mov $5, %ecx; addr32 rep \op\()\s"
form 0, "mov $40, %ecx; lea 3(%rsi), %rdi; cld; rep \op\()\s"
form 0, "mov $40, %ecx; lea -3(%rsi), %rdi; cld; rep \op\()\s"
.endr
.endm
strings movs, b, w, l, q
strings stos, b, w, l, q
strings lods, b, w, l, q
.irp op, cmps, scas
.irp s, b, w, l, q
form 0, "cld; \op\()\s"
form 0, "std; \op\()\s"
.irp rep, repe, repne
form 0, "mov $9, %ecx; cld; \rep \op\()\s"
form 0, "mov $9, %ecx; std; \rep \op\()\s"
form 0, "xor %ecx, %ecx; \rep \op\()\s"
form 0, "mov $30, %ecx; mov %rsi, %rdi; cld; \rep \op\()\s"
form 0, "mov $30, %ecx; mov %rsi, %rdi; cld; mov (%rdi), %rax; \rep \op\()\s; setz %al; seta %ah"
.endr
.endr
.endr

# --- control ---

form 0, "jmp 1f; inc %rax; 1: inc %rcx"
form 0, "call 1f; inc %rax; jmp 2f; 1: inc %rcx; ret; 2:"
form 0, "call 1f; 1: pop %rax; sub %rax, %rax"
form 0, "lea 1f(%rip), %rax; call *%rax; jmp 2f; 1: inc %rcx; ret $16; 2:"
form 0, "lea 1f(%rip), %rax; jmp *%rax; inc %rcx; 1: sub %rax, %rax"
form 0, "lea 1f(%rip), %rax; mov %rax, (%rbx); jmp *(%rbx); inc %rcx; 1: sub %rax, %rax; mov %rax, (%rbx)"
form 0, "mov $5, %ecx; 1: inc %rax; loop 1b"
form 0, "mov $5, %ecx; 1: dec %al; loope 1b"
form 0, "mov $5, %ecx; 1: cmp $3, %cl; loopne 1b"
form 0, "mov $5, %ecx; 1: inc %rax; dec %ecx; jnz 1b"
form 0, "xor %ecx, %ecx; jrcxz 1f; inc %rax; 1: inc %rdx"
form 0, "mov $9, %ecx; shl $32, %rcx; jecxz 1f; inc %rax; 1: inc %rdx"
form 0, "nop"
form 0, "nopw 5(%rax,%rax)"
form 0, "pause"
form 0, "endbr64"
form 0, "mfence; lfence; sfence"
form 0, ".byte 0xf3, 0x48, 0x90"
form 0, ".byte 0x49, 0x90"
form FORM_INTEL, ".byte 0xf3, 0x49, 0x90"        # AMD: XCHG
form 0, "clflush (%rbx)"
form 0, "prefetcht0 (%rbx)"

# --- faults: vector, registers and memory must agree ---

form 0, "ud2"
form 0, "int3"
form 0, "inc %rax; movl $1, 0"
form 0, "inc %rax; movl 0x10, %eax"
form 0, "add %rcx, %rdx; mov %rax, 0x10"
form 0, "add %rcx, %rdx; xor %eax, %eax; mov %r9, (%rax); add %rcx, %rdx"
form 0, "xor %edi, %edi; mov $3, %ecx; cld; rep stosb"
form 0, "xor %esi, %esi; mov $3, %ecx; cld; rep movsb"
form 0, "xor %eax, %eax; push %rbx; pop (%rax)"
form A, "mov $1, %eax; shl $62, %rax; mov (%rax), %ecx"
form 0, "hlt"
form 0, "cli"
form 0, "in %dx, %al"
form 0, "mov %cr0, %rax"
form 0, "lgdt (%rbx)"
form 0, ".byte 0x06"
form 0, ".byte 0x27"
form 0, ".byte 0x60"
form 0, ".byte 0xd6"
form 0, ".byte 0x0f, 0x0b"
form 0, ".byte 0x0f, 0xb9, 0x83, 0, 0, 0x10, 0"      # UD1 loads no operand
form 0, ".byte 0x0f, 0xff, 0x83, 0, 0, 0x10, 0"      # nor does UD0
form 0, ".byte 0x0f, 0xff, 0xc0"
form 0, ".byte 0xf0, 0x90"
form 0, ".byte 0xf0, 0x01, 0xc0"
form 0, ".byte 0xf0, 0x39, 0x03"
form 0, ".byte 0x8d, 0xc0"
form 0, ".byte 0x8e, 0xc8"
form 0, ".byte 0xfe, 0xd0"
form 0, ".byte 0xff, 0xff"
form 0, ".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90"
form 0, ".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90"
