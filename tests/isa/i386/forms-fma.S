# FMA; see forms.inc.
#include "forms.inc"

.set X, FORM_XMM

.macro packed r, ops:vararg
.irp op, \ops
.irp order, 132, 213, 231
.irp t, ps, pd
form X, "\op\order\t %\r\()1, %\r\()2, %\r\()3"
form X, "\op\order\t %\r\()9, %\r\()3, %\r\()12"
form X, "\op\order\t %\r\()5, %\r\()5, %\r\()5"
form X, "\op\order\t 3(%rbx), %\r\()2, %\r\()7"
.endr
.endr
.endr
.endm
.macro scalar ops:vararg
.irp op, \ops
.irp order, 132, 213, 231
.irp t, ss, sd
form X, "\op\order\t %xmm1, %xmm2, %xmm3"
form X, "\op\order\t %xmm9, %xmm3, %xmm12"
form X, "\op\order\t %xmm2, %xmm2, %xmm3"
form X, "\op\order\t 3(%rbx), %xmm2, %xmm7"
.endr
.endr
.endr
.endm
packed xmm, vfmadd, vfmsub, vfnmadd, vfnmsub, vfmaddsub, vfmsubadd
packed ymm, vfmadd, vfmsub, vfnmadd, vfnmsub, vfmaddsub, vfmsubadd
scalar vfmadd, vfmsub, vfnmadd, vfnmsub
.irp csr, 0x3fc0, 0xbfc0, 0x5f80, 0xdf80, 0x1fc0, 0x9f80, 0x1f00, 0x0000, 0x1e80
.irp op, vfmadd132ps, vfmsub213pd, vfnmadd231ps, vfnmsub132pd, vfmaddsub213ps, vfmsubadd231pd
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); \op %ymm1, %ymm2, %ymm3"
.endr
.irp op, vfmadd132ss, vfmsub213sd, vfnmadd231ss, vfnmsub231sd
form X, "movl $\csr, (%rbx); ldmxcsr (%rbx); \op %xmm1, %xmm2, %xmm3"
.endr
.endr
