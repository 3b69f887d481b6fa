# 32- and 16-bit code: what differs from 64-bit mode, and what exists only there; see forms.inc.
#include "forms.inc"

.macro both flags:req, insn:req
form32 \flags, "\insn"
form16 \flags, "\insn"
.endm

# --- one-byte INC and DEC, operand and address sizes ---

.irp op, inc, dec
.irp r, ax, cx, dx, bx, bp, si, di
both 0, "\op %\r"
both 0, "\op %e\r"
.endr
.endr
.irp op, add, adc, sub, sbb, cmp
.irp ops, "b %al, %dl", "b %ah, (%ebx)", "b (%bx), %dh", "b $0x90, %ch", "w %ax, %dx", "w 3(%esi), %ax", "w $0x8123, 6(%di)", "l %eax, %edx", "l %ecx, (%bx)", "l 8(%ebp), %eax", "l $-2, %edx", "l $0x12345678, (%ebx)"
both 0, "\op\()\ops"
.endr
.endr
.irp op, and, or, xor, test
.irp ops, "b %al, %dl", "b %ah, (%ebx)", "w %ax, %dx", "w $0x8123, 6(%di)", "l %eax, %edx", "l %ecx, (%bx)", "l $0x12345678, (%ebx)"
both A, "\op\()\ops"
.endr
.endr

# --- addresses: all of tables 2-1 and 2-2 ---

.irp ea, "(%bx,%si)", "(%bx,%di)", "(%bp,%si)", "(%bp,%di)", "(%si)", "(%di)", "(%bx)", "5(%bx,%si)", "-3(%bp)", "0x100(%bp,%di)", "0x80(%si)", "0x200", "-1(%bx)"
form16 0, "movw \ea, %ax"
form16 0, "lea \ea, %ax"
form16 0, "lea \ea, %eax"
form16 0, "movl %ecx, \ea"
form16 0, "addb $3, \ea"
form32 0, "lea \ea, %ax"
form32 0, "lea \ea, %eax"
.endr
.irp ea, "(%ebx)", "5(%esi)", "-3(%ebp)", "0x123(%edi)", "(%esp)", "4(%esp)", "(%ebx,%edx)", "7(%ebp,%edx,2)", "8(,%ebx)", "3(%ebx,%ecx,8)"
both 0, "lea \ea, %eax"
both 0, "lea \ea, %cx"
both 0, "xor %edx, %edx; xor %ecx, %ecx; movl \ea, %eax"
both 0, "xor %edx, %edx; xor %ecx, %ecx; movb %al, \ea"
.endr
form32 0, "mov 0x40010200, %eax"
form32 0, "mov %al, 0x40010200"
form32 0, "cs; mov 0x40000400, %eax"
form16 0, "cs; mov 1024, %ax"
form16 0, "xor %ecx, %ecx; cs; mov 1024(%ecx), %ax"
form16 0, "ss; mov (%bx), %ax"
form16 0, "es; mov %ax, 6(%bx)"
form16 0, "mov 0x100, %al"
form16 0, "mov %eax, 0x100"
form16 0, ".byte 0x67, 0xa3, 0, 1, 0, 0"

# --- decimal ---

.irp op, daa, das
both O, "\op"
both O, "add %cl, %al; \op"
.endr
.irp op, aaa, aas
both O|S|Z|P, "\op"
both O|S|Z|P, "sub %cl, %al; \op"
.endr
.irp n, 0, 1, 2, 3, 7, 10, 16, 100, 255
both O|A|C, "aam $\n"
both O|A|C, "aad $\n"
.endr
both 0, ".byte 0xd6"
both 0, "stc; .byte 0xd6"

# --- stack ---

both 0, "pushal"
both 0, "pushaw"
both 0, "popal"
both 0, "popaw"
both 0, "pushaw; popal"
.irp ops, "l %eax", "w %cx", "l %esp", "w %sp", "l (%bx)", "w 3(%ebx)", "l $5", "w $-5", "l $0x12345678", "w $0x1234"
both 0, "push\ops"
.endr
both 0, "popl %eax"
both 0, "popw %cx"
both 0, "popl %esp"
both 0, "popl (%ebx)"
both 0, "popw (%bx)"
both 0, "popl 4(%esp)"
both 0, "popw 4(%esp)"
.irp s, es, cs, ss, ds
both FORM_INTEL, "pushl %\s; addl $4, %esp; popl %eax; pushl %eax"
both 0, "pushw %\s"
both 0, "mov %\s, %ax"
both 0, "mov %\s, %eax"
both 0, "mov %\s, (%ebx)"
.endr
both 0, "pushfl; andl $0x8d5, (%esp)"
both 0, "pushfw; popw %ax; andw $0x8d5, %ax"
both 0, "enterw $8, $0"
both 0, "enterl $8, $0"
both 0, "enterl $8, $3"
both 0, "enterw $8, $4"
both 0, "leavel"
both 0, "leavew"
both 0, "push %eax; pop %ax"

# --- control ---

