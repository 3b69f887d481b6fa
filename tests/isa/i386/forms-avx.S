# AVX, AVX2, F16C; see forms.inc.
#include "forms.inc"

.set X, FORM_XMM
.set XA, FORM_XMM | FORM_ALIGN16
.set END, 0x40011000        # ISA_MEM_VA + ISA_MEM_SIZE

# three operands of 16 bytes; memory need not be aligned
.macro v128 ops:vararg
.irp op, \ops
form X, "\op %xmm1, %xmm2, %xmm3"
form X, "\op %xmm9, %xmm3, %xmm12"
form X, "\op %xmm5, %xmm5, %xmm5"
form X, "\op %xmm1, %xmm2, %xmm1"
form X, "\op 3(%rbx), %xmm2, %xmm7"
form X, "\op END - 15, %xmm2, %xmm7"
.endr
.endm
.macro v256 ops:vararg
.irp op, \ops
form X, "\op %ymm1, %ymm2, %ymm3"
form X, "\op %ymm9, %ymm3, %ymm12"
form X, "\op %ymm5, %ymm5, %ymm5"
form X, "\op %ymm1, %ymm2, %ymm1"
form X, "\op 3(%rbx), %ymm2, %ymm7"
form X, "\op END - 31, %ymm2, %ymm7"
.endr
.endm
.macro v ops:vararg
v128 \ops
v256 \ops
.endm
.macro vs ops:vararg
.irp op, \ops
form X, "\op %xmm1, %xmm2, %xmm3"
form X, "\op %xmm9, %xmm3, %xmm12"
form X, "\op %xmm5, %xmm5, %xmm5"
form X, "\op 3(%rbx), %xmm2, %xmm7"
.endr
.endm
# two operands
.macro u128 ops:vararg
.irp op, \ops
form X, "\op %xmm1, %xmm3"
form X, "\op %xmm9, %xmm12"
form X, "\op 3(%rbx), %xmm7"
.endr
.endm
.macro u256 ops:vararg
.irp op, \ops
form X, "\op %ymm1, %ymm3"
form X, "\op %ymm9, %ymm12"
form X, "\op %ymm5, %ymm5"
form X, "\op 3(%rbx), %ymm7"
form X, "\op END - 31, %ymm7"
.endr
.endm
.macro u ops:vararg
u128 \ops
u256 \ops
.endm
.macro vi op, imms:vararg
.irp imm, \imms
form X, "\op $\imm, %xmm1, %xmm2, %xmm3"
form X, "\op $\imm, %ymm1, %ymm2, %ymm3"
form X, "\op $\imm, %ymm9, %ymm3, %ymm12"
form X, "\op $\imm, 3(%rbx), %xmm2, %xmm7"
form X, "\op $\imm, 3(%rbx), %ymm2, %ymm7"
.endr
.endm
.macro vi128 op, imms:vararg
.irp imm, \imms
form X, "\op $\imm, %xmm1, %xmm2, %xmm3"
form X, "\op $\imm, 3(%rbx), %xmm9, %xmm12"
.endr
.endm
.macro vi256 op, imms:vararg
.irp imm, \imms
form X, "\op $\imm, %ymm1, %ymm2, %ymm3"
form X, "\op $\imm, 3(%rbx), %ymm9, %ymm12"
.endr
.endm
.macro ui op, imms:vararg
.irp imm, \imms
form X, "\op $\imm, %xmm1, %xmm3"
form X, "\op $\imm, %ymm1, %ymm3"
form X, "\op $\imm, 3(%rbx), %xmm12"
form X, "\op $\imm, 3(%rbx), %ymm12"
.endr
.endm

# --- floating point ---

v vaddps, vaddpd, vsubps, vsubpd, vmulps, vmulpd, vdivps, vdivpd, vminps, vminpd, vmaxps, vmaxpd
v vaddsubps, vaddsubpd, vhaddps, vhaddpd, vhsubps, vhsubpd
v vandps, vandpd, vandnps, vandnpd, vorps, vorpd, vxorps, vxorpd
v vunpcklps, vunpcklpd, vunpckhps, vunpckhpd, vpermilps, vpermilpd
vs vaddss, vaddsd, vsubss, vsubsd, vmulss, vmulsd, vdivss, vdivsd, vminss, vminsd, vmaxss, vmaxsd
vs vsqrtss, vsqrtsd, vrcpss, vrsqrtss, vcvtss2sd, vcvtsd2ss
u vsqrtps, vsqrtpd, vrcpps, vrsqrtps, vcvtdq2ps, vcvtps2dq, vcvttps2dq, vmovshdup, vmovsldup, vmovddup
.irp op, vucomiss, vucomisd, vcomiss, vcomisd
form 0 | X, "\op %xmm1, %xmm2"
form 0 | X, "\op 3(%rbx), %xmm9"
.endr
.irp op, vcvtps2pd, vcvtdq2pd
form X, "\op %xmm1, %xmm3"
form X, "\op %xmm9, %ymm12"
form X, "\op %xmm3, %ymm3"
form X, "\op 3(%rbx), %xmm3"
form X, "\op 3(%rbx), %ymm3"
form X, "\op END - 8, %xmm3"
form X, "\op END - 16, %ymm3"
form X, "\op END - 15, %ymm3"
.endr
.irp op, vcvtpd2ps, vcvtpd2dq, vcvttpd2dq
form X, "\op %xmm1, %xmm3"
form X, "\op %ymm1, %xmm3"
form X, "\op %ymm9, %xmm12"
form X, "\op\()x 3(%rbx), %xmm3"
form X, "\op\()y 3(%rbx), %xmm3"
.endr
.irp op, vcvtsi2ss, vcvtsi2sd
form X, "\op\()l %ecx, %xmm2, %xmm3"
form X, "\op\()q %rcx, %xmm2, %xmm3"
form X, "\op\()q 3(%rbx), %xmm9, %xmm12"
.endr
.irp op, vcvtss2si, vcvttss2si, vcvtsd2si, vcvttsd2si
form X, "\op %xmm1, %ecx"
form X, "\op %xmm1, %r9"
form X, "\op 3(%rbx), %rdx"
.endr
vi vshufps, 0, 0x1b, 0x4e, 0x93, 0xff
vi vshufpd, 0, 1, 2, 5, 10, 15, 0xff
vi vblendps, 0, 0x5a, 0x0f, 0xa6, 0xff
vi vblendpd, 0, 1, 6, 9, 15, 0xff
vi vdpps, 0xff, 0x31, 0x7c
vi128 vdppd, 0xff, 0x31
ui vroundps, 0, 1, 2, 3, 4, 12
ui vroundpd, 0, 1, 2, 3, 4, 12
vi128 vroundss, 0, 3, 4
vi128 vroundsd, 1, 2, 12
ui vpermilps, 0, 0x1b, 0x4e, 0x93, 0xff
ui vpermilpd, 0, 1, 2, 5, 10, 15, 0xf6
.irp imm, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 255
form X, "vcmpps $\imm, %xmm1, %xmm2, %xmm3"
form X, "vcmpps $\imm, %ymm1, %ymm2, %ymm3"
form X, "vcmppd $\imm, 3(%rbx), %ymm2, %ymm3"
form X, "vcmpss $\imm, %xmm1, %xmm2, %xmm3"
form X, "vcmpsd $\imm, 3(%rbx), %xmm2, %xmm3"
.endr
.irp r, xmm, ymm
.irp op, vblendvps, vblendvpd, vpblendvb
form X, "\op %\r\()1, %\r\()2, %\r\()3, %\r\()4"
form X, "\op %\r\()12, 3(%rbx), %\r\()3, %\r\()9"
.endr
.irp op, vtestps, vtestpd, vptest
form X, "\op %\r\()1, %\r\()2"
form X, "\op %\r\()5, %\r\()5"
form X, "\op 3(%rbx), %\r\()9"
form X, "vpcmpeqb %xmm1, %xmm1, %xmm1; vpxor %xmm2, %xmm2, %xmm2; \op %\r\()2, %\r\()1"
.endr
.irp op, vmovmskps, vmovmskpd, vpmovmskb
form X, "\op %\r\()1, %ecx"
form X, "\op %\r\()9, %r9d"
.endr
.endr

# --- moves ---

.irp op, vmovaps, vmovapd, vmovdqa, vmovups, vmovupd, vmovdqu
form X, "\op %xmm1, %xmm12"
form X, "\op %ymm9, %ymm1"
form XA, "\op 16(%rbx), %xmm3"
form X, "\op (%rbx), %xmm3"
form XA, "\op (%rbx), %ymm3"
form X, "\op (%rbx), %ymm3"
form XA, "\op %xmm3, 16(%rbx)"
form X, "\op %xmm3, (%rbx)"
form XA, "\op %ymm3, (%rbx)"
form X, "\op %ymm3, (%rbx)"
form XA, "and $-32, %rbx; \op %ymm3, (%rbx); \op 32(%rbx), %ymm9"
form X, "\op END - 32, %ymm3"
form X, "\op END - 31, %ymm3"
form X, "\op %ymm3, END - 32"
form X, "\op %ymm3, END - 31"
form X, "\op %ymm3, END - 17"
form X, "\op %ymm3, END - 16"
form X, "\op %ymm3, END - 1"
form X, "\op %ymm3, END"
form X, "\op %ymm3, 0x4000ffff"
form X, "\op 0x4000fff8, %ymm3"
form X, ".byte 0xc5, 0xfc, 0x11, 0xca"
.endr
.irp op, vmovntps, vmovntpd, vmovntdq
form XA, "\op %xmm3, 16(%rbx)"
form X, "\op %xmm3, (%rbx)"
form XA, "\op %ymm3, (%rbx)"
form XA, "and $-32, %rbx; \op %ymm3, (%rbx)"
.endr
form XA, "vmovntdqa 16(%rbx), %xmm3"
form XA, "vmovntdqa 16(%rbx), %ymm3"
form XA, "and $-32, %rbx; vmovntdqa (%rbx), %ymm3"
form X, "vlddqu 3(%rbx), %xmm3"
form X, "vlddqu 3(%rbx), %ymm3"
.irp op, vmovss, vmovsd
form X, "\op %xmm1, %xmm2, %xmm3"
form X, "\op %xmm3, %xmm3, %xmm3"
form X, "\op 3(%rbx), %xmm3"
form X, "\op %xmm3, 3(%rbx)"
form X, "\op END - 3, %xmm3"
form X, "\op %xmm3, END - 3"
.endr
form X, ".byte 0xc5, 0xea, 0x11, 0xcb"          # the store forms of vmovss, vmovsd between registers
form X, ".byte 0xc5, 0xeb, 0x11, 0xcb"
.irp op, vmovlps, vmovlpd, vmovhps, vmovhpd
form X, "\op 3(%rbx), %xmm2, %xmm3"
form X, "\op %xmm3, 3(%rbx)"
.endr
form X, "vmovhlps %xmm1, %xmm2, %xmm3"
form X, "vmovlhps %xmm1, %xmm2, %xmm3"
form X, "vmovd %ecx, %xmm3"
form X, "vmovq %rcx, %xmm12"
form X, "vmovd 3(%rbx), %xmm3"
form X, "vmovd %xmm3, %ecx"
form X, "vmovq %xmm3, %rcx"
form X, "vmovd %xmm3, 3(%rbx)"
form X, "vmovq 3(%rbx), %xmm3"
form X, "vmovq %xmm1, %xmm3"
form X, "vmovq %xmm3, 3(%rbx)"
form X, ".byte 0xc5, 0xf9, 0xd6, 0xca"
form X, "vpinsrb $3, %ecx, %xmm2, %xmm3"
form X, "vpinsrb $3, 3(%rbx), %xmm2, %xmm3"
form X, "vpinsrw $3, %ecx, %xmm2, %xmm3"
form X, "vpinsrd $3, 3(%rbx), %xmm2, %xmm3"
form X, "vpinsrq $1, %rcx, %xmm2, %xmm3"
form X, "vpextrb $3, %xmm2, %ecx"
form X, "vpextrb $3, %xmm2, 3(%rbx)"
form X, "vpextrw $3, %xmm2, %ecx"
form X, "vpextrw $3, %xmm2, 3(%rbx)"
form X, "vpextrd $3, %xmm2, %ecx"
form X, "vpextrq $1, %xmm2, 3(%rbx)"
form X, "vextractps $3, %xmm2, %ecx"
form X, "vinsertps $0x9a, %xmm1, %xmm2, %xmm3"
form X, "vinsertps $0x9a, 3(%rbx), %xmm2, %xmm3"
form X, "vmaskmovdqu %xmm1, %xmm2"
form X, "vstmxcsr 3(%rbx)"
form X, "movl $0x1fc0, (%rbx); vldmxcsr (%rbx); vaddps %xmm1, %xmm2, %xmm3; vstmxcsr 4(%rbx)"
form X, "vzeroupper"
form X, "vzeroall"
form X, "vaddps %ymm1, %ymm2, %ymm3; vzeroupper; vaddps %ymm3, %ymm2, %ymm4"
form X, "vaddps %ymm1, %ymm2, %ymm3; addps %xmm3, %xmm4; vaddps %xmm3, %xmm4, %xmm5; vmulps %ymm5, %ymm4, %ymm6"
form X, "vaddps %ymm1, %ymm2, %ymm3; vmovups END, %ymm4"
form X, "vaddps %xmm1, %xmm2, %xmm3; vpaddd %ymm1, %ymm2, %ymm9; vmovups %ymm4, END - 8"

# --- integers ---

v vpaddb, vpaddw, vpaddd, vpaddq, vpaddsb, vpaddsw, vpaddusb, vpaddusw, vpsubb, vpsubw, vpsubd, vpsubq, vpsubsb, vpsubsw, vpsubusb, vpsubusw
v vpmullw, vpmulhw, vpmulhuw, vpmuludq, vpmuldq, vpmulld, vpmulhrsw, vpmaddwd, vpmaddubsw, vpsadbw, vpavgb, vpavgw
v vpminub, vpminsw, vpminsb, vpminsd, vpminuw, vpminud, vpmaxub, vpmaxsw, vpmaxsb, vpmaxsd, vpmaxuw, vpmaxud
v vpcmpeqb, vpcmpeqw, vpcmpeqd, vpcmpeqq, vpcmpgtb, vpcmpgtw, vpcmpgtd, vpcmpgtq
v vpacksswb, vpackssdw, vpackuswb, vpackusdw, vpunpcklbw, vpunpcklwd, vpunpckldq, vpunpcklqdq, vpunpckhbw, vpunpckhwd, vpunpckhdq, vpunpckhqdq
v vpand, vpandn, vpor, vpxor, vpshufb, vphaddw, vphaddd, vphaddsw, vphsubw, vphsubd, vphsubsw, vpsignb, vpsignw, vpsignd
u vpabsb, vpabsw, vpabsd
u128 vphminposuw, vaesimc
v128 vaesenc, vaesenclast, vaesdec, vaesdeclast
v256 vaesenc, vaesenclast, vaesdec, vaesdeclast
ui vpshufd, 0, 0x1b, 0x4e, 0x93, 0xff
ui vpshufhw, 0, 0x1b, 0x93
ui vpshuflw, 0, 0x1b, 0x93
vi vpblendw, 0, 0x5a, 0xa6, 0xff
vi vpblendd, 0, 0x5a, 0x0f, 0xa6, 0xff
vi vpalignr, 0, 1, 8, 15, 16, 17, 31, 255
vi vmpsadbw, 0, 0x0a, 0x15, 0x3f
vi vpclmulqdq, 0, 1, 0x10, 0x11
.irp imm, 0, 1, 0x1b
form X, "vaeskeygenassist $\imm, %xmm1, %xmm3"
.endr
.irp op, vpsrlw, vpsrld, vpsrlq, vpsraw, vpsrad, vpsllw, vpslld, vpsllq
form X, "vmovd %r12d, %xmm1; \op %xmm1, %xmm2, %xmm3"
form X, "vmovd %r12d, %xmm1; \op %xmm1, %ymm2, %ymm3"
form X, "\op %xmm1, %ymm2, %ymm3"
form X, "\op 3(%rbx), %ymm2, %ymm3"
form X, "movq $3, 3(%rbx); \op 3(%rbx), %ymm2, %ymm3"
form X, "\op END - 16, %ymm2, %ymm3"
.irp imm, 0, 1, 7, 15, 16, 31, 32, 63, 64, 255
form X, "\op $\imm, %xmm2, %xmm3"
form X, "\op $\imm, %ymm9, %ymm12"
.endr
.endr
.irp imm, 0, 1, 8, 15, 16, 200
form X, "vpsrldq $\imm, %xmm2, %xmm3"
form X, "vpsrldq $\imm, %ymm2, %ymm3"
form X, "vpslldq $\imm, %xmm2, %xmm9"
form X, "vpslldq $\imm, %ymm11, %ymm3"
.endr
.irp s, s, z
.irp t, bw, bd, bq, wd, wq, dq
form X, "vpmov\s\()x\t %xmm1, %xmm3"
form X, "vpmov\s\()x\t %xmm9, %ymm12"
form X, "vpmov\s\()x\t %xmm3, %ymm3"
form X, "vpmov\s\()x\t 3(%rbx), %xmm3"
form X, "vpmov\s\()x\t 3(%rbx), %ymm3"
form X, "vpmov\s\()x\t END - 2, %xmm3"
form X, "vpmov\s\()x\t END - 4, %ymm3"
form X, "vpmov\s\()x\t END - 8, %ymm3"
.endr
.endr
.irp op, vpcmpistri, vpcmpistrm, vpcmpestri, vpcmpestrm
form X, "\op $0x0c, %xmm1, %xmm2"
form X, "\op $0x44, 3(%rbx), %xmm2"
.endr

# --- variable shifts ---

v vpsrlvd, vpsrlvq, vpsravd, vpsllvd, vpsllvq
.irp op, vpsrlvd, vpsrlvq, vpsravd, vpsllvd, vpsllvq
form X, "vpsrld $27, %ymm1, %ymm1; \op %ymm1, %ymm2, %ymm3"
form X, "vpsrlq $58, %ymm1, %ymm1; \op %ymm1, %ymm2, %ymm3"
.endr

# --- across lanes ---

v256 vpermd, vpermps
.irp imm, 0, 0x1b, 0x4e, 0x93, 0xe4, 0xff, 0x72
form X, "vpermq $\imm, %ymm1, %ymm3"
form X, "vpermpd $\imm, 3(%rbx), %ymm12"
.endr
vi256 vperm2f128, 0, 1, 2, 3, 0x13, 0x20, 0x31, 0x08, 0x80, 0x88, 0x3a
vi256 vperm2i128, 0, 1, 2, 3, 0x13, 0x20, 0x31, 0x08, 0x80, 0x88, 0x3a
.irp t, f, i
.irp imm, 0, 1, 0xff
form X, "vinsert\t\()128 $\imm, %xmm1, %ymm2, %ymm3"
form X, "vinsert\t\()128 $\imm, 3(%rbx), %ymm9, %ymm12"
form X, "vextract\t\()128 $\imm, %ymm2, %xmm3"
form X, "vextract\t\()128 $\imm, %ymm12, 3(%rbx)"
form X, "vextract\t\()128 $\imm, %ymm12, END - 15"
.endr
form X, "vbroadcast\t\()128 3(%rbx), %ymm3"
.endr
.irp op, vpbroadcastb, vpbroadcastw, vpbroadcastd, vpbroadcastq, vbroadcastss
form X, "\op %xmm1, %xmm3"
form X, "\op %xmm9, %ymm12"
form X, "\op 3(%rbx), %xmm3"
form X, "\op 3(%rbx), %ymm3"
.endr
form X, "vbroadcastsd %xmm9, %ymm12"
form X, "vbroadcastsd 3(%rbx), %ymm3"
form X, "vpbroadcastb END - 1, %ymm3"
form X, "vpbroadcastw END - 2, %ymm3"
form X, "vpbroadcastw END - 1, %ymm3"

# --- masked moves, gathers ---

.irp r, xmm, ymm
.irp op, vmaskmovps, vmaskmovpd, vpmaskmovd, vpmaskmovq
form X, "\op 3(%rbx), %\r\()2, %\r\()3"
form X, "\op %\r\()2, %\r\()12, 3(%rbx)"
form X, "\op END - 16, %\r\()2, %\r\()3"
form X, "\op %\r\()2, %\r\()12, END - 16"
form X, "\op END - 4, %\r\()2, %\r\()3"
form X, "\op %\r\()2, %\r\()12, END - 4"
form X, "\op %\r\()2, %\r\()12, END - 5"
form X, "\op %\r\()2, %\r\()12, 0x4000fff8"
form X, "vpxor %xmm2, %xmm2, %xmm2; \op %\r\()12, %\r\()2, 0x10; \op 0x10, %\r\()2, %\r\()3"
.endr
.endr
.macro gather op, index, data, scale
form X, "vpsrld $28, %ymm4, %ymm4; vpsrlq $60, %ymm5, %ymm5; \op %\data\()1, (%rbx,%\index\()4,\scale), %\data\()3"
form X, "vpsrlq $59, %ymm5, %ymm5; \op %\data\()9, 5(%rbx,%\index\()5,\scale), %\data\()12"
# some elements fault
form X|FORM_AMD, "vpsrld $23, %ymm4, %ymm4; \op %\data\()1, END - 300(,%\index\()4,\scale), %\data\()3"
form X|FORM_AMD, "vpsrlq $54, %ymm4, %ymm4; \op %\data\()1, END - 300(,%\index\()4,\scale), %\data\()3"
form X|FORM_AMD, "vpsrlq $54, %ymm4, %ymm4; addr32 \op %\data\()1, END - 300(,%\index\()4,\scale), %\data\()3"
.endm
gather vgatherdps, xmm, xmm, 1
gather vgatherdps, ymm, ymm, 4
gather vpgatherdd, xmm, xmm, 2
gather vpgatherdd, ymm, ymm, 1
gather vgatherqps, xmm, xmm, 1
gather vpgatherqd, xmm, xmm, 4
gather vgatherdpd, xmm, xmm, 8
gather vpgatherdq, xmm, xmm, 1
gather vgatherdpd, xmm, ymm, 1
gather vpgatherdq, xmm, ymm, 2
gather vgatherqpd, xmm, xmm, 1
gather vpgatherqq, ymm, ymm, 1
form X, "vpsrlq $60, %ymm5, %ymm5; vgatherqps %xmm1, (%rbx,%ymm5,1), %xmm3"
form X, "vpsrlq $60, %ymm5, %ymm5; vpgatherqd %xmm1, (%rbx,%ymm5,1), %xmm3"
form X|FORM_AMD, "vpsrlq $52, %ymm4, %ymm4; vpgatherqd %xmm1, END - 300(,%ymm4,1), %xmm3"

# --- half precision ---

.irp r, xmm, ymm
form X, "vcvtph2ps %xmm1, %\r\()3"
form X, "vcvtph2ps 3(%rbx), %\r\()12"
.irp imm, 0, 1, 2, 3, 4, 255
form X, "vcvtps2ph $\imm, %\r\()1, %xmm3"
form X, "vcvtps2ph $\imm, %\r\()9, 3(%rbx)"
form X, "vcvtps2ph $\imm, %\r\()9, END - 8"
.endr
.endr
form X, "vpsrld $14, %ymm1, %ymm1; vcvtps2ph $4, %ymm1, %xmm3; vcvtph2ps %xmm3, %ymm4"

# --- MXCSR: flags of all elements; unmasked exceptions: nothing written ---

.irp csr, 0x3fc0, 0xbfc0, 0x5f80, 0xdf80, 0x1f00, 0x0000, 0x1e80, 0x1d80, 0x0f80
.irp op, vaddps, vaddpd, vmulps, vdivpd, vminps, vhaddps, vaddsubpd, vsqrtpd, vcvtps2dq, "vcmpps $1,", "vcmppd $17,", "vcmppd $27,"
.ifc \op, vsqrtpd
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); \op %ymm1, %ymm2"
.else
.ifc \op, vcvtps2dq
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); \op %ymm1, %ymm2"
.else
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); \op %xmm1, %xmm2, %xmm3"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); \op %ymm1, %ymm2, %ymm3"
.endif
.endif
.endr
.irp op, vaddss, vminsd, vcvtss2sd, vcvtsd2ss
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); \op %xmm1, %xmm2, %xmm3"
.endr
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); vcvtpd2ps %ymm1, %xmm2"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); vcvtps2pd %xmm1, %ymm2"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); vcvttpd2dq %ymm1, %xmm2"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); vcvtps2ph $4, %ymm1, %xmm2"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); vcvtps2ph $4, %ymm1, 16(%rbx)"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); vcvtph2ps %xmm1, %ymm2"
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); vroundps $0, %ymm1, %ymm2"
.endr

# --- other modes, and what does not exist ---

.irp m, 16, 32
.irp op, "vaddps %ymm1, %ymm2, %ymm3", "vpaddb %xmm1, %xmm2, %xmm3", "vpermq $0x1b, %ymm1, %ymm3", "vblendvps %xmm1, %xmm2, %xmm3, %xmm4", "vzeroall", "vpcmpestri $4, %xmm1, %xmm2"
form\m X, "\op"
.endr
.endr
form32 X, "vmovups 3(%ebx), %ymm3"
form32 X|FORM_AMD, "vgatherdps %xmm1, END - 300(,%xmm4,1), %xmm3"
form32 X, ".byte 0xc4, 0xe3, 0x69, 0x4a, 0xd9, 0xc0"    # is4 with bit 7: ignored
# LOCK, 66, F2, F3, REX before VEX
.irp p, 0xf0, 0x66, 0xf2, 0xf3, 0x48
form X, ".byte \p, 0xc5, 0xec, 0x58, 0xd9"
.endr
# each opcode of the maps, with each prefix, VEX.L and VEX.W, and VEX.vvvv 1111b or not: forms-map.c
