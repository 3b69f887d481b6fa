# Real-address mode: segments, interrupts through the IVT, far transfers, flags, unreal limits.
        .include "rom.inc"
        .section .reset, "ax"
        .code16
        .globl reset
reset:  ljmp $0xf000, $start

        .text
        .org 0
start:  cli
        xor %ax, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        mov $STACK0, %sp
        cld
        mov $0xff, %al                  # no interrupts from the board
        out %al, $0x21
        out %al, $0xa1

# --- reset state: SDM Vol.3 table 9-1
        NUMBER 1
        smsw %ax
        test $1, %ax                    # not in protected mode
        PASS_IF z
        NUMBER 2
        pushf
        pop %ax
        and $0x7fd7, %ax                # IF, TF, DF, IOPL clear
        test $0x7700, %ax
        PASS_IF z

# --- INT n: frame, IF and TF cleared, IRET brings them back
        movw $int40, 4*0x40
        movw $0xf000, 4*0x40+2
        sti
        pushf
        pop %bx
        int $0x40
after_int40:
        pushf
        pop %cx
        cli
        NUMBER 3
        cmpw $after_int40, SCRATCH      # return address in the frame
        PASS_IF e
        NUMBER 4
        cmpw $0xf000, SCRATCH+2
        PASS_IF e
        NUMBER 5
        cmp %bx, SCRATCH+4              # flags in the frame
        PASS_IF e
        NUMBER 6
        testw $0x300, SCRATCH+6         # in the handler IF = TF = 0
        PASS_IF z
        NUMBER 7
        cmp %bx, %cx
        PASS_IF e

# --- divide error: a fault, points at the instruction
        movw $fault, 0
        movw $0xf000, 2
        movw $0xff, LAST_VECTOR
        movw $after_div, RESUME
        xor %cx, %cx
div:    div %cx
        jmp fail
after_div:
        NUMBER 8
        cmpw $div, LAST_IP
        PASS_IF e

# --- undefined opcode
        movw $fault, 4*6
        movw $0xf000, 4*6+2
        movw $after_ud, RESUME
ud:     ud2
        jmp fail
after_ud:
        NUMBER 9
        cmpw $ud, LAST_IP
        PASS_IF e

# --- INT3 and INTO: traps, point behind the instruction
        movw $fault, 4*3
        movw $0xf000, 4*3+2
        movw $after_int3, RESUME
        int3
int3_next:
        jmp fail
after_int3:
        NUMBER 10
        cmpw $int3_next, LAST_IP
        PASS_IF e
        movw $fault, 4*4
        movw $0xf000, 4*4+2
        movw $after_into, RESUME
        mov $0x7f, %al
        add $1, %al
        into
into_next:
        jmp fail
after_into:
        NUMBER 11
        cmpw $into_next, LAST_IP
        PASS_IF e

# --- BOUND
        movw $fault, 4*5
        movw $0xf000, 4*5+2
        movw $10, SCRATCH
        movw $20, SCRATCH+2
        mov $20, %ax
        bound %ax, SCRATCH              # within: nothing happens
        movw $after_bound, RESUME
        mov $21, %ax
bound:  bound %ax, SCRATCH
        jmp fail
after_bound:
        NUMBER 12
        cmpw $bound, LAST_IP
        PASS_IF e

# --- a vector beyond the IDT limit is #GP
        movw $fault, 4*13
        movw $0xf000, 4*13+2
        movw $4*0x40-1, SCRATCH
        movl $0, SCRATCH+2
        lidt SCRATCH
        movw $after_limit, RESUME
limit:  int $0x40
        jmp fail
after_limit:
        movw $0x3ff, SCRATCH
        lidt SCRATCH
        NUMBER 13
        cmpw $limit, LAST_IP
        PASS_IF e

# --- single step: #DB after each instruction, TF clear in the handler
        movw $step, 4*1
        movw $0xf000, 4*1+2
        movw $0, SCRATCH
        pushf
        orw $0x100, %ss:STACK0-2
        popf
        nop
        nop
        pushf
        andw $0xfeff, %ss:STACK0-2
        popf
        NUMBER 14                       # nop, nop, pushf, andw, popf
        cmpw $5, SCRATCH
        PASS_IF e

# --- far call and return, far jump through memory
        lcall $0xf000, $far_target
after_far:
        NUMBER 15
        cmpw $after_far, SCRATCH
        PASS_IF e
        movw $far_jump_target, SCRATCH
        movw $0xf000, SCRATCH+2
        ljmp *SCRATCH
far_jump_target:
        mov $STACK0, %ax
        NUMBER 16
        cmp %ax, %sp
        PASS_IF e

# --- segment arithmetic: base = selector * 16, offsets wrap at 64 KiB
        mov $0x0100, %ax
        mov %ax, %es
        movw $0x1234, 0x1010
        NUMBER 17
        cmpw $0x1234, %es:0x10
        PASS_IF e
        movb $0x5a, %es:0xffff
        NUMBER 18
        mov $0x10ff, %bx                # 0x100:0xffff = 0x10fff
        mov %bx, %fs
        cmpb $0x5a, %fs:0xf
        PASS_IF e

# --- PUSH SP stores the old value (286 and later), POPF leaves the reserved bits
        mov %sp, %bx
        push %sp
        pop %ax
        NUMBER 19
        cmp %ax, %bx
        PASS_IF e
        pushw $0xffff & ~0x100
        popf
        pushf
        pop %ax
        cli
        NUMBER 20
        and $0x802a, %ax
        cmp $0x0002, %ax
        PASS_IF e
        pushw $2
        popf

# --- unreal mode: a limit loaded in protected mode stays
        lgdtl %cs:gdt_pointer
        smsw %ax
        or $1, %ax
        lmsw %ax
        mov $8, %bx
        mov %bx, %es
        mov %cr0, %eax
        and $0xfe, %al
        mov %eax, %cr0
        ljmp $0xf000, $unreal
unreal: xor %ax, %ax
        mov %ax, %es
        mov $0x123456, %ebx
        movl $0xcafe, %es:(%ebx)
        NUMBER 21
        cmpl $0xcafe, %es:(%ebx)
        PASS_IF e

# --- LMSW cannot leave protected mode (here: cannot clear what is clear), CLTS clears TS
        mov $8, %ax
        lmsw %ax
        NUMBER 22
        smsw %ax
        test $8, %al
        PASS_IF nz
        clts
        NUMBER 23
        smsw %ax
        test $8, %al
        PASS_IF z

# --- LOCK where it is not allowed
        movw $after_lock, RESUME
lock_nop:
        .byte 0xf0, 0x90
        jmp fail
after_lock:
        NUMBER 24
        cmpw $lock_nop, LAST_IP
        PASS_IF e

# --- string instructions
        mov $0x1000, %di
        xor %ax, %ax
        mov %ax, %es
        mov $0xa5, %al
        mov $16, %cx
        rep stosb
        NUMBER 25
        cmp $0x1010, %di
        PASS_IF e
        mov $0x1000, %si
        mov $0x1200, %di
        mov $8, %cx
        rep movsw
        NUMBER 26
        cmpl $0xa5a5a5a5, 0x120c
        PASS_IF e
        mov $0x1200, %di
        mov $20, %cx
        repe scasb
        NUMBER 27
        cmp $3, %cx
        PASS_IF e

        mov $PASSED, %eax
        out %eax, $0xf4
        hlt

fail:   xor %ax, %ax
        mov %ax, %ds
        mov CHECK_NO, %eax
        add $FAILED, %eax
        out %eax, $0xf4
1:      hlt
        jmp 1b

int40:  push %bp
        mov %sp, %bp
        push %ax
        mov 2(%bp), %ax
        mov %ax, SCRATCH
        mov 4(%bp), %ax
        mov %ax, SCRATCH+2
        mov 6(%bp), %ax
        mov %ax, SCRATCH+4
        pushf
        pop %ax
        mov %ax, SCRATCH+6
        pop %ax
        pop %bp
        iret

# Any fault: remember where, go on at RESUME.
fault:  pop LAST_IP
        add $4, %sp
        jmp *RESUME

step:   incw SCRATCH
        iret

far_target:
        push %bp
        mov %sp, %bp
        push %ax
        mov 2(%bp), %ax
        mov %ax, SCRATCH
        pop %ax
        pop %bp
        lret

gdt_pointer:
        .word 15
        .long ROM + gdt
        .balign 8
gdt:    .quad 0
        .quad 0x00cf92000000ffff
