# 32-bit protected mode: segment checks, gates, rings, tasks, I/O permission, paging, debug registers, virtual-8086 mode.
        .include "rom.inc"

# Run \insn; it must fault with \vector and \error, and the fault must point at it.
        .macro EXPECT n, vector, error, insn:vararg
        NUMBER \n
        movl $0xff, LAST_VECTOR
        movl $(66f + ROM), RESUME
65:     \insn
66:     cmpl $\vector, LAST_VECTOR
        PASS_IF e
        cmpl $\error, LAST_ERROR
        PASS_IF e
        cmpl $(65b + ROM), LAST_IP
        PASS_IF e
        .endm

# The same in ring 3 with IOPL \iopl.
        .macro EXPECT3 n, iopl, vector, error, insn:vararg
        NUMBER \n
        movl $0xff, LAST_VECTOR
        movl $(66f + ROM), RESUME
        push $0x23
        push $STACK3
        push $(2 | \iopl << 12)
        push $0x1b
        push $(65f + ROM)
        iret
65:     \insn
        mov $0xdead, %eax               # no fault: come back by the system call gate
        int $0x80
66:     cmpl $\vector, LAST_VECTOR
        PASS_IF e
        cmpl $\error, LAST_ERROR
        PASS_IF e
        cmpl $(65b + ROM), LAST_IP
        PASS_IF e
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
        .word 0xff
        .long GDT
idt_pointer:
        .word 0x7ff
        .long IDT

        .code32
protected:
        mov $0x10, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        mov %ax, %fs
        mov %ax, %gs
        mov $STACK0, %esp
        mov $0xff, %al
        out %al, $0x21
        out %al, $0xa1

# IDT: 32 interrupt gates to the stubs, all other vectors not present
        mov $IDT, %edi
        mov $(stubs + ROM), %eax
        xor %ecx, %ecx
1:      mov %ax, (%edi)
        movw $0x08, 2(%edi)
        movl %eax, 4(%edi)
        movw $0x8e00, 4(%edi)
        add $16, %eax
        add $8, %edi
        inc %ecx
        cmp $32, %ecx
        jb 1b
        movw $syscall80, IDT+0x80*8
        movw $0x08, IDT+0x80*8+2
        movl $(0xee00 | 0xf0000), IDT+0x80*8+4
        movw $syscall80, IDT+0x81*8
        movw $0x08, IDT+0x81*8+2
        movl $(0x8e00 | 0xf0000), IDT+0x81*8+4
        movw $syscall80, IDT+0x82*8
        movw $0x08, IDT+0x82*8+2
        movl $(0x6e00 | 0xf0000), IDT+0x82*8+4
        movl $0x00300000, IDT+0x83*8
        movl $0x0000e500, IDT+0x83*8+4

# TSS with ring 0 stack and an I/O bit map that allows port 0x80 alone
        mov $TSS, %edi
        xor %eax, %eax
        mov $26, %ecx
        rep stosl
        movl $STACK0, TSS+4
        movl $0x10, TSS+8
        movw $0x68, TSS+0x66
        movl $-1, %eax
        mov $(TSS + 0x68), %edi
        mov $40, %ecx
        rep stosb
        movb $0xfe, TSS+0x68+0x10
        mov $0x28, %ax
        ltr %ax

# --- segment register loads
        xor %eax, %eax
        EXPECT 1, 13, 0, mov %ax, %ss
        mov $0x1000, %eax
        EXPECT 2, 13, 0x1000, mov %ax, %ds
        mov $0x50, %eax
        EXPECT 3, 11, 0x50, mov %ax, %ds
        mov $0x50, %eax
        EXPECT 4, 12, 0x50, mov %ax, %ss
        mov $0x60, %eax
        EXPECT 5, 13, 0x60, mov %ax, %ds
        mov $0x68, %eax
        EXPECT 6, 13, 0x68, mov %ax, %ss
        mov $0x13, %eax
        EXPECT 7, 13, 0x10, mov %ax, %ss
        mov $0x28, %eax
        EXPECT 8, 13, 0x28, mov %ax, %es
        EXPECT 9, 6, 0, .byte 0x8e, 0xc8

# --- LAR, LSL, VERR, VERW
        mov $0x1b, %eax
        NUMBER 10
        lar %eax, %ebx
        PASS_IF z
        and $0x00f0fe00, %ebx
        cmp $0x00c0fa00, %ebx
        PASS_IF e
        NUMBER 11
        lsl %eax, %ebx
        PASS_IF z
        cmp $-1, %ebx
        PASS_IF e
        NUMBER 12
        mov $0x80, %eax
        lar %eax, %ebx                  # a reserved system type
        PASS_IF nz
        NUMBER 13
        mov $0x60, %eax
        verr %ax                        # execute-only
        PASS_IF nz
        NUMBER 14
        mov $0x68, %eax
        verw %ax
        PASS_IF nz
        verr %ax
        PASS_IF z
        NUMBER 15
        mov $0x40, %eax
        lsl %eax, %ebx                  # a gate has no limit
        PASS_IF nz
        lar %eax, %ebx
        PASS_IF z

# --- far transfers
        EXPECT 16, 13, 0x10, ljmp $0x10, $0
        EXPECT 17, 13, 0x18, ljmp $0x18, $0
        EXPECT 18, 13, 0, ljmp $0, $0
        NUMBER 19
        ljmp $0x58, $(conforming + ROM)
conforming:
        mov %cs, %eax
        cmp $0x58, %eax
        PASS_IF e
        ljmp $0x08, $(back08 + ROM)
back08:
        mov $0x28, %eax
        EXPECT 20, 13, 0x28, ltr %ax            # busy
        mov $0x10, %eax
        EXPECT 21, 13, 0x10, lldt %ax
        EXPECT 22, 11, (0x82*8+2), int $0x82
        EXPECT 23, 13, (0x90*8+2), int $0x90

# --- ring 3
        EXPECT3 24, 0, 13, 0, cli
        EXPECT3 25, 0, 13, 0, hlt
        EXPECT3 26, 0, 13, 0, mov %cr0, %eax
        EXPECT3 27, 0, 13, 0, in $0x81, %al
        EXPECT3 28, 0, 13, 0, in $0x80, %ax      # two ports, the second is forbidden
        EXPECT3 29, 0, 13, (0x81*8+2), int $0x81
        EXPECT3 30, 0, 13, 0x10, mov %ss:ring0_selector + ROM, %ds
        EXPECT3 31, 0, 13, 0, lgdt (0)

        NUMBER 32                               # allowed port, POPF without privilege, stack of the gate
        movl $(after_ring3 + ROM), RESUME
        push $0x23
        push $STACK3
        push $2
        push $0x1b
        push $(ring3 + ROM)
        iret
ring3:  in $0x80, %al
        pushl $0x3202
        popf
        pushf
        pop %ebx
        mov $1, %eax
        int $0x80
after_ring3:
        and $0x3200, %ebx
        PASS_IF z
        NUMBER 33
        cmpl $STACK3, LAST_SP
        PASS_IF e
        cmpl $0x1b, LAST_CS
        PASS_IF e

# --- call gate: one parameter goes over, RET n releases it on both stacks
        NUMBER 34
        movl $(after_gate + ROM), RESUME
        push $0x23
        push $STACK3
        push $2
        push $0x1b
        push $(ring3_gate + ROM)
        iret
ring3_gate:
        push $0x12345
        lcall $0x43, $0
        mov %esp, %ecx
        mov %ds, %edx
        int $0x80
gate_target:
        mov 8(%esp), %ebx
        mov %cs, %esi
        mov $0x10, %ax
        mov %ax, %ds                            # dropped on the way out
        lret $4
after_gate:
        cmp $0x12345, %ebx
        PASS_IF e
        NUMBER 35
        cmp $STACK3, %ecx
        PASS_IF e
        cmp $0x08, %esi
        PASS_IF e
        NUMBER 36
        test %edx, %edx
        PASS_IF z

# --- double fault: #NP while delivering #UD
        andb $0x7f, IDT+6*8+5
        NUMBER 37
        movl $0xff, LAST_VECTOR
        movl $(after_df + ROM), RESUME
        ud2
after_df:
        orb $0x80, IDT+6*8+5
        cmpl $11, LAST_VECTOR                   # #UD is benign: the second fault is delivered as it is
        PASS_IF e
        cmpl $(6*8+2+1), LAST_ERROR
        PASS_IF e
        NUMBER 38
        andb $0x7f, IDT+13*8+5
        movl $(after_df2 + ROM), RESUME
        xor %eax, %eax
        mov %ax, %ss
after_df2:
        orb $0x80, IDT+13*8+5
        cmpl $8, LAST_VECTOR
        PASS_IF e
        cmpl $0, LAST_ERROR
        PASS_IF e

# --- tasks: CALL nests, IRET returns; a task gate in the IDT does the same
        mov $TSS2, %edi
        xor %eax, %eax
        mov $26, %ecx
        rep stosl
        movl $(task2 + ROM), TSS2+0x20
        movl $0x2, TSS2+0x24
        movl $0x6000, TSS2+0x38
        movl $0x10, TSS2+0x48
        movl $0x08, TSS2+0x4c
        movl $0x10, TSS2+0x50
        movl $0x10, TSS2+0x54
        movl $0, SCRATCH
        mov $0x77, %ebp
        NUMBER 39
        lcall $0x30, $0
        cmpl $0x28, SCRATCH                     # back link
        PASS_IF e
        cmp $0x77, %ebp
        PASS_IF e
        NUMBER 40
        cmpl $0x4000, SCRATCH+4                 # NT in the nested task
        PASS_IF e
        str %ax
        cmp $0x28, %ax
        PASS_IF e
        NUMBER 41
        smsw %ax
        test $8, %al                            # TS
        PASS_IF nz
        clts
        testb $2, GDT+0x30+5                    # not busy any more
        PASS_IF z
        NUMBER 42
        movl $0, SCRATCH
        movl $(task2 + ROM), TSS2+0x20
        int $0x83
        cmpl $0x28, SCRATCH
        PASS_IF e
        NUMBER 43
        pushf
        pop %eax
        test $0x4000, %eax
        PASS_IF z
        clts

# --- SYSENTER, SYSEXIT
        mov $0x174, %ecx
        xor %edx, %edx
        mov $0x08, %eax
        wrmsr
        mov $0x175, %ecx
        mov $STACK0, %eax
        wrmsr
        mov $0x176, %ecx
        mov $(sysenter_target + ROM), %eax
        wrmsr
        NUMBER 44
        movl $(after_sysenter + ROM), RESUME
        push $0x23
        push $STACK3
        push $0x202
        push $0x1b
        push $(ring3_sysenter + ROM)
        iret
ring3_sysenter:
        sysenter
sysenter_target:
        mov %cs, %ebx
        pushf
        pop %esi
        mov $(ring3_sysexit + ROM), %edx
        mov $(STACK3 - 16), %ecx
        sysexit
ring3_sysexit:
        mov %cs, %ecx
        int $0x80
after_sysenter:
        cmp $0x08, %ebx
        PASS_IF e
        test $0x200, %esi
        PASS_IF z
        cmp $0x1b, %ecx
        PASS_IF e
        cmpl $(STACK3 - 16), LAST_SP
        PASS_IF e
        mov $0x174, %ecx
        xor %eax, %eax
        xor %edx, %edx
        wrmsr
        EXPECT 45, 13, 0, sysenter

# --- debug registers
        mov $SCRATCH, %eax
        mov %eax, %dr0
        mov $0x000d0401, %eax                   # four bytes, writes, L0
        mov %eax, %dr7
        xor %eax, %eax
        mov %eax, %dr6
        NUMBER 46
        movl $0xff, LAST_VECTOR
        movl $(after_watch + ROM), RESUME
        movl $1, SCRATCH
watch_next:
        jmp fail
after_watch:
        cmpl $1, LAST_VECTOR
        PASS_IF e
        cmpl $(watch_next + ROM), LAST_IP
        PASS_IF e
        mov %dr6, %eax
        and $0xe00f, %eax
        cmp $1, %eax
        PASS_IF e
        NUMBER 47
        mov SCRATCH, %eax                       # reads are not watched
        mov $(executed + ROM), %eax
        mov %eax, %dr1
        mov $0x00000404, %eax
        mov %eax, %dr7
        xor %eax, %eax
        mov %eax, %dr6
        movl $0xff, LAST_VECTOR
        movl $(after_exec + ROM), RESUME
executed:
        nop
        jmp fail
after_exec:
        cmpl $(executed + ROM), LAST_IP
        PASS_IF e
        mov %dr6, %eax
        and $0xe00f, %eax
        cmp $2, %eax
        PASS_IF e
        NUMBER 48                               # RF suppresses it for one instruction
        movl $0xff, LAST_VECTOR
        movl $(fail + ROM), RESUME
        pushl $0x10002
        push %cs
        push $(executed2 + ROM)
        mov $(executed2 + ROM), %eax
        mov %eax, %dr1
        iret
executed2:
        nop
        mov $0x2400, %eax                       # GD: any access is caught
        mov %eax, %dr7
        EXPECT 49, 1, 0, mov %dr7, %eax
        NUMBER 50
        mov %dr6, %eax
        test $0x2000, %eax
        PASS_IF nz
        mov $0x400, %eax
        mov %eax, %dr7
        xor %eax, %eax
        mov %eax, %dr6
        NUMBER 51                               # single step
        movl $(after_step + ROM), RESUME
        pushf
        orl $0x100, (%esp)
        popf
        nop
step_next:
        jmp fail
after_step:
        cmpl $(step_next + ROM), LAST_IP
        PASS_IF e
        mov %dr6, %eax
        test $0x4000, %eax
        PASS_IF nz
        mov %cr4, %eax
        or $8, %eax                             # DE: DR4 does not exist
        mov %eax, %cr4
        EXPECT 52, 6, 0, mov %dr4, %eax

# --- 32-bit paging: 4 MiB identity page, and a page table for 0x400000
        mov $0x10000, %edi
        xor %eax, %eax
        mov $2048, %ecx
        rep stosl
        movl $0x00000083, 0x10000               # 4 MiB, supervisor, writable
        movl $0x00011007, 0x10004               # page table
        movl $0xffc00083, 0x10ffc
        movl $0x00012007, 0x11000               # user, writable
        movl $0x00012005, 0x11004               # user, read-only
        movl $0x00012003, 0x11008               # supervisor, writable
        movl $0x00012001, 0x1100c               # supervisor, read-only
        mov %cr4, %eax
        or $0x10, %eax
        mov %eax, %cr4
        mov $0x10000, %eax
        mov %eax, %cr3
        mov %cr0, %eax
        or $0x80000000, %eax
        mov %eax, %cr0
        EXPECT 53, 14, 0, mov 0x404000, %eax
        NUMBER 54
        mov %cr2, %eax
        cmp $0x404000, %eax
        PASS_IF e
        EXPECT 55, 14, 2, movl %eax, 0x405678
        NUMBER 56
        mov %cr2, %eax
        cmp $0x405678, %eax
        PASS_IF e
        movl $0x55, 0x401000                    # WP is off: the supervisor may
        mov %cr0, %eax
        or $0x10000, %eax
        mov %eax, %cr0
        EXPECT 57, 14, 3, movl %eax, 0x401000
        EXPECT 58, 14, 3, movl %eax, 0x403000
        NUMBER 59
        testl $0x60, 0x11004                    # accessed and dirty
        PASS_IF nz
        mov 0x11008, %eax
        test $0x20, %eax
        PASS_IF z
        mov 0x402000, %ebx
        mov 0x11008, %eax
        and $0x60, %eax
        cmp $0x20, %eax                         # read: accessed only
        PASS_IF e
        movl $1, 0x402000
        mov 0x11008, %eax
        and $0x60, %eax
        cmp $0x60, %eax
        PASS_IF e
        NUMBER 60                               # a new mapping after INVLPG
        movl $0xabcd, 0x12000
        movl $0x1234, 0x13000
        mov 0x400000, %eax
        movl $0x00013007, 0x11000
        invlpg 0x400000
        mov 0x400000, %eax
        cmp $0x1234, %eax
        PASS_IF e
        orb $4, 0x10000                         # let ring 3 run: code and stack in the big page
        mov %cr3, %eax
        mov %eax, %cr3
        EXPECT3 61, 0, 14, 5, mov 0x402000, %eax
        EXPECT3 62, 0, 14, 7, movl %eax, 0x401000
        EXPECT3 63, 0, 14, 4, mov 0x404000, %eax
        EXPECT3 64, 0, 14, 6, movl %eax, 0x404000
        NUMBER 65                               # CR4.SMEP and CR4.SMAP: user pages are not the kernel's
        andb $0xfb, 0x10000
        mov %cr3, %eax
        mov %eax, %cr3
        mov %cr4, %eax
        or $0x300000, %eax
        mov %eax, %cr4
        movb $0xc3, 0x13000
        movl $0x00013007, 0x11000
        mov $0x400000, %ecx
        movl $0xff, LAST_VECTOR
        movl $(after_smep + ROM), RESUME
        call *%ecx
after_smep:
        cmpl $14, LAST_VECTOR
        PASS_IF e
        cmpl $0x11, LAST_ERROR
        PASS_IF e
        cmpl $0x400000, LAST_IP
        PASS_IF e
        EXPECT 66, 14, 1, mov 0x400000, %eax
        NUMBER 67
        stac
        mov 0x400000, %eax
        clac
        mov %cr4, %eax
        and $~0x300000, %eax
        mov %eax, %cr4
        mov $1, %eax
        mov $0x40000000, %eax                   # a reserved bit
        EXPECT 68, 13, 0, mov %eax, %cr4
        mov %cr0, %eax
        and $0x7fffffff, %eax
        mov %eax, %cr0

# --- virtual-8086 mode
        movw $syscall80, IDT+0x80*8
        movw $0x08, IDT+0x80*8+2
        movb $0x0e, 0x8000                      # push cs; cli; hlt
        movb $0xfa, 0x8001
        movb $0xf4, 0x8002
        movb $0xcd, 0x8010                      # int $0x80
        movb $0x80, 0x8011
        NUMBER 69
        movl $(after_vm + ROM), RESUME
        call vm86_iopl0
