# MMX to SSE4.2, AES, PCLMULQDQ, SHA; see forms.inc.
#include "forms.inc"

.set X, FORM_XMM
.set XA, FORM_XMM | FORM_ALIGN16
.set M, FORM_MMX | FORM_XMM
.set UNALIGNED, 0       # more flags of the form that may fault

# d, s registers; x, x; 16-byte memory, aligned by its address or not (#GP)
.macro xmm ops:vararg
.irp op, \ops
form XA, "\op %xmm1, %xmm2"
form X, "\op %xmm9, %xmm3"
form X, "\op %xmm4, %xmm12"
form X, "\op %xmm5, %xmm5"
form XA, "\op (%rbx), %xmm6"
form XA, "\op -32(%rbp), %xmm15"
form X | UNALIGNED, "\op 16(%rsi), %xmm7"
.endr
.endm
# the same with a scalar in memory, which need not be aligned
.macro scalar ops:vararg
.irp op, \ops
form X, "\op %xmm1, %xmm2"
form X, "\op %xmm9, %xmm3"
form X, "\op %xmm4, %xmm12"
form X, "\op %xmm5, %xmm5"
form X, "\op (%rbx), %xmm6"
form X, "\op 7(%rsi,%r12), %xmm15"
.endr
.endm
.macro xmm_imm op, imms:vararg
.irp imm, \imms
form X, "\op $\imm, %xmm1, %xmm2"
form X, "\op $\imm, %xmm5, %xmm5"
form XA, "\op $\imm, (%rbx), %xmm12"
.endr
form X | UNALIGNED, "\op $1, 16(%rsi), %xmm7"
.endm
.macro scalar_imm op, imms:vararg
.irp imm, \imms
form X, "\op $\imm, %xmm1, %xmm2"
form X, "\op $\imm, %xmm9, %xmm9"
form X, "\op $\imm, 3(%rbx), %xmm12"
.endr
.endm
.macro mmx ops:vararg
.irp op, \ops
form M, "\op %mm1, %mm2"
form M, "\op %mm5, %mm5"
form M, "\op (%rbx), %mm6"
form M, "\op 5(%rsi,%r12), %mm7"
.endr
.endm

# --- packed integers: MMX and SSE2, SSSE3 ---

.macro both ops:vararg
xmm \ops
mmx \ops
.endm
both paddb, paddw, paddd, paddq, paddsb, paddsw, paddusb, paddusw, psubb, psubw, psubd, psubq, psubsb, psubsw, psubusb, psubusw
both pmullw, pmulhw, pmulhuw, pmuludq, pmaddwd, psadbw, pavgb, pavgw, pminub, pminsw, pmaxub, pmaxsw
both pcmpeqb, pcmpeqw, pcmpeqd, pcmpgtb, pcmpgtw, pcmpgtd, packsswb, packssdw, packuswb
both punpcklbw, punpcklwd, punpckldq, punpckhbw, punpckhwd, punpckhdq, pand, pandn, por, pxor
both psrlw, psrld, psrlq, psraw, psrad, psllw, pslld, psllq
both pshufb, phaddw, phaddd, phaddsw, phsubw, phsubd, phsubsw, pmaddubsw, psignb, psignw, psignd, pmulhrsw, pabsb, pabsw, pabsd
xmm punpcklqdq, punpckhqdq
.irp op, psrlw, psrld, psrlq, psraw, psrad, psllw, pslld, psllq
# counts in the low quadword; random ones are all beyond the width
form X, "movd %r12d, %xmm1; \op %xmm1, %xmm2"
form M, "movd %r12d, %mm1; \op %mm1, %mm2"
.irp imm, 0, 1, 7, 8, 15, 16, 31, 32, 63, 64, 255
form X, "\op $\imm, %xmm2"
form X, "\op $\imm, %xmm10"
form M, "\op $\imm, %mm3"
.endr
.endr
.irp imm, 0, 1, 4, 8, 15, 16, 200
form X, "psrldq $\imm, %xmm2"
form X, "pslldq $\imm, %xmm11"
.endr
.irp imm, 0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 255
form X, "palignr $\imm, %xmm1, %xmm2"
form XA, "palignr $\imm, (%rbx), %xmm9"
form M, "palignr $\imm, %mm1, %mm2"
form M, "palignr $\imm, 3(%rbx), %mm3"
.endr
.irp imm, 0, 0x1b, 0x4e, 0x93, 0xe4, 0xff
form M, "pshufw $\imm, %mm1, %mm2"
form M, "pshufw $\imm, 3(%rbx), %mm2"
.endr
xmm_imm pshufd, 0, 0x1b, 0x4e, 0x93, 0xe4, 0xff
xmm_imm pshufhw, 0, 0x1b, 0x4e, 0x93, 0xe4, 0xff
xmm_imm pshuflw, 0, 0x1b, 0x4e, 0x93, 0xe4, 0xff
xmm_imm shufps, 0, 0x1b, 0x4e, 0x93, 0xe4, 0xff
xmm_imm shufpd, 0, 1, 2, 3, 0xff

