# IA-32e mode: delivery, IST, SYSCALL and SYSRET, canonical addresses, 4-level paging with NX, PCIDs, MSRs.
        .include "rom.inc"
        .set PML4, 0x10000
        .set PDPT, 0x11000
        .set PD, 0x12000
        .set PT, 0x13000                # maps 0x400000
        .set PML4_B, 0x14000            # another address space: 0x400000 is PT_B's
        .set PDPT_B, 0x15000
        .set PD_B, 0x16000
        .set PT_B, 0x17000
        .set PAGE_A, 0x18000
        .set PAGE_B, 0x19000

        .macro EXPECT n, vector, error, insn:vararg
        NUMBER \n
        movl $0xff, LAST_VECTOR
        movq $(66f + ROM), RESUME
65:     \insn
66:     cmpl $\vector, LAST_VECTOR
        PASS_IF e
        cmpl $\error, LAST_ERROR
        PASS_IF e
        cmpq $(65b + ROM), LAST_IP
        PASS_IF e
        .endm

        .macro SETMSR n, low, high=0
        mov $\n, %ecx
        mov $\low, %eax
        mov $\high, %edx
        wrmsr
        .endm

        .section .reset, "ax"
        .code16
        .globl reset
reset:  ljmp $0xf000, $start

        .text
        .org 0
start:  cli
        cld
        xor %ax, %ax
        mov %ax, %es
        mov %ax, %ss
        mov $STACK0, %sp
        mov %cs, %ax
        mov %ax, %ds
        mov $gdt, %si
        mov $GDT, %di
        mov $(gdt_end - gdt), %cx
        rep movsb
        lgdtl gdt_pointer
        lidtl idt_pointer
        mov %cr0, %eax
        or $1, %al
        mov %eax, %cr0
        ljmpl $0x08, $(protected + ROM)
gdt_pointer:
        .word 0x7f
        .long GDT
idt_pointer:
        .word 0xfff
        .long IDT

        .code32
protected:
        mov $0x10, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        mov $STACK0, %esp
        mov $0xff, %al
        out %al, $0x21
        out %al, $0xa1
        mov $PML4, %edi
        xor %eax, %eax
        mov $(0xa000 / 4), %ecx
        rep stosl
        .irp x, PML4, PML4_B
        movl $(\x + 0x1007), \x
        movl $(\x + 0x2007), \x + 0x1000
        movl $0x00000087, \x + 0x2000           # 2 MiB identity, user too: ring 3 code is here
        movl $(\x + 0x3007), \x + 0x2010
        .endr
        movl $0x00000083, PDPT + 24             # 1 GiB page at 3 GiB: its first bytes are low memory
        movl $(PAGE_A + 7), PT
        movl $(PAGE_B + 7), PT_B
        movl $(PAGE_A + 5), PT + 8              # read-only
        movl $(PAGE_A + 3), PT + 16             # supervisor
        movl $(PAGE_A + 7), PT + 24             # no execution
        movl $0x80000000, PT + 28
        movl $(PAGE_A + 7), PT + 32             # reserved bit 51
        movl $0x00080000, PT + 36
        movl $0xa, PAGE_A
        movl $0xb, PAGE_B
        mov %cr4, %eax
        or $0x20, %eax
        mov %eax, %cr4
        mov $PML4, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        mov $0x901, %eax                        # NXE, LME, SCE
        xor %edx, %edx
        wrmsr
        mov %cr0, %eax
        or $0x80010000, %eax
        mov %eax, %cr0
        ljmp $0x18, $(long_mode + ROM)

        .code64
long_mode:
        mov $0xc0000080, %ecx
        NUMBER 1
        rdmsr
        cmp $0xd01, %eax                        # LMA came with paging
        PASS_IF e

# IDT and TSS
        mov $IDT, %edi
        mov $(stubs + ROM), %eax
        xor %ecx, %ecx
1:      movw %ax, (%rdi)
        movw $0x18, 2(%rdi)
        movl %eax, 4(%rdi)
        movw $0x8e00, 4(%rdi)
        movq $0, 8(%rdi)
        add $16, %eax
        add $16, %edi
        inc %ecx
        cmp $32, %ecx
        jb 1b
        mov $TSS, %edi
        xor %eax, %eax
        mov $26, %ecx
        rep stosl
        movq $STACK0, TSS+4
        movq $STACK_IST, TSS+0x24
        mov $0x40, %ax
        ltr %ax

# --- delivery: aligned stack, SS and RSP always pushed
        EXPECT 2, 6, 0, ud2
        NUMBER 3
        mov $(STACK0 - 4), %rsp
        movq $(after_align + ROM), RESUME
        ud2
after_align:
        cmpq $(STACK0 - 4), LAST_SP
        PASS_IF e
        mov $STACK0, %esp
        NUMBER 4
        movb $1, IDT+6*16+4                     # IST1
        movq $(after_ist + ROM), RESUME
        ud2
after_ist:
        cmpq $(STACK_IST - 48), SCRATCH         # five words and the error word
        PASS_IF e
        movb $0, IDT+6*16+4
        EXPECT 5, 13, (0x60*8+2), int $0x60  # a gate of zeros has a wrong type

# --- page faults
        EXPECT 6, 14, 0, mov 0x405000, %rax
        NUMBER 7
        mov %cr2, %rax
        cmp $0x405000, %rax
        PASS_IF e
        EXPECT 8, 14, 3, mov %rax, 0x401000
        EXPECT 9, 14, 9, mov 0x404000, %rax     # reserved bit
        NUMBER 10
        mov $0x403000, %rax
        movb $0xc3, PAGE_A + 0x10
        movq $(after_nx + ROM), RESUME
        movl $0xff, LAST_VECTOR
        add $0x10, %rax
        call *%rax
after_nx:
        cmpl $14, LAST_VECTOR
        PASS_IF e
        cmpl $0x11, LAST_ERROR
        PASS_IF e
        NUMBER 11
        mov $0x400010, %rax                     # the same bytes, executable
        call *%rax
        NUMBER 12
        mov $0xc0000600, %eax                   # the 1 GiB page
        movl $0x600600, 0x600
        cmpl $0x600600, (%rax)
        PASS_IF e

# --- canonical addresses
        movabs $0x800000000000, %rbx
        EXPECT 13, 13, 0, mov (%rbx), %rax
        NUMBER 14                               # here or, on some CPUs, at the target
        movl $0xff, LAST_VECTOR
        movq $(after_jmp + ROM), RESUME
        jmp *%rbx
after_jmp:
        cmpl $13, LAST_VECTOR
        PASS_IF e
        NUMBER 15
        mov $0xc0000102, %ecx
        mov $0x8000, %edx
        xor %eax, %eax
        EXPECT 16, 13, 0, wrmsr
        mov $0xdeadbeef, %ecx
        EXPECT 17, 13, 0, rdmsr

# --- control registers
        mov %cr0, %rax
        btr $31, %rax
        EXPECT 18, 13, 0, mov %rax, %cr0        # leaving IA-32e mode from 64-bit code
        mov %cr4, %rax
        btr $5, %rax
        EXPECT 19, 13, 0, mov %rax, %cr4
        mov $16, %eax
        EXPECT 20, 13, 0, mov %rax, %cr8
        NUMBER 21
        mov $5, %eax
        mov %rax, %cr8
        mov %cr8, %rbx
        cmp $5, %rbx
        PASS_IF e
        xor %eax, %eax
        mov %rax, %cr8
        mov $0xc0000080, %ecx
        rdmsr
        btr $8, %eax
        EXPECT 22, 13, 0, wrmsr                 # LME with paging on

# --- SYSCALL, SYSRET, SWAPGS, FS and GS bases
        SETMSR 0xc0000081, 0, 0x00200018         # user base 0x20: 32-bit code 0x20, data 0x28, code 0x30
        SETMSR 0xc0000082, (syscall_target + ROM)
        SETMSR 0xc0000084, 0x200
        SETMSR 0xc0000101, 0x1000
        SETMSR 0xc0000102, 0x2000
        NUMBER 23
        mov $(ring3 + ROM), %ecx
        mov $0x202, %r11d
        sysretq
ring3:  mov %cs, %ebx
        mov %ss, %ebp
        syscall
ring3_next:
        jmp fail
syscall_target:
        mov $STACK0, %esp
        cmp $0x33, %ebx
        PASS_IF e
        cmp $0x2b, %ebp
        PASS_IF e
        NUMBER 24
        cmp $(ring3_next + ROM), %rcx
        PASS_IF e
        test $0x200, %r11d
        PASS_IF nz
        pushf
        pop %rax
        test $0x200, %eax                       # masked
        PASS_IF z
        NUMBER 25
        mov %cs, %eax
        cmp $0x18, %eax
        PASS_IF e
        swapgs
        mov $0xc0000101, %ecx
        rdmsr
        cmp $0x2000, %eax
        PASS_IF e
        NUMBER 26
        mov %cr4, %rax
        or $0x10000, %eax
        mov %rax, %cr4
        rdgsbase %rbx
        cmp $0x2000, %rbx
        PASS_IF e

# --- ring 3: IRETQ, faults come back on RSP0
        NUMBER 27
        movq $(after_ring3 + ROM), RESUME
        pushq $0x2b
        pushq $STACK3
        pushq $2
        pushq $0x33
        pushq $(ring3_fault + ROM)
        iretq
ring3_fault:
        mov 0x402000, %rax
after_ring3:
        cmpl $14, LAST_VECTOR
        PASS_IF e
        cmpl $5, LAST_ERROR
        PASS_IF e
        cmpq $0x33, LAST_CS
        PASS_IF e
        cmpq $STACK3, LAST_SP
        PASS_IF e

# --- SMAP
        NUMBER 28
        movl $0xff, LAST_VECTOR
        movq $(after_smap + ROM), RESUME
        movb $0x83, PD                          # low memory is the kernel's from here on
        mov %cr4, %rax
        or $0x200000, %eax
        mov %rax, %cr4
        mov 0x400000, %rax
after_smap:
        cmpl $14, LAST_VECTOR
        PASS_IF e
        cmpl $1, LAST_ERROR
        PASS_IF e
        mov %cr4, %rax
        btr $21, %rax
        mov %rax, %cr4
        clac

# --- PCIDs: each keeps its translations until told
        mov %cr4, %rax
        bts $17, %rax
        mov %rax, %cr4
        movb $0x83, PD_B
        NUMBER 29
        mov $(PML4 + 1), %eax
        mov %rax, %cr3
        cmpl $0xa, 0x400000
        PASS_IF e
        mov $(PML4_B + 2), %eax
        mov %rax, %cr3
        cmpl $0xb, 0x400000
        PASS_IF e
        NUMBER 30
        mov $(PML4 + 1), %eax
        bts $63, %rax
        mov %rax, %cr3
        cmpl $0xa, 0x400000
        PASS_IF e
        mov %cr3, %rax
        cmp $(PML4 + 1), %rax                   # bit 63 is not kept
        PASS_IF e
        NUMBER 31                               # INVPCID of one address in the other context
        movl $(PAGE_A + 7), PT_B
        movq $2, SCRATCH
        movq $0x400000, SCRATCH+8
        xor %eax, %eax
        invpcid SCRATCH, %rax
        mov $(PML4_B + 2), %eax
        bts $63, %rax
        mov %rax, %cr3
        cmpl $0xa, 0x400000
        PASS_IF e
        NUMBER 32                               # a load of CR3 without bit 63 drops its PCID's
        movl $(PAGE_B + 7), PT_B
        mov $(PML4_B + 2), %eax
        mov %rax, %cr3
        cmpl $0xb, 0x400000
        PASS_IF e
        mov $4, %eax
        EXPECT 33, 13, 0, invpcid SCRATCH, %rax
        mov %cr0, %rax
        btr $31, %rax
        EXPECT 34, 13, 0, mov %rax, %cr0

# --- IRETQ to compatibility mode and back
        NUMBER 35
        pushq $0x10
        pushq $STACK0
        pushq $2
        pushq $0x08
        pushq $(compat + ROM)
        iretq
        .code32
compat: mov $0x12345678, %eax
        inc %eax                                # one byte in 32-bit code
        push %eax
        pop %ebx
        ljmp $0x18, $(from_compat + ROM)
        .code64
from_compat:
        cmp $0x12345679, %rbx
        PASS_IF e
        mov $STACK0, %esp

# --- far return to 64-bit code, LAR of a system descriptor
        NUMBER 36
        pushq $0x18
        pushq $(far_returned + ROM)
        lretq
        jmp fail
far_returned:
        mov $0x40, %eax
        lar %eax, %ebx
        PASS_IF z
        and $0xff00, %ebx
        cmp $0x8b00, %ebx
        PASS_IF e

# --- time stamp counter, TSC_AUX, IA32_TSC_ADJUST
        NUMBER 37
        SETMSR 0xc0000103, 0x1234
        rdtscp
        cmp $0x1234, %ecx
        PASS_IF e
        rdtsc
        mov %eax, %ebx
        rdtsc
        cmp %ebx, %eax
        PASS_IF ne