both 0, "jmp 1f; inc %eax; 1: inc %ecx"
both 0, "call 1f; inc %eax; jmp 2f; 1: inc %ecx; ret; 2:"
form32 0, "call 1f; inc %eax; jmp 2f; 1: inc %ecx; ret $8; 2:"
form16 0, "call 1f; inc %eax; jmp 2f; 1: inc %ecx; ret $8; 2:"
form16 0, "calll 1f; inc %eax; jmp 2f; 1: inc %ecx; retl; 2:"
form16 0, "mov $1024+8, %ax; jmp *%ax; nop; nop; nop; nop"
form16 0, "push $1024+5; ret; nop; nop"
.irp cc, o, b, e, be, s, p, l, le
both 0, "j\cc 1f; inc %eax; 1: inc %ecx"
both 0, "set\cc %al"
both 0, "cmov\cc %cx, %dx"
both 0, "cmov\cc %ecx, %edx"
.endr
both 0, "mov $5, %ecx; 1: inc %eax; loop 1b"
both 0, "mov $0x10005, %ecx; addr16; loop 1f; nop; 1: inc %eax"
both 0, "xor %ecx, %ecx; jecxz 1f; inc %eax; 1: inc %edx"
both 0, "mov $0x10000, %ecx; jcxz 1f; inc %eax; 1: inc %edx"
both 0, "into"
both 0, "add %ecx, %eax; into"
both 0, "int3"
both 0, "ud2"
both 0, "boundl %eax, (%ebx)"
both 0, "boundw %cx, (%ebx)"
both 0, "movl $-5, (%ebx); movl $500, 4(%ebx); movsbl %al, %eax; boundl %eax, (%ebx)"
both 0, "movl $0x01f4fffb, (%ebx); movsbl %al, %eax; boundw %ax, (%ebx)"
both 0, "hlt"
both 0, "cli"
both FORM_INTEL, ".byte 0x0f, 0x05"         # AMD: SYSCALL
both 0, ".byte 0x82, 0xc0, 0x05"

# --- strings ---

.irp op, movs, stos, lods, cmps, scas
.irp s, b, w, l
both 0, "cld; \op\s"
both 0, "std; \op\s"
both 0, "mov $9, %ecx; cld; rep; \op\s"
both 0, "mov $9, %ecx; std; rep; \op\s"
.ifc \op, scas                  # a fault in the middle: Intel puts EFLAGS back, AMD does not
both FORM_INTEL, "mov $0x10009, %ecx; cld; addr16; repne; \op\s"
.else
.ifc \op, cmps
both FORM_INTEL, "mov $0x10009, %ecx; cld; addr16; repne; \op\s"
.else
both 0, "mov $0x10009, %ecx; cld; addr16; repne; \op\s"
.endif
.endif
both 0, "mov $9, %ecx; cld; addr32; rep; \op\s"
.endr
.endr
form16 0, "mov $0x10, %cx; mov $0xfff8, %di; cld; rep; stosb"
form16 0, "es; lodsb"
form16 0, "cs; mov $1024, %si; cs; lodsw"
both 0, "xlat"

# --- others by size ---

both S|Z|A|P, "mull %ecx"
both S|Z|A|P, "mulw %cx"
both S|Z|A|P, "imull (%ebx), %eax"
both S|Z|A|P, "imulw $300, (%ebx), %ax"
both ALL, "xor %edx, %edx; divl %ecx"
both ALL, "xor %edx, %edx; divw %cx"
both 0, "bswap %eax"
both 0, "cwtl; cltd"
both 0, "cbtw; cwtd"
both 0, "movzbl %ah, %ecx"
both 0, "movsbw %al, %cx"
both 0, "xchg %eax, %ecx"
both 0, "xchgw %ax, (%bx)"
both 0, "cmpxchgl %ecx, (%ebx)"
both 0, "xaddw %cx, (%ebx)"
both 0, "lock; cmpxchg8b (%ebx)"
both 0, "movl (%ebx), %eax; movl 4(%ebx), %edx; cmpxchg8b (%ebx)"
both U_SHIFT_CL, "shll %cl, %eax"
both U_SHIFT_CL, "sarw %cl, (%ebx)"
both U_SHIFT_CL, "shldl %cl, %eax, %edx"
both A, "shll %eax"
both 0, "rcrl %eax"
both O|S|A|P, "movsbl %cl, %ecx; btsl %ecx, (%ebx)"
both O|S|A|P, "movsbl %cl, %ecx; btcw %cx, (%ebx)"
both O|S|A|P|C, "bsrw %ax, %dx"
both O|S|A|P|C, "bsfl %eax, %edx"
both 0, "lahf"
both 0, "sahf"

# --- VEX.W outside 64-bit mode: ignored, or refused ---

.irp op, "0xc4, 0xe1, 0xf9, 0x6e, 0xc8", "0xc4, 0xe1, 0xf9, 0x7e, 0xc8", "0xc4, 0xe1, 0xf2, 0x2a, 0xc8", "0xc4, 0xe1, 0xf3, 0x2a, 0xc8", "0xc4, 0xe1, 0xfa, 0x2c, 0xc8", "0xc4, 0xe1, 0xfb, 0x2d, 0xc8", "0xc4, 0xe3, 0xf9, 0x16, 0xc8, 1", "0xc4, 0xe3, 0xf9, 0x14, 0xc8, 1", "0xc4, 0xe3, 0xf9, 0x15, 0xc8, 1", "0xc4, 0xe3, 0xf9, 0x17, 0xc8, 1", "0xc4, 0xe3, 0xf1, 0x22, 0xc8, 1", "0xc4, 0xe3, 0xf1, 0x20, 0xc8, 1", "0xc4, 0xe1, 0xf1, 0xc4, 0xc8, 1", "0xc4, 0xe1, 0xf9, 0xc5, 0xc8, 1", "0xc4, 0xe2, 0xf0, 0xf2, 0xc8", "0xc4, 0xe2, 0xf8, 0xf7, 0xc8", "0xc4, 0xe2, 0xf9, 0xf7, 0xc8", "0xc4, 0xe3, 0xfb, 0xf0, 0xc8, 3", "0xc4, 0xe3, 0xf9, 0x60, 0xc8, 3", "0xc4, 0xe3, 0xf9, 0x61, 0xc8, 3"
form32 FORM_XMM|ALL, ".byte \op"
.endr
