/*
 * A PVH kernel in long mode that executes, in kernel mode, what some hosts' KVM cannot emulate there, and checks
 * every result: CMPXCHG16B (equal, unequal, misaligned, on a page that is not there), INT3, UD2, XSAVE and XRSTOR with
 * AVX state where CPUID has it, code that it rewrites between runs.
 *
 * Ends the emulator by isa-debug-exit at port 0x501 with 0x10 (status 33), or with the number of the check that failed.
 */
#define CHECKS(n)       mov $n, %bl
#define ROUNDS          200

        .code32
        .section .note.pvh, "a", @note
        .align 4
        .long 4, 4, 18
        .asciz "Xen"
        .long _start
        .text
        .globl _start
_start:
        mov     $stack_top, %esp
        mov     $pml4, %eax                     /* 0..2 MiB and 2..4 MiB, not the next */
        movl    $pdpt + 3, (%eax)
        movl    $pd + 3, pdpt
        movl    $0x83, pd
        movl    $0x200083, pd + 8
        mov     %eax, %cr3
        mov     $0x40620, %eax                  /* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE if there is XSAVE */
        mov     %eax, %edi
        mov     $1, %eax
        cpuid
        mov     %ecx, features
        bt      $26, %ecx
        jc      1f
        and     $0x620, %edi
1:      mov     %edi, %cr4
        mov     $0xc0000080, %ecx
        mov     $0x100, %eax
        xor     %edx, %edx
        wrmsr
        mov     %cr0, %eax
        and     $~0xc, %eax                     /* no EM, no TS */
        or      $0x80000002, %eax
        mov     %eax, %cr0
        lgdt    gdtr
        ljmp    $8, $long_mode

        .code64
long_mode:
        xor     %eax, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     $stack_top, %rsp
        mov     $3, %edi
        mov     $on_breakpoint, %rax
        call    set_gate
        mov     $6, %edi
        mov     $on_undefined, %rax
        call    set_gate
        mov     $13, %edi
        mov     $on_fault, %rax
        call    set_gate
        mov     $14, %edi
        mov     $on_fault, %rax
        call    set_gate
        lidt    idtr

        mov     $ROUNDS, %ebp
rounds:
        CHECKS(1)                               /* equal: stored, ZF */
        movq    $0x1111, pair
        movq    $0x2222, pair + 8
        push    %rbx
        mov     $0x1111, %eax
        mov     $0x2222, %edx
        mov     $0x3333, %ebx
        mov     $0x4444, %ecx
        lock cmpxchg16b pair
        pop     %rbx
        jnz     fail
        cmpq    $0x3333, pair
        jne     fail
        cmpq    $0x4444, pair + 8
        jne     fail
        CHECKS(2)                               /* unequal: loaded, no ZF */
        cmpxchg16b pair
        jz      fail
        cmp     $0x3333, %rax
        jne     fail
        cmp     $0x4444, %rdx
        jne     fail
        dec     %ebp
        jnz     rounds

        CHECKS(3)                               /* misaligned: #GP, error code 0 */
        movq    $after_misaligned, resume
        cmpxchg16b pair + 8
        jmp     fail
after_misaligned:
        cmpq    $0, fault_code
        jne     fail
        CHECKS(4)                               /* not present: #PF, a read or a write by the supervisor, CR2 */
        movq    $after_absent, resume
        cmpxchg16b 0x600000
        jmp     fail
after_absent:
        testq   $~2, fault_code
        jnz     fail
        mov     %cr2, %rax
        cmp     $0x600000, %rax
        jne     fail

        CHECKS(5)                               /* INT3: the handler sees what follows it */
        int3
after_int3:
        cmpq    $after_int3, breakpoint_rip
        jne     fail
        CHECKS(6)                               /* UD2: the handler sees the instruction and skips it */
undefined:
        ud2
        cmpq    $undefined, undefined_rip
        jne     fail

        CHECKS(7)                               /* the same place holds another instruction each time */
        mov     $8, %ebp
rewrite:
        movl    $0x0ec70f48, rewritten          /* cmpxchg16b (%rsi) */
        movb    $0x90, rewritten + 4
        mov     $pair, %esi
        movq    $5, pair
        movq    $6, pair + 8
        xor     %eax, %eax
        xor     %edx, %edx
        call    rewritten
        cmp     $5, %rax
        jne     fail
        movl    $0x9090cc90, rewritten          /* int3 */
        movq    $0, breakpoint_rip
        call    rewritten
        cmpq    $rewritten + 2, breakpoint_rip
        jne     fail
        dec     %ebp
        jnz     rewrite

        mov     $0x10, %bl
        testl   $1 << 26, features
        jz      done
        CHECKS(8)                               /* XSAVE, change all, XRSTOR */
        mov     $3, %eax
        xor     %edx, %edx
        testl   $1 << 28, features
        jz      1f
        mov     $7, %eax
1:      xor     %ecx, %ecx
        mov     %eax, %ebp
        xsetbv
        movups  pattern, %xmm3
        testl   $1 << 28, features
        jz      1f
        vmovups pattern, %ymm4
1:      mov     %ebp, %eax
        xsave   area
        pxor    %xmm3, %xmm3
        testl   $1 << 28, features
        jz      1f
        vpxor   %xmm4, %xmm4, %xmm4             /* its upper half too */
1:      mov     %ebp, %eax
        xrstor  area
        movups  %xmm3, seen
        mov     seen, %rax
        cmp     pattern, %rax
        jne     fail
        testl   $1 << 28, features
        jz      1f
        CHECKS(9)
        vmovups %ymm4, seen
        mov     seen + 24, %rax
        cmp     pattern + 24, %rax
        jne     fail
1:      mov     $0x10, %bl
done:
fail:
        mov     %bl, %al
        mov     $0x501, %dx
        outb    %al, %dx
        hlt
        jmp     fail

/* Vector %edi goes to %rax. */
set_gate:
        shl     $4, %edi
        mov     %ax, idt(%rdi)
        movw    $8, idt + 2(%rdi)
        movw    $0x8e00, idt + 4(%rdi)
        shr     $16, %rax
        mov     %ax, idt + 6(%rdi)
        ret

on_breakpoint:
        push    %rax
        mov     8(%rsp), %rax
        mov     %rax, breakpoint_rip
        pop     %rax
        iretq

on_undefined:
        push    %rax
        mov     8(%rsp), %rax
        mov     %rax, undefined_rip
        addq    $2, 8(%rsp)
        pop     %rax
        iretq

on_fault:
        popq    fault_code
        push    %rax
        mov     resume, %rax
        mov     %rax, 8(%rsp)
        pop     %rax
        iretq

rewritten:
        .fill   5, 1, 0x90
        ret

        .align  16
gdt:    .quad   0, 0x00af9b000000ffff
gdtr:   .word   15
        .long   gdt, 0
idtr:   .word   16 * 16 - 1
        .quad   idt
        .align  32
pattern: .quad  0x0123456789abcdef, 0x1122334455667788, 0x99aabbccddeeff00, 0xfedcba9876543210

        .bss
        .align  4096
pml4:   .skip   4096
pdpt:   .skip   4096
pd:     .skip   4096
area:   .skip   4096
idt:    .skip   256
        .align  32
seen:   .skip   32
pair:   .skip   32
resume: .skip   8
fault_code: .skip 8
breakpoint_rip: .skip 8
undefined_rip: .skip 8
features: .skip 4
        .skip   4096
stack_top:
