# A guest that writes 200,000 bytes to COM1, waiting for THRE before each as the simplest drivers do, and
# leaves through isa-debug-exit with value 0x10.  Lines of 50 bytes: a number and dots.

        .equ    LINES, 4000

        .text
        .code16
start:  cli
        mov     $0x3f8 + 3, %dx                 # 8 bits, no parity
        mov     $3, %al
        out     %al, %dx
        xor     %si, %si
line:   mov     %si, %bx                        # four hexadecimal digits
        mov     $4, %cx
digit:  rol     $4, %bx
        mov     %bl, %al
        and     $15, %al
        add     $'0', %al
        cmp     $'9', %al
        jbe     1f
        add     $'a' - '9' - 1, %al
1:      mov     $2f, %bp
        jmp     put
2:      loop    digit
        mov     $45, %cx
dots:   mov     $'.', %al
        mov     $3f, %bp
        jmp     put
3:      loop    dots
        mov     $'\n', %al
        mov     $4f, %bp
        jmp     put
4:      inc     %si
        cmp     $LINES, %si
        jb      line
        mov     $0x10, %al
        mov     $0xf4, %dx
        out     %al, %dx
5:      hlt
        jmp     5b

put:    mov     %al, %ah                        # no stack: the return address is in bp
        mov     $0x3f8 + 5, %dx
6:      in      %dx, %al
        test    $0x20, %al
        jz      6b
        mov     %ah, %al
        mov     $0x3f8, %dx
        out     %al, %dx
        jmp     *%bp

        .section .params, "aw"
        .long   0

        .section .reset, "ax"
        .code16
        .byte   0xe9                            # jmp start, near
        .word   start - reset_next
reset_next:
