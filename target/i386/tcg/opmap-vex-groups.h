/*
 * Tables below opmap-vex.h: by ModRM.reg, or ModRM.mod (0 memory, 1 register).
 */
TABLE(grp17, 8)
INSN2(1, BLSR,   B,y, E,y, WRITE)
INSN2(2, BLSMSK, B,y, E,y, WRITE)
INSN2(3, BLSI,   B,y, E,y, WRITE)
END

TABLE(vex_grp15, 8)
INSN1(2, LDMXCSR, E,d, .unit = UNIT_AVX, MEM)
INSN1(3, STMXCSR, E,d, .unit = UNIT_AVX, WRITE, MEM)
END

/* From a register only with AVX2. */
TABLE(vex_broadcast_ss, 2)
INSN2(0, VBROADCASTD, V,x, W,d, .unit = UNIT_AVX, WRITE)
INSN2(1, VBROADCASTD, V,x, W,d, .unit = UNIT_AVX, WRITE, FEAT(AVX2))
END
TABLE(vex_broadcast_sd, 2)
INSN2(0, VBROADCASTQ, V,x, W,q, .unit = UNIT_AVX, WRITE)
INSN2(1, VBROADCASTQ, V,x, W,q, .unit = UNIT_AVX, WRITE, FEAT(AVX2))
END