after_vm:
        cmpl $13, LAST_VECTOR
        PASS_IF e
        cmpl $1, LAST_IP                        # CLI with IOPL 0
        PASS_IF e
        cmpl $0x800, LAST_CS
        PASS_IF e
        NUMBER 70
        testl $0x20000, LAST_FLAGS
        PASS_IF nz
        mov %ds, %eax
        NUMBER 71                               # IOPL 3: CLI works, HLT does not
        movl $(after_vm3 + ROM), RESUME
        mov $0x23202, %eax
        xor %ebx, %ebx
        jmp vm86
after_vm3:
        cmpl $2, LAST_IP
        PASS_IF e
        testl $0x200, LAST_FLAGS
        PASS_IF z
        NUMBER 72                               # INT n through the IDT
        movl $(after_vm_int + ROM), RESUME
        mov $0x23202, %eax
        mov $0x10, %ebx
        jmp vm86
after_vm_int:
        cmpl $0x80, LAST_VECTOR
        PASS_IF e
        cmpl $0x12, LAST_IP
        PASS_IF e
        NUMBER 73                               # INT n with IOPL 0 is #GP(0)
        movl $(after_vm_int0 + ROM), RESUME
        mov $0x20002, %eax
        mov $0x10, %ebx
        jmp vm86
after_vm_int0:
        cmpl $13, LAST_VECTOR
        PASS_IF e
        cmpl $0x10, LAST_IP
        PASS_IF e

        mov $PASSED, %eax
        out %eax, $0xf4
        hlt

vm86_iopl0:
        mov $0x20002, %eax
        xor %ebx, %ebx
vm86:   pushl $0                                # gs, fs, ds, es
        pushl $0
        pushl $0
        pushl $0
        pushl $0x800                            # ss:sp
        pushl $0xf00
        pushl %eax
        pushl $0x800
        pushl %ebx
        iret

fail:   mov $0x10, %ax
        mov %ax, %ds
        mov CHECK_NO, %eax
        add $FAILED, %eax
        out %eax, $0xf4
1:      hlt
        jmp 1b

task2:  movzwl TSS2, %eax
        mov %eax, SCRATCH
        pushf
        pop %eax
        and $0x4000, %eax
        mov %eax, SCRATCH+4
        mov $0x99, %ebp
        iret
        jmp task2

ring0_selector:
        .word 0x10

# System call gate: note where it came from and go on at RESUME.
syscall80:
        pushl $0
        pushl $0x80
        jmp common

        .balign 16
stubs:
        .set n, 0
        .rept 32
        .balign 16
        .if !(n == 8 || (n >= 10 && n <= 14) || n == 17)
        pushl $0
        .endif
        pushl $n
        jmp common
        .set n, n + 1
        .endr

# Stack: vector, error, eip, cs, eflags, and esp, ss if the level changed.
        .balign 16
common: push %eax
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov 4(%esp), %eax
        mov %eax, LAST_VECTOR
        mov 8(%esp), %eax
        mov %eax, LAST_ERROR
        mov 12(%esp), %eax
        mov %eax, LAST_IP
        mov 16(%esp), %eax
        mov %eax, LAST_CS
        mov 20(%esp), %eax
        mov %eax, LAST_FLAGS
        mov 24(%esp), %eax
        mov %eax, LAST_SP
        pop %eax
        mov $STACK0, %esp
        jmp *RESUME

        .balign 8
gdt:    .quad 0
        .quad 0x00cf9a000000ffff                # 08 code
        .quad 0x00cf92000000ffff                # 10 data
        .quad 0x00cffa000000ffff                # 18 code, ring 3
        .quad 0x00cff2000000ffff                # 20 data, ring 3
        .quad 0x00008900300000ff                # 28 TSS
        .quad 0x0000890040000067                # 30 second TSS
        .quad 0x00008200500000ff                # 38 LDT
        .word gate_target, 0x08, 0xec01, 0x000f # 40 call gate, one parameter, ring 3
        .quad 0x0000e50000300000                # 48 task gate
        .quad 0x00cf12000000ffff                # 50 data, not present
        .quad 0x00cf9e000000ffff                # 58 code, conforming
        .quad 0x00cf98000000ffff                # 60 code, execute-only
        .quad 0x00cf90000000ffff                # 68 data, read-only
        .quad 0x00009200000000ff                # 70 data, 16 bits
        .quad 0x00cf96000000ffff                # 78 data, expand-down
        .quad 0x00008000000000ff                # 80 reserved system type
gdt_end:
