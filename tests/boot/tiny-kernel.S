/*
 * A kernel of a few instructions, for the loaders: checks what it was handed and ends the emulator by isa-debug-exit
 * at port 0x501 with 0x10 (status 33), or with the number of the check that failed.
 *
 * It runs twice: the first time it spoils its own data, leaves a mark in CMOS cell 0x7f and resets;
 * the second time its data must be as loaded.
 */
        .code32
        .text
#ifdef PVH
        .section .note.pvh, "a", @note
        .align 4
        .long 4, 4, 18
        .asciz "Xen"
        .long _start
        .text
#else
        .align 4
multiboot:
        .long 0x1badb002, 0x3, -(0x1badb002 + 0x3)
#endif
        .globl _start
_start:
#ifdef PVH
        mov     $1, %al
        cmpl    $0x336ec578, (%ebx)             /* start info */
        jne     fail
        mov     $2, %al
        cmpl    $1, 12(%ebx)                    /* one module: the initrd */
        jne     fail
        mov     16(%ebx), %esi
        mov     (%esi), %esi                    /* its address */
        mov     24(%ebx), %edi                  /* command line */
#else
        mov     %eax, %edx
        mov     $1, %al
        cmpl    $0x2badb002, %edx
        jne     fail
        mov     $2, %al
        cmpl    $2, 20(%ebx)                    /* two modules */
        jne     fail
        mov     24(%ebx), %esi
        mov     (%esi), %esi                    /* the first one's address */
        mov     16(%ebx), %edi
#endif
        mov     $3, %al
        cmpl    $0x656e6f, (%esi)               /* "one\0": what the file holds, and zeroes after it */
        jne     fail
        mov     $4, %al
1:      cmpb    $0, (%edi)                      /* command line: ends in '!' */
        je      2f
        inc     %edi
        jmp     1b
2:      cmpb    $'!', -1(%edi)
        jne     fail
        mov     $5, %al
        cmpl    $0x12345678, pristine
        jne     fail
        mov     $6, %al
        cmpl    $0, cleared
        jne     fail
        mov     $0x7f, %al
        out     %al, $0x70
        in      $0x71, %al
        cmp     $0x5a, %al
        je      done
        mov     $0x7f, %al
        out     %al, $0x70
        mov     $0x5a, %al
        out     %al, $0x71
        movl    $0, pristine
        movl    $1, cleared
        mov     $0xcf9, %dx
        mov     $0x02, %al
        out     %al, %dx
        mov     $0x06, %al
        out     %al, %dx
        movb    $0x42, 0xfea00202               /* microvm's reset register; nothing on the others */
3:      hlt
        jmp     3b
done:
        mov     $0x10, %al
fail:
        mov     $0x501, %dx
        out     %al, %dx
4:      hlt
        jmp     4b

        .data
pristine:
        .long   0x12345678
        .bss
cleared:
        .long   0