# --- moves ---

.irp op, movaps, movapd, movdqa, movntdqa
.ifnc \op, movntdqa
form X, "\op %xmm1, %xmm12"
form XA, "\op %xmm9, 32(%rbx)"
form X, "\op %xmm9, 32(%rbx)"
.endif
form XA, "\op (%rbx), %xmm2"
form X, "\op (%rbx), %xmm2"
.endr
.irp op, movups, movupd, movdqu
form X, "\op %xmm1, %xmm12"
form X, "\op %xmm9, 3(%rbx)"
form X, "\op 5(%rsi), %xmm2"
.endr
.irp op, movntps, movntpd, movntdq
form XA, "\op %xmm9, (%rbx)"
form X, "\op %xmm9, (%rbx)"
.endr
form X, "lddqu 5(%rsi), %xmm2"
form M, "movntq %mm3, 5(%rbx)"
form X, "movnti %rax, 5(%rbx)"
.irp op, movss, movsd
form X, "\op %xmm1, %xmm2"
form X, "\op %xmm9, %xmm12"
form X, "{store} \op %xmm1, %xmm2"
form X, "{store} \op %xmm9, %xmm12"
form X, "\op 3(%rbx), %xmm2"
form X, "\op %xmm9, 3(%rbx)"
.endr
.irp op, movlps, movlpd, movhps, movhpd
form X, "\op 3(%rbx), %xmm2"
form X, "\op 9(%rsi,%r12), %xmm9"
form X, "\op %xmm9, 3(%rbx)"
form X, "\op %xmm1, (%rsi)"
.endr
form X, "movhlps %xmm1, %xmm2"
form X, "movhlps %xmm9, %xmm12"
form X, "movlhps %xmm1, %xmm2"
form X, "movlhps %xmm9, %xmm12"
xmm movsldup, movshdup
scalar movddup
form X, "movd %ecx, %xmm2"
form X, "movq %r9, %xmm12"
form X, "movd 3(%rbx), %xmm2"
form X, "movq 3(%rbx), %xmm12"
form X, "movd %xmm2, %ecx"
form X, "movq %xmm12, %r9"
form X, "movd %xmm2, 3(%rbx)"
form X, "movq %xmm12, 3(%rbx)"
form X, "movq %xmm1, %xmm2"
form X, "{store} movq %xmm1, %xmm12"
form X, ".byte 0x66, 0x48, 0x0f, 0x7e, 0x43, 0x03"
form X, ".byte 0x66, 0x48, 0x0f, 0x6e, 0x43, 0x03"
form M, "movd %ecx, %mm2"
form M, "movq %r9, %mm3"
form M, "movd 3(%rbx), %mm2"
form M, "movq 3(%rbx), %mm3"
form M, "movd %mm2, %ecx"
form M, "movq %mm3, %r9"
form M, "movd %mm2, 3(%rbx)"
form M, "movq %mm3, 3(%rbx)"
form M, "movq %mm1, %mm2"
form M, "{store} movq %mm1, %mm4"
form M, "movq2dq %mm3, %xmm9"
form M, "movdq2q %xmm9, %mm3"
form M, "emms"
form X, "maskmovdqu %xmm1, %xmm9"
form X, "addr32 maskmovdqu %xmm2, %xmm3"
form M, "maskmovq %mm1, %mm2"
.irp op, movmskps, movmskpd, pmovmskb
form X, "\op %xmm1, %eax"
form X, "\op %xmm9, %r10d"
form X, "\op %xmm9, %r10"
.endr
form M, "pmovmskb %mm3, %ecx"
.irp imm, 0, 1, 3, 4, 7, 0xfe
form X, "pextrw $\imm, %xmm1, %eax"
form M, "pextrw $\imm, %mm1, %r9d"
form X, "pinsrw $\imm, %ecx, %xmm9"
form X, "pinsrw $\imm, 3(%rbx), %xmm2"
form M, "pinsrw $\imm, %ecx, %mm2"
form M, "pinsrw $\imm, 3(%rbx), %mm2"
form X, ".byte 0x66, 0x0f, 0x3a, 0x15, 0xc8, \imm"
form X, "pextrw $\imm, %xmm9, 3(%rbx)"
form X, "pextrb $\imm, %xmm9, %esi"
form X, "pextrb $\imm, %xmm1, 3(%rbx)"
form X, "pextrd $\imm, %xmm9, %r9d"
form X, "pextrd $\imm, %xmm1, 3(%rbx)"
form X, "pextrq $\imm, %xmm9, %r9"
form X, "pextrq $\imm, %xmm1, 3(%rbx)"
form X, "extractps $\imm, %xmm9, %eax"
form X, "extractps $\imm, %xmm1, 3(%rbx)"
form X, "pinsrb $\imm, %esi, %xmm9"
form X, "pinsrb $\imm, %eax, %xmm1"
form X, "pinsrb $\imm, 3(%rbx), %xmm2"
form X, "pinsrd $\imm, %r9d, %xmm9"
form X, "pinsrd $\imm, 3(%rbx), %xmm2"
form X, "pinsrq $\imm, %r9, %xmm9"
form X, "pinsrq $\imm, 3(%rbx), %xmm2"
.endr

# --- SSE4 integers ---

xmm pmuldq, pcmpeqq, pcmpgtq, packusdw, pminsb, pminsd, pminuw, pminud, pmaxsb, pmaxsd, pmaxuw, pmaxud, pmulld, phminposuw
scalar pmovsxbw, pmovsxbd, pmovsxbq, pmovsxwd, pmovsxwq, pmovsxdq, pmovzxbw, pmovzxbd, pmovzxbq, pmovzxwd, pmovzxwq, pmovzxdq
xmm ptest, pblendvb, blendvps, blendvpd
xmm_imm blendps, 0, 1, 5, 10, 15, 0xf3
xmm_imm blendpd, 0, 1, 2, 3, 0xf1
xmm_imm pblendw, 0, 1, 0x55, 0xaa, 0xff
xmm_imm mpsadbw, 0, 1, 2, 3, 4, 5, 6, 7, 0xfc
scalar_imm insertps, 0, 0x10, 0x4e, 0x93, 0xe4, 0xff, 0x30
.irp imm, 0x00, 0x01, 0x02, 0x03, 0x04, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x0f, 0x14, 0x18, 0x1a, 0x28, 0x34, 0x38, 0x3c, 0x40, 0x44, 0x48, 0x4c, 0x5a, 0x6d, 0x7e, 0x7f
.irp op, pcmpistri, pcmpistrm, pcmpestri, pcmpestrm
form X, "\op $\imm, %xmm1, %xmm2"
form X, "\op $\imm, 3(%rbx), %xmm9"
form X, "mov %r12d, %eax; mov %r12d, %edx; neg %edx; \op $\imm, %xmm1, %xmm2"
form X, "pxor %xmm1, %xmm1; mov $3, %eax; \op $\imm, %xmm1, %xmm2"
form X, "pcmpeqb %xmm3, %xmm3; pabsb %xmm3, %xmm3; pand %xmm3, %xmm1; pand %xmm3, %xmm2; \op $\imm, %xmm1, %xmm2"
.endr
form X, "rex.w pcmpestri $\imm, %xmm1, %xmm2"
.endr

# --- AES, PCLMULQDQ, SHA ---

xmm aesenc, aesenclast, aesdec, aesdeclast, aesimc
xmm_imm aeskeygenassist, 0, 1, 0x1b, 0xff
xmm_imm pclmulqdq, 0, 1, 0x10, 0x11, 0xff
.set UNALIGNED, FORM_INTEL      # AMD takes any address
xmm sha1nexte, sha1msg1, sha1msg2, sha256msg1, sha256msg2, sha256rnds2
xmm_imm sha1rnds4, 0, 1, 2, 3
.set UNALIGNED, 0

# --- floating point ---

xmm andps, andnps, orps, xorps, andpd, andnpd, orpd, xorpd, unpcklps, unpcklpd, unpckhps, unpckhpd
xmm addps, addpd, subps, subpd, mulps, mulpd, divps, divpd, minps, minpd, maxps, maxpd, sqrtps, sqrtpd, rcpps, rsqrtps
scalar addss, addsd, subss, subsd, mulss, mulsd, divss, divsd, minss, minsd, maxss, maxsd, sqrtss, sqrtsd, rcpss, rsqrtss
xmm addsubps, addsubpd, haddps, haddpd, hsubps, hsubpd
.irp imm, 0, 1, 2, 3, 4, 5, 6, 7, 0x4a
xmm_imm cmpps, \imm
xmm_imm cmppd, \imm
scalar_imm cmpss, \imm
scalar_imm cmpsd, \imm
.endr
scalar ucomiss, ucomisd, comiss, comisd
form X, "ucomisd %xmm1, %xmm2; ja 1f; mov $1, %eax; 1: setp %cl; cmovbe %r8, %r9"
form X, "comiss %xmm1, %xmm2; jp 1f; mov $1, %eax; 1: sete %cl; adc %r8, %r9"
.irp imm, 0, 1, 2, 3, 4, 8, 9, 12, 0xff
xmm_imm roundps, \imm
xmm_imm roundpd, \imm
scalar_imm roundss, \imm
scalar_imm roundsd, \imm
.endr
.irp imm, 0, 0x11, 0x31, 0x33, 0x7f, 0xf1, 0xff
xmm_imm dpps, \imm
xmm_imm dppd, \imm
.endr
xmm cvtpd2ps, cvtdq2ps, cvtps2dq, cvttps2dq, cvttpd2dq, cvtpd2dq
scalar cvtps2pd, cvtdq2pd, cvtss2sd, cvtsd2ss
.irp op, cvtsi2ss, cvtsi2sd
form X, "\op\()l %ecx, %xmm2"
form X, "\op\()q %rcx, %xmm9"
form X, "\op\()l 3(%rbx), %xmm2"
form X, "\op\()q 3(%rbx), %xmm9"
.endr
.irp op, cvttss2si, cvttsd2si, cvtss2si, cvtsd2si
form X, "\op %xmm2, %ecx"
form X, "\op %xmm9, %r9"
form X, "\op 3(%rbx), %ecx"
form X, "\op 3(%rbx), %r9"
.endr
.irp op, cvtpi2ps, cvtpi2pd
form M, "\op %mm3, %xmm9"
form M, "\op 3(%rbx), %xmm2"
.endr
.irp op, cvtps2pi, cvttps2pi
form M, "\op %xmm9, %mm3"
form M, "\op 3(%rbx), %mm2"
.endr
.irp op, cvtpd2pi, cvttpd2pi
form M, "\op %xmm9, %mm3"
form M | FORM_ALIGN16, "\op (%rbx), %mm2"
form M, "\op 16(%rbx), %mm2"
.endr

# sequences: values that stay in registers, flags that accumulate, halves that are kept
form X, "addsd %xmm1, %xmm2; mulsd %xmm2, %xmm3; subsd %xmm3, %xmm2; divsd %xmm1, %xmm2; movapd %xmm2, %xmm1"
form X, "movsd (%rbx), %xmm1; mulsd 8(%rbx), %xmm1; addsd 16(%rbx), %xmm1; movsd %xmm1, (%rbx); cvtsd2ss %xmm1, %xmm1; movss %xmm1, 3(%rsi)"
form XA, "movaps (%rbx), %xmm0; mulps 16(%rbx), %xmm0; addps %xmm0, %xmm1; haddps %xmm1, %xmm1; movaps %xmm1, 32(%rbx)"
form X | C | P | A | S | O, "pxor %xmm1, %xmm1; movdqu (%rbx), %xmm2; pcmpeqb %xmm1, %xmm2; pmovmskb %xmm2, %eax; test %eax, %eax; bsf %eax, %ecx"
form X, "xorps %xmm3, %xmm3; sqrtsd %xmm2, %xmm3; ucomisd %xmm3, %xmm2; setb %al; seta %ah"

# the last bytes of the test memory: an access of the operand's size, not more (no page follows)
.set END, 0x40011000    # ISA_MEM_VA + ISA_MEM_SIZE
.irp op, movss, addss, cvtss2sd, cvttss2si, ucomiss, pmovzxbd, pmovsxwq, movd
.ifc \op, cvttss2si
form X, "\op END - 4, %ecx"
form X, "\op END - 3, %ecx"
.else
form X, "\op END - 4, %xmm1"
form X, "\op END - 3, %xmm1"
.endif
.endr
.irp op, movsd, mulsd, sqrtsd, cvtps2pd, cvtdq2pd, movddup, movq, movlps, movhpd, movhps, pmovzxbw, pmovsxdq, comisd
form X, "\op END - 8, %xmm1"
form X, "\op END - 7, %xmm1"
.endr
form X, "pmovsxbq END - 2, %xmm1"
form X, "pmovsxbq END - 1, %xmm1"
form X, "pinsrb $3, END - 1, %xmm1"
form X, "pinsrw $3, END - 2, %xmm1"
form X, "insertps $0x50, END - 4, %xmm1"
form X, "movss %xmm1, END - 4"
form X, "movss %xmm1, END - 3"
form X, "movsd %xmm1, END - 8"
form X, "movhps %xmm1, END - 8"
form X, "movlpd %xmm1, END - 7"
form X, "movq %xmm1, END - 8"
form X, "movd %xmm1, END - 4"
form X, "pextrb $3, %xmm1, END - 1"
form X, "pextrw $3, %xmm1, END - 2"
form X, "extractps $3, %xmm1, END - 4"
form X, "stmxcsr END - 4"
form X, "movups END - 16, %xmm1"
form X, "movups END - 15, %xmm1"
form X, "movups %xmm1, END - 15"
form X, "cvttpd2dq END - 16, %xmm1"
form M, "punpcklbw END - 4, %mm1"
form M, "punpckhbw END - 8, %mm1"
form M, "movd END - 4, %mm1"
# (stores that fault are left out: processors clear TOP before the fault, we do not)
form M, "movq %mm1, END - 8"
form M, "movntq %mm1, END - 8"
form M, "movd %mm1, END - 4"
form M, "pcmpeqb %mm2, %mm2; mov $END - 8, %edi; maskmovq %mm2, %mm1"
form M, "cvtpi2pd END - 8, %xmm1"
form M, "cvtps2pi END - 8, %mm1"

# --- MXCSR ---

form X, "stmxcsr 3(%rbx)"
form X, "movl $0x9fc0, (%rbx); ldmxcsr (%rbx); addps %xmm1, %xmm2; mulpd %xmm3, %xmm4; divss %xmm3, %xmm5; stmxcsr 8(%rbx)"
form X, "movl $0x7fbf, (%rbx); ldmxcsr (%rbx); addps %xmm1, %xmm2; mulpd %xmm3, %xmm4; cvtps2pd %xmm2, %xmm3"
form X, "movl $0x10000, (%rbx); ldmxcsr (%rbx)"
form X, "movl $0x1f80, (%rbx); addpd %xmm1, %xmm2; ldmxcsr (%rbx); stmxcsr 4(%rbx)"
.irp csr, 0x3fc0, 0xbfc0, 0x5f80, 0xdf80, 0x1fc0, 0x9f80
.irp op, addps, subpd, mulps, divpd, sqrtps, minps, maxpd, cvtps2pd, cvtpd2ps, cvtps2dq, cvttpd2dq, cvtdq2ps, haddps, addsubpd, rcpps, rsqrtps, ucomisd, comiss, cvtss2sd, cvtsd2ss
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); \op %xmm1, %xmm2"
.endr
.irp op, "roundps $4", "roundpd $3", "roundss $12", "dpps $0xff", "dppd $0x31", "cmpps $1", "cmppd $0", "cmpsd $6"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); \op, %xmm1, %xmm2"
.endr
.irp op, "cvtsi2sdq %rcx", "cvtsi2ssl %ecx", "cvtsi2ssq %rcx"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); \op, %xmm2"
.endr
.endr
# unmasked exceptions: #XM with nothing written, flags set (the masks: invalid, all, denormal, divide, precision)
.irp csr, 0x1f00, 0x0000, 0x1e80, 0x1d80, 0x0f80
.irp op, addps, addpd, addss, addsd, mulps, divsd, divps, sqrtpd, minps, cvtps2pd, cvtsd2ss, cvtps2dq, ucomisd, comiss, haddps
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); \op %xmm1, %xmm2"
.endr
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); cvttsd2si %xmm1, %rax"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); cmppd $2, %xmm1, %xmm2"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); roundps $0, %xmm1, %xmm2"
.endr

# unmasked underflow: by a tiny result even if it is exact, and whatever FTZ says
.irp csr, 0x1780, 0x9780, 0x17c0
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); mov $0x00800000, %eax; movd %eax, %xmm1; mov $0x3f000000, %eax; movd %eax, %xmm2; mulss %xmm1, %xmm2"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); mov $0x00800000, %eax; movd %eax, %xmm1; mov $0x00c00000, %eax; movd %eax, %xmm2; subss %xmm1, %xmm2"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); mov $0x00800000, %eax; movd %eax, %xmm1; mov $0x3f800000, %eax; movd %eax, %xmm2; mulss %xmm1, %xmm2"
.endr

# --- state images; instruction pointers, the opcode and the mask of MXCSR are the host's, so blanked ---

form M | FORM_ALIGN16, "fxsave (%rbx); movw $0, 6(%rbx); movq $0, 8(%rbx); movq $0, 16(%rbx); movl $0, 28(%rbx)"
form M | FORM_ALIGN16, "fxsave64 (%rbx); movw $0, 6(%rbx); movq $0, 8(%rbx); movq $0, 16(%rbx); movl $0, 28(%rbx)"
form M, "fxsave 8(%rbx); movl $0, 36(%rbx)"
form M | FORM_ALIGN16, "fxsave (%rbx); pxor %xmm1, %xmm2; fninit; paddb %mm1, %mm2; fxrstor (%rbx); movw $0, 6(%rbx); movq $0, 8(%rbx); movq $0, 16(%rbx); movl $0, 28(%rbx)"
form M | FORM_ALIGN16, "movl $0x1fbf, 24(%rbx); fxrstor (%rbx); andl $0xff, 24(%rbx)"
form M | FORM_ALIGN16, "movl $0x10000, 24(%rbx); fxrstor (%rbx)"

# XSAVE area of x87 and SSE at a 64-byte boundary
.set AREA, 0x40010400       # ISA_MEM_VA + 1024
.macro xarea op, mask
form M, "mov $AREA, %ebx; mov $\mask, %eax; xor %edx, %edx; \op (%rbx); movw $0, 6(%rbx); movq $0, 8(%rbx); movq $0, 16(%rbx); movl $0, 28(%rbx)"
.endm
.irp op, xsave, xsave64, xsaveopt, xsavec, xsavec64
.irp mask, 0, 1, 2, 3, 4, 5, 6, 7
xarea \op, \mask
.endr
form M, "mov $AREA + 16, %ebx; mov $3, %eax; xor %edx, %edx; \op (%rbx)"
.endr
# a header that is not good, a good one, one that says "initial"
form M, "mov $AREA, %ebx; mov $3, %eax; xor %edx, %edx; movq $1, 512(%rbx); movq $5, 520(%rbx); xrstor (%rbx)"
form M, "mov $AREA, %ebx; mov $3, %eax; xor %edx, %edx; movabs $1 << 62, %rcx; mov %rcx, 512(%rbx); movq $0, 520(%rbx); movq $0, 528(%rbx); xrstor (%rbx)"
.macro xback save, mask
form M, "mov $AREA, %ebx; lea 512(%rbx), %rdi; xor %eax, %eax; mov $8, %ecx; rep stosq; mov $7, %eax; xor %edx, %edx; \save (%rbx); fninit; pxor %xmm1, %xmm2; mov $\mask, %eax; xrstor (%rbx); movl $0, 6(%rbx); movq $0, 10(%rbx); movl $0, 18(%rbx); movl $0, 28(%rbx)"
.endm
.irp save, xsave, xsavec
.irp mask, 0, 1, 2, 3, 4, 6, 7
xback \save, \mask
.endr
.endr
form M, "mov $AREA, %ebx; lea 512(%rbx), %rdi; xor %eax, %eax; mov $8, %ecx; rep stosq; mov $3, %eax; xor %edx, %edx; movl $0x1fc0, 24(%rbx); xrstor (%rbx)"
form M, "mov $AREA, %ebx; lea 512(%rbx), %rdi; xor %eax, %eax; mov $8, %ecx; rep stosq; mov $3, %eax; xor %edx, %edx; movl $-1, 24(%rbx); xrstor (%rbx)"
# upper halves that are saved, changed, and restored or put to zero
.irp save, xsave, xsavec
form M, "mov $AREA, %ebx; lea 512(%rbx), %rdi; xor %eax, %eax; mov $8, %ecx; rep stosq; mov $4, %eax; xor %edx, %edx; \save (%rbx); vaddps %ymm1, %ymm2, %ymm3; mov $4, %eax; xrstor (%rbx); movl $0, 24(%rbx); movl $0, 28(%rbx)"
form M, "mov $AREA, %ebx; lea 512(%rbx), %rdi; xor %eax, %eax; mov $8, %ecx; rep stosq; mov $3, %eax; xor %edx, %edx; \save (%rbx); mov $6, %eax; xrstor (%rbx); movw $0, 6(%rbx); movq $0, 8(%rbx); movq $0, 16(%rbx); movl $0, 28(%rbx)"
form M, "mov $AREA, %ebx; mov $7, %eax; xor %edx, %edx; movq $4, 512(%rbx); movq $0, 520(%rbx); movq $0, 528(%rbx); movl $0x1fc0, 24(%rbx); xrstor (%rbx)"
.endr
