/*
 * Start of the debuggee: a 64-bit kernel without anything, entered as PVH (32-bit, paging off).
 *
 * Maps 4 GiB one to one, enters long mode and calls debuggee_main(0); wakes the other CPUs, which
 * come the same way with the next numbers.
 */
        .section .note.pvh, "a", @note
        .align 4
        .long 4, 4, 18
        .asciz "Xen"
        .long _start

        .text
        .code32
        .globl _start
_start:
        cli
        cld
        mov     $_bss_start, %edi
        mov     $_bss_end, %ecx
        sub     %edi, %ecx
        xor     %eax, %eax
        rep stosb
        movl    $pdpt + 3, pml4                 /* present, writable */
        mov     $pdpt, %edi
        mov     $pd + 3, %eax
        mov     $4, %ecx
1:      mov     %eax, (%edi)
        add     $8, %edi
        add     $4096, %eax
        loop    1b
        mov     $pd, %edi
        mov     $0x83, %eax                     /* and large */
        mov     $2048, %ecx
2:      mov     %eax, (%edi)
        add     $8, %edi
        add     $0x200000, %eax
        loop    2b
        mov     $trampoline, %esi
        mov     $0x8000, %edi
        mov     $trampoline_end - trampoline, %ecx
        rep movsb
enter_long_mode:
        mov     %cr4, %eax
        or      $0x620, %eax                    /* PAE, OSFXSR, OSXMMEXCPT */
        mov     %eax, %cr4
        mov     $pml4, %eax
        mov     %eax, %cr3
        mov     $0xc0000080, %ecx
        rdmsr
        or      $0x100, %eax                    /* LME */
        wrmsr
        mov     $0x80010003, %eax               /* PG WP, MP PE */
        mov     %eax, %cr0
        lgdt    gdt_pointer
        ljmp    $8, $long_mode

        .code64
long_mode:
        mov     $16, %eax
        mov     %eax, %ss
        mov     %eax, %ds
        mov     %eax, %es
        mov     $1, %edi
        lock xadd %edi, next_cpu
        mov     %edi, %eax
        inc     %eax
        shl     $12, %eax
        lea     stacks(%rax), %rsp
        xor     %ebp, %ebp
        push    $0                              /* where a backtrace ends */
        jmp     debuggee_main

        .code16
trampoline:                                     /* at 0x8000 */
        cli
        xor     %ax, %ax
        mov     %ax, %ds
        lgdtl   gdt_pointer_low - trampoline + 0x8000
        mov     $0x11, %eax
        mov     %eax, %cr0
        ljmpl   $24, $ap_protected
gdt_pointer_low:
        .word   gdt_end - gdt - 1
        .long   gdt
trampoline_end:

        .code32
ap_protected:
        mov     $32, %eax
        mov     %eax, %ds
        mov     %eax, %ss
        jmp     enter_long_mode

        .align 8
gdt:    .quad   0
        .quad   0x00af9b000000ffff              /* 08 64-bit code */
        .quad   0x00cf93000000ffff              /* 10 data */
        .quad   0x00cf9b000000ffff              /* 18 32-bit code */
        .quad   0x00cf93000000ffff              /* 20 data */
gdt_end:
gdt_pointer:
        .word   gdt_end - gdt - 1
        .long   gdt

        .bss
        .align 4096
pml4:   .skip 4096
pdpt:   .skip 4096
pd:     .skip 4 * 4096
stacks: .skip 8 * 4096
next_cpu: .skip 4
        .section .note.GNU-stack, "", @progbits
