/*
 * Opcodes under a VEX prefix: SDM Vol.2 tables, mnemonics with v and the general-purpose ones.
 *
 *   VEX_AS(opcode, prefix, feature, feature with VEX.L, how)         the row of the opcode without VEX
 *   VEX_ROW(opcode, prefix, feature, feature with VEX.L, how, MNEM, (operands), attributes...)
 *   VEX_GROUP(opcode, prefix, feature, feature with VEX.L, how, table)    by ModRM.reg
 *
 * Prefix: 0 none, 1 = 66, 2 = F3, 3 = F2.  Feature 0: not with this VEX.L.  How: VEX_* of decode.h.
 */

VEX_MAP(vex_0f)
END

VEX_MAP(vex_0f38)
VEX_ROW(0xf2, 0, BMI1, 0, 0, ANDN, (G,y, B,y, E,y), WRITE, .unit = UNIT_INT)
VEX_GROUP(0xf3, 0, BMI1, 0, 0, grp17)
VEX_ROW(0xf5, 0, BMI2, 0, 0, BZHI, (G,y, E,y, B,y), WRITE, .unit = UNIT_INT)
VEX_ROW(0xf5, 2, BMI2, 0, 0, PEXT, (G,y, B,y, E,y), WRITE, .unit = UNIT_INT)
VEX_ROW(0xf5, 3, BMI2, 0, 0, PDEP, (G,y, B,y, E,y), WRITE, .unit = UNIT_INT)
VEX_ROW(0xf6, 3, BMI2, 0, 0, MULX, (G,y, B,y, E,y), WRITE, .unit = UNIT_INT)
VEX_ROW(0xf7, 0, BMI1, 0, 0, BEXTR, (G,y, E,y, B,y), WRITE, .unit = UNIT_INT)
VEX_ROW(0xf7, 1, BMI2, 0, 0, SHLX, (G,y, E,y, B,y), WRITE, .unit = UNIT_INT)
VEX_ROW(0xf7, 2, BMI2, 0, 0, SARX, (G,y, E,y, B,y), WRITE, .unit = UNIT_INT)
VEX_ROW(0xf7, 3, BMI2, 0, 0, SHRX, (G,y, E,y, B,y), WRITE, .unit = UNIT_INT)
END

VEX_MAP(vex_0f3a)
VEX_ROW(0xf0, 3, BMI2, 0, 0, RORX, (G,y, E,y, I,b), WRITE, .unit = UNIT_INT)
END
