/*
 * Groups below opmap-vex.h, by ModRM.reg.
 */
TABLE(grp17, 8)
INSN2(1, BLSR,   B,y, E,y, WRITE)
INSN2(2, BLSMSK, B,y, E,y, WRITE)
INSN2(3, BLSI,   B,y, E,y, WRITE)
END