# --- local APIC: the self IPI arrives when interrupts are let in, not in the shadow of STI
        NUMBER 38
        SETMSR 0x1b, 0xfee00c00                  # x2APIC
        SETMSR 0x80f, 0x1ff
        movw $irq, IDT+0x50*16
        movw $0x18, IDT+0x50*16+2
        movl $(0xf0000 + 0x8e00), IDT+0x50*16+4
        movq $0, IDT+0x50*16+8
        movl $0, SCRATCH
        SETMSR 0x83f, 0x50
        cmpl $0, SCRATCH
        PASS_IF e
        xor %ebx, %ebx
        sti
        inc %ebx
        nop
        nop
        cli
        NUMBER 39
        cmpl $1, SCRATCH                        # one instruction was done first
        PASS_IF e
        NUMBER 40                               # a higher task priority holds it back
        mov $5, %eax
        mov %rax, %cr8
        movl $0, SCRATCH
        SETMSR 0x83f, 0x50
        sti
        nop
        nop
        cli
        cmpl $0, SCRATCH
        PASS_IF e
        xor %eax, %eax
        mov %rax, %cr8
        mov $2, %ebx
        sti
        nop
        nop
        cli
        cmpl $2, SCRATCH
        PASS_IF e
        NUMBER 41                               # the timer ends a HLT
        SETMSR 0x832, 0x50
        SETMSR 0x83e, 0xb
        mov $3, %ebx
        SETMSR 0x838, 1000000
        mov $3, %ebx
        sti
        hlt
        cli
        cmpl $3, SCRATCH
        PASS_IF e
        NUMBER 42                               # and so does a TSC deadline
        SETMSR 0x832, 0x40050
        rdtsc
        shl $32, %rdx
        or %rdx, %rax
        add $1000000, %rax
        mov %rax, %rdx
        shr $32, %rdx
        mov $0x6e0, %ecx
        wrmsr
        mov $4, %ebx
        sti
        hlt
        cli
        cmpl $4, SCRATCH
        PASS_IF e
        mov $0x80b, %ecx
        mov $1, %eax
        xor %edx, %edx
        EXPECT 43, 13, 0, wrmsr                 # EOI takes 0 only
        mov $0x1b, %ecx
        mov $0xfee00800, %eax
        EXPECT 44, 13, 0, wrmsr                 # x2APIC to xAPIC is no legal change

        mov $PASSED, %eax
        out %eax, $0xf4
        hlt

fail:   mov CHECK_NO, %eax
        add $FAILED, %eax
        out %eax, $0xf4
1:      hlt
        jmp 1b

irq:    mov %ebx, SCRATCH
        push %rax
        push %rcx
        push %rdx
        SETMSR 0x80b, 0
        pop %rdx
        pop %rcx
        pop %rax
        iretq

        .balign 16
stubs:
        .set n, 0
        .rept 32
        .balign 16
        .if !(n == 8 || (n >= 10 && n <= 14) || n == 17)
        pushq $0
        .endif
        pushq $n
        jmp common
        .set n, n + 1
        .endr

# Stack: vector, error, rip, cs, rflags, rsp, ss.
        .balign 16
common: push %rax
        lea 16(%rsp), %rax
        mov %rax, SCRATCH
        mov 8(%rsp), %rax
        mov %rax, LAST_VECTOR
        mov 16(%rsp), %rax
        mov %rax, LAST_ERROR
        mov 24(%rsp), %rax
        mov %rax, LAST_IP
        mov 32(%rsp), %rax
        mov %rax, LAST_CS
        mov 40(%rsp), %rax
        mov %rax, LAST_FLAGS
        mov 48(%rsp), %rax
        mov %rax, LAST_SP
        pop %rax
        mov $STACK0, %esp
        jmp *RESUME

        .balign 8
gdt:    .quad 0
        .quad 0x00cf9a000000ffff                # 08 code, 32 bits
        .quad 0x00cf92000000ffff                # 10 data
        .quad 0x00af9a000000ffff                # 18 code, 64 bits
        .quad 0x00cffa000000ffff                # 20 code, 32 bits, ring 3
        .quad 0x00cff2000000ffff                # 28 data, ring 3
        .quad 0x00affa000000ffff                # 30 code, 64 bits, ring 3
        .quad 0
        .quad 0x0000890030000067                # 40 TSS
        .quad 0
gdt_end:
