# System instructions, exceptions and debug traps in 64-bit mode: each case is a line on COM1,
#
#   name vector error +offset flags dr6 rax
#
# with what the case raised (ff: nothing), the offset of the saved rIP in its code, and EFLAGS there.
# test-system.py compares the lines with system.expected, which is what the SDM says.

        .equ    PML4, 0x1000
        .equ    PDPT, 0x2000
        .equ    PD, 0x3000
        .equ    IDT, 0x4000
        .equ    TSS, 0x5000
        .equ    VARS, 0x6000
        .equ    STACK0, 0x8000                  # while in ring 3, TSS.RSP0
        .equ    STACK, 0x9000
        .equ    STACK3, 0xa000
        .equ    SCRATCH, 0xb000

        .equ    V_VECTOR, VARS
        .equ    V_ERROR, VARS + 8
        .equ    V_RIP, VARS + 16
        .equ    V_FLAGS, VARS + 24
        .equ    V_DR6, VARS + 32
        .equ    V_RAX, VARS + 40
        .equ    V_RESUME, VARS + 48
        .equ    V_RSP, VARS + 56
        .equ    V_BASE, VARS + 64
        .equ    V_ONCE, VARS + 72               # not 0: return to where it happened once, with RF set

        .equ    KCODE, 8
        .equ    KDATA, 16
        .equ    UDATA, 24 + 3
        .equ    UCODE, 32 + 3
        .equ    TSS_SEL, 40
        .equ    CODE32, 56

# --- cases ---

.macro begin name:req
        lea     9f(%rip), %rax
        mov     %rax, V_RESUME
        mov     %rsp, V_RSP
        movq    $0xff, V_VECTOR
        movq    $0, V_ERROR
        lea     7f(%rip), %rax
        mov     %rax, V_BASE
        lea     8f(%rip), %rax
        mov     %rax, V_RIP
        movq    $2, V_FLAGS
        movq    $0, V_DR6
        xor     %eax, %eax
        mov     %rax, %dr6
        jmp     7f
6:      .asciz  "\name"
7:
.endm
.macro end
8:      mov     %rax, V_RAX
9:      lea     6b(%rip), %rsi
        call    report
.endm
# In ring 0; returns normally or by an exception.
.macro try name:req, code:req
        begin   "\name"
        \code
        end
.endm
# In ring 3; INT 0x80 ends it.
.macro try3 name:req, code:req
        begin   "\name"
        lea     5f(%rip), %rcx
        mov     %rcx, V_BASE
        push    $UDATA
        push    $STACK3
        push    $2
        push    $UCODE
        push    %rcx
        iretq
5:      \code
        int     $0x80
        end
.endm
.macro with_tf
        pushfq
        orl     $0x100, (%rsp)
        popfq
.endm

        .text
        .code16
start:  cli
        cld
        xor     %ax, %ax
        mov     %ax, %ss
        mov     $0x7000, %sp
        mov     $0x1000, %ax
        mov     %ax, %es
        xor     %si, %si
        xor     %di, %di
        mov     $0x4000, %cx
        cs rep movsl
        ljmp    $0x1000, $(in_ram - 0x10000)
in_ram: xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     $PML4, %di                      # all tables and variables to zero
        mov     $(0xc000 - PML4) / 2, %cx
        rep stosw
        mov     $0x1000, %ax
        mov     %ax, %ds
        lgdtl   gdtr - 0x10000
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $CODE32, $protected

        .code32
protected:
        mov     $KDATA, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        movl    $PDPT + 7, PML4
        movl    $PD + 7, PDPT
        movl    $0x87, PD                       # 0 to 2 MiB; nothing else is mapped
        mov     $0x620, %eax                    # PAE, OSFXSR, OSXMMEXCPT
        mov     %eax, %cr4
        mov     $PML4, %eax
        mov     %eax, %cr3
        mov     $0xc0000080, %ecx
        rdmsr
        or      $0x100, %eax
        wrmsr
        mov     %cr0, %eax
        and     $~0x2c, %eax                    # EM, TS, NE
        or      $0x80010022, %eax               # PG, WP, NE, MP
        mov     %eax, %cr0
        ljmp    $KCODE, $long_mode

        .code64
long_mode:
        mov     $STACK, %esp
        call    make_idt
        mov     $TSS, %ebx
        movq    $STACK0, 4(%rbx)
        movw    $0xfff, 102(%rbx)               # no I/O bit map
        mov     $TSS_SEL, %eax
        ltr     %ax
        mov     $0x3f8 + 3, %edx
        mov     $3, %al
        out     %al, %dx

        # faults and traps, where rIP points
        try     "none", "nop"
        try     "ud2", "nop; ud2"
        try     "int3", "nop; int3"
        try     "int1", "nop; .byte 0xf1"
        try     "int 0x20", "nop; int $0x20"
        try     "divide by zero", "xor %ecx, %ecx; div %ecx"
        try     "divide overflow", "mov $2, %edx; mov $1, %ecx; div %ecx"
        try     "load not mapped", "mov 0x40000000, %rax"
        try     "store not mapped", "add %eax, %eax; mov %rax, 0x40000000"
        try     "fetch not mapped", "mov $0x40000000, %eax; jmp *%rax"
        try     "load not canonical", "mov $1, %eax; shl $62, %rax; mov (%rax), %al"
        try     "jump not canonical", "mov $1, %eax; shl $62, %rax; jmp *%rax"
        try     "fifteen bytes", ".fill 14, 1, 0x66; nop"
        try     "sixteen bytes", ".fill 15, 1, 0x66; nop"
        try     "far pointer bad", "mov $SCRATCH, %ebx; movl $0x1234, (%rbx); movw $0x100, 4(%rbx); ljmp *(%rbx)"

        # single steps
        try     "tf nop", "with_tf; nop; nop"
        try     "tf popf clears", "with_tf; push $2; popfq; nop"
        try     "tf jump", "with_tf; jmp 1f; nop; 1: nop; nop"
        try     "tf call", "with_tf; call 1f; 1: nop; nop"
        try     "tf mov ss", "with_tf; mov %ss, %ax; nop"
        try     "tf to ss", "mov %ss, %ecx; with_tf; mov %ecx, %ss; nop; nop"
        try     "tf rep", "mov $5, %ecx; mov $SCRATCH, %edi; with_tf; rep stosb; nop"
        try     "tf rep rcx", "mov $5, %ecx; mov $SCRATCH, %edi; with_tf; rep stosb"
        try     "tf rep zero", "xor %ecx, %ecx; with_tf; rep stosb; nop"
        try     "tf faults", "with_tf; ud2"
        try     "tf int3", "with_tf; int3; nop"
        try     "tf sgdt", "with_tf; sgdt SCRATCH; nop"
        try     "tf in", "mov $0x3fd, %edx; with_tf; in %dx, %al; nop"
        try     "tf sti", "with_tf; sti; nop; cli"
        cli
        try     "tf mov cr", "mov %cr3, %rcx; with_tf; mov %rcx, %cr3; nop"

        # breakpoints
        try     "code breakpoint", "lea 1f(%rip), %rax; mov %rax, %dr0; mov $2, %eax; mov %rax, %dr7; nop; 1: nop; nop"
        try     "code breakpoint rf", "lea 1f(%rip), %rax; mov %rax, %dr0; mov $2, %eax; mov %rax, %dr7; movq $1, V_ONCE; xor %eax, %eax; 1: inc %eax; inc %eax"
        try     "data breakpoint", "mov $SCRATCH, %eax; mov %rax, %dr1; mov $0xd00008, %eax; mov %rax, %dr7; mov SCRATCH, %al; mov %al, SCRATCH; nop; nop"
        try     "read breakpoint", "mov $SCRATCH + 4, %eax; mov %rax, %dr1; mov $0xf00008, %eax; mov %rax, %dr7; mov SCRATCH, %al; mov SCRATCH + 4, %al; nop"
        xor     %eax, %eax
        mov     %rax, %dr7
        try     "dr7 read", "mov %dr7, %rax"
        try     "dr6 read", "mov %dr6, %rax"
        try     "dr4 with de", "mov %cr4, %rax; or $8, %al; mov %rax, %cr4; mov %dr4, %rcx"
        try     "dr7 high bits", "mov $1, %eax; shl $40, %rax; mov %rax, %dr7"

        # control registers
        try     "cr0 pg without pe", "mov %cr0, %rax; and $~1, %al; mov %rax, %cr0"
        try     "cr0 nw without cd", "mov %cr0, %rax; btr $30, %eax; bts $29, %eax; mov %rax, %cr0"
        try     "cr4 reserved", "mov %cr4, %rax; or $0x8000, %eax; mov %rax, %cr4"
        try     "cr4 without pae", "mov %cr4, %rax; and $~0x20, %eax; mov %rax, %cr4"
        try     "cr8 reserved", "mov $16, %eax; mov %rax, %cr8"
        try     "cr8", "mov $5, %eax; mov %rax, %cr8; xor %eax, %eax; mov %cr8, %rax"
        xor     %eax, %eax
        mov     %rax, %cr8
        try     "cr1", ".byte 0x0f, 0x20, 0xc8"
        try     "lmsw", "mov $0xb, %eax; lmsw %ax; smsw %rax; and $0xf, %eax"
        try     "ts fnop", "fnop"
        try     "ts movaps", "movaps %xmm0, %xmm1"
        try     "ts fwait", "fwait"
        try     "clts", "clts; smsw %rax; and $0xf, %eax"
        try     "em movaps", "mov %cr0, %rax; or $4, %al; mov %rax, %cr0; movaps %xmm0, %xmm1"
        try     "em fnop", "fnop"
        mov     %cr0, %rax
        and     $~4, %al
        mov     %rax, %cr0
        try     "movaps not aligned", "movaps SCRATCH + 8, %xmm1"
        try     "cmpxchg16b not aligned", "lock cmpxchg16b SCRATCH + 8"

        # segments
        try     "null in ds", "xor %eax, %eax; mov %eax, %ds"
        try     "null in ss", "xor %eax, %eax; mov %eax, %ss"
        try     "code in ss", "mov $KCODE, %eax; mov %eax, %ss"
        try     "beyond the table", "mov $0x1000, %eax; mov %eax, %es"
        try     "ldt none", "mov $4, %eax; mov %eax, %fs"
        try     "cs", ".byte 0x8e, 0xc8"
        mov     $KDATA, %eax
        mov     %eax, %ss
        try     "lldt of data", "mov $KDATA, %eax; lldt %ax"
        try     "ltr busy", "mov $TSS_SEL, %eax; ltr %ax"
        try     "str", "str %eax"
        try     "lar code", "mov $KCODE, %ecx; lar %ecx, %eax"
        try     "lar tss", "mov $TSS_SEL, %ecx; lar %ecx, %eax"
        try     "lar none", "mov $0x1000, %ecx; mov $7, %eax; lar %ecx, %eax"
        try     "lsl data", "mov $KDATA, %ecx; lsl %ecx, %eax"
        try     "lsl null", "xor %ecx, %ecx; mov $7, %eax; lsl %ecx, %eax"
        try     "verr", "mov $KDATA, %ecx; verr %cx; setz %al; movzbl %al, %eax"
        try     "verw code", "mov $KCODE, %ecx; verw %cx; setz %al; movzbl %al, %eax"
        try     "lgdt not canonical", "mov $SCRATCH, %ebx; movw $-1, (%rbx); movq $0x1000, 2(%rbx); movb $0x80, 9(%rbx); lgdt (%rbx)"
        try     "swapgs", "mov $0xc0000102, %ecx; mov $0x1234, %eax; xor %edx, %edx; wrmsr; swapgs; mov $0xc0000101, %ecx; rdmsr"
        try     "wrmsr not canonical", "mov $0xc0000101, %ecx; mov $0x40000000, %edx; wrmsr"
        try     "mc4_ctl", "mov $0x410, %ecx; mov $0xfffffbff, %eax; mov $-1, %edx; wrmsr; xor %eax, %eax; rdmsr"
        try     "msr unknown", "mov $0x12345, %ecx; rdmsr"
        try     "efer reserved", "mov $0xc0000080, %ecx; rdmsr; or $0x2000000, %eax; wrmsr"
        try     "syscall without sce", "syscall"
        try     "far call to 32 bits", "lcall *far32(%rip); mov $0x77, %eax"
        try     "iretq bad cs", "push $KDATA; push $STACK; push $2; push $KDATA; push $0; iretq"
        try     "iretq not canonical", "mov $1, %ecx; shl $62, %rcx; push $KDATA; push $STACK; push $2; push $KCODE; push %rcx; iretq"
        try     "retf", "lea 1f(%rip), %rax; push $KCODE; push %rax; lretq; 1: mov $0x66, %eax"
        try     "xgetbv disabled", "xor %ecx, %ecx; xgetbv"
        try     "popf iopl", "push $0x3002; popfq; pushfq; pop %rax; push $2; popfq"

        # AVX is enabled by CR4.OSXSAVE and XCR0; CR0.TS traps
        try     "avx no osxsave", "vaddps %ymm1, %ymm2, %ymm3"
        try     "bmi no osxsave", "mov $3, %eax; mov $1, %ecx; andn %eax, %ecx, %eax"
        mov     %cr4, %rax
        bts     $18, %eax
        mov     %rax, %cr4
        try     "xgetbv", "xor %ecx, %ecx; xgetbv"
        try     "avx no xcr0", "vaddps %xmm1, %xmm2, %xmm3"
        try     "xsetbv avx only", "mov $5, %eax; xor %edx, %edx; xor %ecx, %ecx; xsetbv"
        try     "xsetbv sse", "mov $3, %eax; xor %edx, %edx; xor %ecx, %ecx; xsetbv"
        try     "avx xcr0 sse", "vzeroupper"
        try     "xsetbv avx", "mov $7, %eax; xor %edx, %edx; xor %ecx, %ecx; xsetbv; vpcmpeqd %ymm1, %ymm1, %ymm1; vextracti128 $1, %ymm1, %xmm2; vmovd %xmm2, %eax"
        try     "avx store not mapped", "xor %eax, %eax; vmovups %ymm1, SCRATCH; mov $0x40000000, %ecx; vmovups %ymm1, (%rcx)"
        try     "avx aligned", "vmovaps SCRATCH + 16, %ymm1"
        mov     %cr0, %rax
        bts     $3, %eax
        mov     %rax, %cr0
        try     "avx ts", "vaddps %ymm1, %ymm2, %ymm3"
        try     "bmi ts", "mov $3, %eax; mov $1, %ecx; andn %eax, %ecx, %eax"
        clts
        try     "avx after clts", "vmovd %xmm1, %eax"
        mov     %cr4, %rax
        btr     $18, %eax
        mov     %rax, %cr4
        try     "avx disabled again", "vmovd %xmm1, %eax"

        # ring 3
        try3    "user none", "nop"
        try3    "user cli", "cli"
        try3    "user sti", "sti"
        try3    "user hlt", "hlt"
        try3    "user in", "in $0x80, %al"
        try3    "user cr0", "mov %cr0, %rax"
        try3    "user rdmsr", "rdmsr"
        try3    "user lgdt", "lgdt SCRATCH"
        try3    "user invlpg", "invlpg SCRATCH"
        try3    "user clts", "clts"
        try3    "user int 0x20", "int $0x20"
        try3    "user int3", "int3"
        try3    "user popf if", "push $0x3202; popfq; pushfq; pop %rax; mov %rax, %rbx"
        try3    "user not mapped", "mov 0x40000000, %al"
        try3    "user across canonical", "mov $-1, %rax; shr $17, %rax; mov -3(%rax), %rcx"
        try3    "user below canonical", "mov $-1, %rax; shr $17, %rax; mov -7(%rax), %rcx"
        try3    "user add across canonical", "mov $-1, %rax; shr $17, %rax; addl $1, -2(%rax)"
        try3    "user scas across canonical", "mov $-1, %rdi; shr $17, %rdi; mov $3, %ecx; cld; repne scasq"
        try3    "user tf", "push $0x102; popfq; nop; nop"
        try3    "user swapgs", "swapgs"
        try3    "user rdfsbase off", "rdfsbase %rax"
        try3    "user ds kernel", "mov $KDATA, %eax; mov %eax, %ds"
        try3    "user null ss", "xor %eax, %eax; mov %eax, %ss"
        try3    "user lar kernel", "mov $KDATA, %ecx; xor %eax, %eax; lar %ecx, %eax; setz %al; movzbl %al, %ebx"
        try3    "user sysretq", "sysretq"
        mov     %cr4, %rax
        or      $4, %al
        mov     %rax, %cr4
        try3    "user rdtsc tsd", "rdtsc"
        lea     syscall_target(%rip), %rax
        mov     %rax, %rdx
        shr     $32, %rdx
        mov     $0xc0000082, %ecx
        wrmsr
        mov     $0xc0000084, %ecx
        mov     $0x100, %eax
        xor     %edx, %edx
        wrmsr
        mov     $0xc0000081, %ecx
        xor     %eax, %eax
        mov     $(UCODE - 19) << 16 | KCODE, %edx
        wrmsr
        mov     $0xc0000080, %ecx
        rdmsr
        or      $1, %eax
        wrmsr
        try3    "syscall", "stc; syscall"
        try     "sysretq", "lea 1f(%rip), %rcx; mov $3, %r11d; sysretq; 1: pushfq; pop %rax; int $0x80"

        lea     done(%rip), %rsi
        call    print
        mov     $0xf4, %edx
        mov     $0x10, %al
        out     %al, %dx
1:      cli
        hlt
        jmp     1b

# SYSCALL comes here: report rCX relative to the case, and R11
syscall_target:
        mov     V_RSP, %rsp
        sub     V_BASE, %rcx
        shl     $32, %rcx
        lea     (%rcx,%r11), %rax
        mov     %rax, V_RAX
        jmp     *V_RESUME

        .code32
in_32:  lret
        .code64

# --- exceptions ---

# Every stub has 16 bytes; 8, 10 to 14 and 17 have an error code.
        .balign 16
stubs:
        .set    vector, 0
        .rept   256
        .balign 16
        .if     vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
        .else
        push    $0
        .endif
        push    $vector
        jmp     common
        .set    vector, vector + 1
        .endr

common: push    %rax
        push    %rcx
        mov     %rax, V_RAX
        mov     16(%rsp), %rax
        mov     %rax, V_VECTOR
        mov     24(%rsp), %rax
        mov     %rax, V_ERROR
        mov     32(%rsp), %rax
        mov     %rax, V_RIP
        mov     48(%rsp), %rax
        mov     %rax, V_FLAGS
        mov     %dr6, %rax
        mov     %rax, V_DR6
        cmpq    $0, V_ONCE
        jne     2f
        mov     V_RESUME, %rax
        mov     %rax, 32(%rsp)
        movq    $KCODE, 40(%rsp)
        movq    $2, 48(%rsp)
        mov     V_RSP, %rax
        mov     %rax, 56(%rsp)
        movq    $KDATA, 64(%rsp)
        jmp     3f
2:      movq    $0, V_ONCE
        orl     $0x10000, 48(%rsp)
3:      pop     %rcx
        pop     %rax
        add     $16, %rsp
        iretq

make_idt:
        mov     $IDT, %edi
        lea     stubs(%rip), %rax
        mov     $256, %ecx
1:      mov     %ax, (%rdi)
        movw    $KCODE, 2(%rdi)
        movw    $0x8e00, 4(%rdi)
        mov     %rax, %rdx
        shr     $16, %rdx
        mov     %dx, 6(%rdi)
        movq    $0, 8(%rdi)
        add     $16, %rax
        add     $16, %edi
        cmp     $IDT + 0x1000, %edi
        jb      1b
        movb    $0xee, IDT + 3 * 16 + 5         # INT3 and INT 0x80 for everybody
        movb    $0xee, IDT + 0x80 * 16 + 5
        lidt    idtr(%rip)
        ret

# --- output ---

report: call    print
        mov     V_VECTOR, %rax
        call    number
        mov     V_ERROR, %rax
        call    number
        mov     V_RIP, %rax
        sub     V_BASE, %rax
        mov     $0xffff, %ecx                   # somewhere else
        cmp     %rcx, %rax
        cmova   %rcx, %rax
        call    number
        mov     V_FLAGS, %rax
        and     $~0x8d5, %rax                   # the arithmetic flags are the forms' business
        call    number
        mov     V_DR6, %rax
        and     $0xe00f, %eax
        call    number
        mov     V_RAX, %rax
        call    number
        mov     $'\n', %al
        jmp     put

number: push    %rax
        mov     $' ', %al
        call    put
        pop     %rbx
        mov     $16, %ecx
1:      rol     $4, %rbx                        # skip leading zeros
        dec     %ecx
        jz      2f
        test    $15, %bl
        jz      1b
2:      mov     %bl, %al
        and     $15, %al
        add     $'0', %al
        cmp     $'9', %al
        jbe     3f
        add     $'a' - '9' - 1, %al
3:      call    put
        rol     $4, %rbx
        dec     %ecx
        jns     2b
        ret

1:      call    put
print:  lodsb
        test    %al, %al
        jnz     1b
        ret

put:    mov     %al, %ah
        mov     $0x3f8 + 5, %edx
1:      in      %dx, %al
        test    $0x20, %al
        jz      1b
        mov     %ah, %al
        mov     $0x3f8, %edx
        out     %al, %dx
        ret

# --- tables ---

        .balign 8
gdt:    .quad   0
        .quad   0x00af9b000000ffff              # 8: 64-bit code
        .quad   0x00cf93000000ffff              # 16: data
        .quad   0x00cff3000000ffff              # 24: user data
        .quad   0x00affb000000ffff              # 32: user 64-bit code
        .quad   0x0000890000000067 | TSS << 16  # 40: TSS
        .quad   0
        .quad   0x00cf9b000000ffff              # 56: 32-bit code
gdt_end:
gdtr:   .word   gdt_end - gdt - 1
        .quad   gdt
idtr:   .word   0xfff
        .quad   IDT
far32:  .long   in_32
        .word   CODE32
done:   .asciz  "done\n"

        .section .reset, "ax"
        .code16
        .byte   0xe9                            # jmp start, near
        .word   start - reset_next
reset_next:
