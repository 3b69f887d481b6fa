/* Group 9 (0F C7) memory rows 3 to 5: XSAVEC; XRSTORS and XSAVES are not offered. */
INSN1(4, XSAVEC, M,0, FEAT(XSAVEC))
