/*
 * A boot sector that shows a picture, tells its number at port 0x2e0, waits for a key, and goes on:
 *
 *   1  text: "Quern" in white on blue at the top left, the cursor off
 *   2  320x200x256: pixel (x, y) has color (x + y) & 255 of the BIOS' palette
 *   3  640x480x16: row 100 in color 12, by write mode 2
 *   4  640x480x32 by Bochs' VBE registers: the first 64 KiB of pixels count up from 0
 */
        .code16
        .text
        .globl _start
_start:
        cli
        xor     %ax, %ax
        mov     %ax, %ss
        mov     $0x7c00, %sp
        mov     %ax, %ds
        sti
        cld

        mov     $0x0003, %ax
        int     $0x10
        mov     $0x01, %ah
        mov     $0x2000, %cx
        int     $0x10
        mov     $0xb800, %ax
        mov     %ax, %es
        xor     %di, %di
        mov     $text, %si
1:      lodsb
        test    %al, %al
        jz      2f
        mov     $0x1f, %ah
        stosw
        jmp     1b
2:      mov     $'1', %al
        call    show

        mov     $0x0013, %ax
        int     $0x10
        mov     $0xa000, %ax
        mov     %ax, %es
        xor     %di, %di
        xor     %dx, %dx                /* y */
3:      xor     %cx, %cx                /* x */
4:      mov     %cl, %al
        add     %dl, %al
        stosb
        inc     %cx
        cmp     $320, %cx
        jne     4b
        inc     %dx
        cmp     $200, %dx
        jne     3b
        mov     $'2', %al
        call    show

        mov     $0x0012, %ax
        int     $0x10
        mov     $0x0205, %ax            /* graphics register 5: write mode 2 */
        mov     $0x3ce, %dx
        out     %ax, %dx
        mov     $100 * 80, %di
        mov     $80, %cx
5:      mov     %es:(%di), %al          /* fill the latches */
        mov     $12, %al
        stosb
        loop    5b
        mov     $'3', %al
        call    show

        mov     $modes, %si
6:      lodsw
        mov     $0x1ce, %dx
        out     %ax, %dx
        inc     %dx
        lodsw
        out     %ax, %dx
        cmp     $end_of_modes, %si
        jne     6b
        xor     %di, %di
        xor     %eax, %eax
        mov     $16384, %cx
7:      stosl
        inc     %eax
        loop    7b
        mov     $'4', %al
        call    show
        hlt

show:
        mov     $0x2e0, %dx
        out     %al, %dx
        xor     %ah, %ah
        int     $0x16
        ret

text:   .asciz  "Quern"
        .align  2
modes:  .word   4, 0,  1, 640,  2, 480,  3, 32,  4, 0x41
end_of_modes:
        .org    510
        .word   0xaa55
