# A guest that writes garbage to ports, device memory and PCI configuration space.
#
# 32-bit flat mode, no stack, no RAM: nothing that it breaks can break itself.  Parameters are patched into
# the image by the test:
#   0xff00  seed        0xff04  accesses        0xff08  what more to do
# Left out at first is what may end the run: resets, A20 off, power management, the local APIC (INIT to
# oneself), and configuration space (which moves power management).  The guest then gets to the end and
# leaves through isa-debug-exit at 0xf4 with value 0x10 (process status 33).  Bit 0 adds configuration space,
# bit 1 all the rest but the exit port; the machine may then also reset or power off.
#
# esi random state, ebx accesses left, ebp what more; eax value, edx address, ecx kind

        .macro  rand reg, rot
        imul    $1664525, %esi, %esi
        add     $1013904223, %esi
        mov     %esi, \reg
        rol     $\rot, \reg
        .endm

        .text
        .code16
start:  cli
        lgdtl   %cs:(gdt_pointer - start)
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $8, $flat

        .code32
flat:   mov     $16, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     seed, %esi
        mov     count, %ebx
        movzbl  more, %ebp

next:   dec     %ebx
        js      done
        rand    %ecx, 8
        rand    %eax, 13
        rand    %edx, 17
        cmp     $0xc0, %cl
        jae     memory
        test    $0x80, %cl
        jnz     any_port
        mov     %edx, %edi                      # one of the known devices, and 16 ports from there
        shr     $8, %edi
        and     $31, %edi
        and     $15, %edx
        movzwl  ports(,%edi,2), %edi
        add     %edi, %edx
any_port:
        and     $0xffff, %edx
        cmp     $0xf0, %dx                      # the exit port and its neighbours
        jb      1f
        cmp     $0xf7, %dx
        jbe     next
1:      cmp     $0xcf6, %dx
        jb      1f
        cmp     $0xcff, %dx
        jbe     config
1:      test    $2, %ebp
        jnz     port_access
1:      cmp     $0x5e, %dx                      # keyboard controller: no wide accesses that reach 0x64
        jb      1f
        cmp     $0x64, %dx
        ja      1f
        or      $2, %cl
        cmp     $0xf0, %al                      # pulse output port
        jae     next
        cmp     $0xd1, %al                      # write output port
        je      next
        cmp     $0xdd, %al                      # A20 off, and the ROM is gone
        je      next
1:      cmp     $0x8f, %dx                      # fast reset
        jb      1f
        cmp     $0x92, %dx
        ja      1f
        or      $2, %cl
        and     $0xfe, %al
1:      cmp     $0x600, %dx                     # power management where boards put it
        jb      1f
        cmp     $0x67f, %dx
        jbe     next
1:      cmp     $0xb000, %dx
        jb      port_access
        cmp     $0xb0ff, %dx
        jbe     next

port_access:
        test    $1, %cl
        jnz     port_in
        test    $2, %cl
        jz      1f
        out     %al, %dx
        jmp     next
1:      test    $4, %cl
        jz      1f
        out     %ax, %dx
        jmp     next
1:      out     %eax, %dx
        jmp     next
port_in:
        test    $2, %cl
        jz      1f
        in      %dx, %al
        jmp     next
1:      test    $4, %cl
        jz      1f
        in      %dx, %ax
        jmp     next
1:      in      %dx, %eax
        jmp     next

config: test    $3, %ebp
        jz      next
        cmp     $0xcfc, %dx
        jae     port_access
        and     $0xffff, %eax                   # bus 0, any function and register
        or      $0x80000000, %eax
        mov     $0xcf8, %dx
        out     %eax, %dx
        jmp     next

memory: mov     %edx, %edi
        shr     $12, %edi
        and     $7, %edi
        mov     windows(,%edi,4), %edi
        test    $2, %ebp
        jnz     1f
        cmp     $0xfee00000, %edi               # local APIC
        je      next
        test    $1, %ebp
        jnz     1f
        cmp     $0xb0000000, %edi               # ECAM
        je      next
1:      and     $0xfff, %edx
        add     %edi, %edx
        test    $1, %cl
        jnz     memory_in
        test    $2, %cl
        jz      1f
        mov     %al, (%edx)
        jmp     next
1:      test    $4, %cl
        jz      1f
        mov     %ax, (%edx)
        jmp     next
1:      mov     %eax, (%edx)
        jmp     next
memory_in:
        test    $2, %cl
        jz      1f
        mov     (%edx), %al
        jmp     next
1:      mov     (%edx), %eax
        jmp     next

done:   mov     $0x10, %al
        mov     $0xf4, %dx
        out     %al, %dx
1:      hlt
        jmp     1b

        .balign 8
gdt:    .quad   0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt
ports:  .word   0x000, 0x020, 0x040, 0x060, 0x070, 0x080, 0x090, 0x0a0, 0x0b0, 0x0c0, 0x0d0, 0x0e0, 0x170, 0x1f0
        .word   0x2e8, 0x2f8, 0x370, 0x378, 0x3b0, 0x3c0, 0x3d0, 0x3e8, 0x3f0, 0x3f8, 0x4d0, 0x500, 0x510, 0x518
        .word   0xae00, 0xaf00, 0xcf8, 0x600
windows:
        .long   0xfed00000, 0xfec00000, 0xfee00000, 0xb0000000, 0xff000000, 0xfeb00000, 0x000a0000, 0xfed40000

        .section .params, "aw"
seed:   .long   1
count:  .long   100000
more:   .byte   0

        .section .reset, "ax"
        .code16
        .byte   0xe9                            # jmp start, near: the segment base stays 0xffff0000
        .word   start - reset_next
reset_next:
