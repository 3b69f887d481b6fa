/*
 * A boot sector that suspends to RAM by what firmware's ACPI tables say, and tells at isa-debug-exit (port 0xf4) how it came back:
 *
 *   0x10  at the waking vector, in real mode, with memory kept
 *   0x11  by a cold start: the boot sector runs a second time
 *   0x12  never left: no tables, or the machine did not go to sleep
 */
        .code16
        .text
        .globl _start
MARK = 0x600
_start:
        ljmp    $0, $1f
1:      cli
        xor     %ax, %ax
        mov     %ax, %ds
        mov     $0x11, %bl
        cmpl    $0x51554552, MARK
        je      leave
        movl    $0x51554552, MARK
        lgdt    gdtr
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmp    $8, $flat

wake:   xor     %ax, %ax
        mov     %ax, %ds
        mov     $0x11, %bl
        cmpl    $0x51554552, MARK
        jne     leave
        mov     $0x10, %bl
leave:  mov     $0xf4, %dx
        mov     %bl, %al
        out     %al, %dx
        hlt
        jmp     leave

        .code32
flat:   mov     $16, %ax
        mov     %ax, %ds
        mov     $0x12, %bl
        mov     $0xe0000, %esi          /* the RSDP, on a paragraph (ACPI 5.2.5.1) */
2:      cmpl    $0x20445352, (%esi)     /* "RSD " */
        jne     3f
        cmpl    $0x20525450, 4(%esi)    /* "PTR " */
        je      4f
3:      add     $16, %esi
        cmp     $0x100000, %esi
        jb      2b
        jmp     fail
4:      mov     16(%esi), %edi          /* RSDT */
        mov     4(%edi), %ecx
        add     %edi, %ecx
        add     $36, %edi
5:      mov     (%edi), %eax
        cmpl    $0x50434146, (%eax)     /* "FACP" */
        je      6f
        add     $4, %edi
        cmp     %ecx, %edi
        jb      5b
        jmp     fail
6:      mov     36(%eax), %esi          /* FACS */
        movl    $wake, 12(%esi)
        mov     64(%eax), %edx          /* PM1a_CNT_BLK */
        mov     $1 << 13 | 1 << 10, %ax
        out     %ax, %dx
        mov     $0x100000, %ecx         /* long enough to be stopped in */
7:      in      $0x80, %al
        loop    7b
fail:   mov     $0xf4, %dx
        mov     %bl, %al
        out     %al, %dx
        jmp     fail

        .balign 8
gdt:    .quad   0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:   .word   . - gdt - 1
        .long   gdt
        .org    510
        .word   0xaa55
