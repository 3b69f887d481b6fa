/*
 * One-byte opcodes, SDM Vol.2 table A-2, and the groups of table A-6 that they use.
 */

/* Group 1: 80 to 83 */
#define GROUP1(k0, s0, k1, s1, ...)                       \
    INSN2(0, ADD, k0, s0, k1, s1, LOCKABLE, ##__VA_ARGS__) \
    INSN2(1, OR,  k0, s0, k1, s1, LOCKABLE, ##__VA_ARGS__) \
    INSN2(2, ADC, k0, s0, k1, s1, LOCKABLE, ##__VA_ARGS__) \
    INSN2(3, SBB, k0, s0, k1, s1, LOCKABLE, ##__VA_ARGS__) \
    INSN2(4, AND, k0, s0, k1, s1, LOCKABLE, ##__VA_ARGS__) \
    INSN2(5, SUB, k0, s0, k1, s1, LOCKABLE, ##__VA_ARGS__) \
    INSN2(6, XOR, k0, s0, k1, s1, LOCKABLE, ##__VA_ARGS__) \
    INSN2(7, CMP, k0, s0, k1, s1, ##__VA_ARGS__)
TABLE(grp1_80, 8)
GROUP1(E,b, I,b)
END
TABLE(grp1_81, 8)
GROUP1(E,v, I,z)
END
TABLE(grp1_82, 8)
GROUP1(E,b, I,b, NOT64)
END
TABLE(grp1_83, 8)
GROUP1(E,v, I,b)
END
#undef GROUP1

/* Group 1A: 8F */
TABLE(grp1a, 8)
INSN1(0, POP, E,v, WRITE, D64)
END

/* Group 2: C0, C1, D0 to D3; /6 is an alias of SHL */
#define GROUP2(s0, k1)           \
    INSN2(0, ROL, E,s0, k1,b, RMW)    \
    INSN2(1, ROR, E,s0, k1,b, RMW)    \
    INSN2(2, RCL, E,s0, k1,b, RMW)    \
    INSN2(3, RCR, E,s0, k1,b, RMW)    \
    INSN2(4, SHL, E,s0, k1,b, RMW)    \
    INSN2(5, SHR, E,s0, k1,b, RMW)    \
    INSN2(6, SHL, E,s0, k1,b, RMW)    \
    INSN2(7, SAR, E,s0, k1,b, RMW)
TABLE(grp2_c0, 8)
GROUP2(b, I)
END
TABLE(grp2_c1, 8)
GROUP2(v, I)
END
TABLE(grp2_d0, 8)
GROUP2(b, ONE)
END
TABLE(grp2_d1, 8)
GROUP2(v, ONE)
END
TABLE(grp2_d2, 8)
GROUP2(b, CX)
END
TABLE(grp2_d3, 8)
GROUP2(v, CX)
END
#undef GROUP2

/* Group 3: F6, F7; /1 is an alias of TEST */
TABLE(grp3_f6, 8)
INSN2(0, TEST, E,b, I,b)
INSN2(1, TEST, E,b, I,b)
INSN1(2, NOT,  E,b, LOCKABLE)
INSN1(3, NEG,  E,b, LOCKABLE)
INSN1(4, MUL,  E,b)
INSN1(5, IMUL1, E,b)
INSN1(6, DIV,  E,b)
INSN1(7, IDIV, E,b)
END
TABLE(grp3_f7, 8)
INSN2(0, TEST, E,v, I,z)
INSN2(1, TEST, E,v, I,z)
INSN1(2, NOT,  E,v, LOCKABLE)
INSN1(3, NEG,  E,v, LOCKABLE)
INSN1(4, MUL,  E,v)
INSN1(5, IMUL1, E,v)
INSN1(6, DIV,  E,v)
INSN1(7, IDIV, E,v)
END

/* Groups 4 and 5: FE, FF */
TABLE(grp4, 8)
INSN1(0, INC, E,b, LOCKABLE)
INSN1(1, DEC, E,b, LOCKABLE)
END
TABLE(grp5, 8)
INSN1(0, INC,  E,v, LOCKABLE)
INSN1(1, DEC,  E,v, LOCKABLE)
INSN1(2, CALL_E, E,v, F64)
INSN1(3, CALLF_M, M,p)
INSN1(4, JMP_E, E,v, F64)
INSN1(5, JMPF_M, M,p)
INSN1(6, PUSH, E,v, D64)
END

/* Group 11: C6, C7 */
TABLE(grp11_c6, 8)
INSN2(0, MOV, E,b, I,b, WRITE)
END
TABLE(grp11_c7, 8)
INSN2(0, MOV, E,v, I,z, WRITE)
END

TABLE(op_63, 2)
INSN2(0, ARPL,   E,w, G,w, PROT)
INSN2(1, MOVSXD, G,v, E,z, WRITE)
END
TABLE(op_90, 4)
INSN2(0, XCHG,  Z,v, AX,v)
INSN2(1, XCHG,  Z,v, AX,v)
INSN0(2, PAUSE)                      /* REX.B does not make it an XCHG */
INSN2(3, XCHG,  Z,v, AX,v)
END

#define ARITHMETIC(n, op, ...)                    \
    INSN2((n) + 0, op, E,b,  G,b, ##__VA_ARGS__)  \
    INSN2((n) + 1, op, E,v,  G,v, ##__VA_ARGS__)  \
    INSN2((n) + 2, op, G,b,  E,b)                 \
    INSN2((n) + 3, op, G,v,  E,v)                 \
    INSN2((n) + 4, op, AX,b, I,b)                 \
    INSN2((n) + 5, op, AX,v, I,z)

TABLE(map_root, 256)
ARITHMETIC(0x00, ADD, LOCKABLE)
ARITHMETIC(0x08, OR,  LOCKABLE)
ARITHMETIC(0x10, ADC, LOCKABLE)
ARITHMETIC(0x18, SBB, LOCKABLE)
ARITHMETIC(0x20, AND, LOCKABLE)
ARITHMETIC(0x28, SUB, LOCKABLE)
ARITHMETIC(0x30, XOR, LOCKABLE)
ARITHMETIC(0x38, CMP)
INSN1(0x06, PUSH_S, ES,w, NOT64)
INSN1(0x07, POP_S,  ES,w, NOT64)
INSN1(0x0e, PUSH_S, CS,w, NOT64)
SUB(0x0f, BY_OPCODE, map_0f)
INSN1(0x16, PUSH_S, SS,w, NOT64)
INSN1(0x17, POP_S,  SS,w, NOT64)
INSN1(0x1e, PUSH_S, DS,w, NOT64)
INSN1(0x1f, POP_S,  DS,w, NOT64)
INSN0(0x27, DAA, NOT64)
INSN0(0x2f, DAS, NOT64)
INSN0(0x37, AAA, NOT64)
INSN0(0x3f, AAS, NOT64)

EIGHT1(0x40, INC, Z,v, NOT64)
EIGHT1(0x48, DEC, Z,v, NOT64)
EIGHT1(0x50, PUSH, Z,v, D64)
EIGHT1(0x58, POP,  Z,v, WRITE, D64)

INSN0(0x60, PUSHA, NOT64)
INSN0(0x61, POPA,  NOT64)
INSN2(0x62, BOUND, G,v, M,0, NOT64)
SUB(0x63, BY_MODE64, op_63)
INSN1(0x68, PUSH_I, I,z, D64)
INSN3(0x69, IMUL,   G,v, E,v, I,z, WRITE)
INSN1(0x6a, PUSH_I, I,b, D64)
INSN3(0x6b, IMUL,   G,v, E,v, I,b, WRITE)
INSN2(0x6c, INS,  Y,b, DX,w)
INSN2(0x6d, INS,  Y,z, DX,w)
INSN2(0x6e, OUTS, X,b, DX,w)
INSN2(0x6f, OUTS, X,z, DX,w)

EIGHT1(0x70, Jcc, J,b, F64)
EIGHT1(0x78, Jcc, J,b, F64)

SUB(0x80, BY_REG, grp1_80)
SUB(0x81, BY_REG, grp1_81)
SUB(0x82, BY_REG, grp1_82)
SUB(0x83, BY_REG, grp1_83)
INSN2(0x84, TEST, E,b, G,b)
INSN2(0x85, TEST, E,v, G,v)
INSN2(0x86, XCHG, E,b, G,b, WRITE, LOCKABLE)
INSN2(0x87, XCHG, E,v, G,v, WRITE, LOCKABLE)
INSN2(0x88, MOV, E,b, G,b, WRITE)
INSN2(0x89, MOV, E,v, G,v, WRITE)
INSN2(0x8a, MOV, G,b, E,b, WRITE)
INSN2(0x8b, MOV, G,v, E,v, WRITE)
INSN2(0x8c, MOV_ES, E,v, S,w, WRITE)
INSN2(0x8d, LEA, G,v, M,0, WRITE)
INSN2(0x8e, MOV_SE, S,w, E,w, WRITE)
SUB(0x8f, BY_REG, grp1a)

SUB(0x90, BY_PREFIX, op_90)
INSN2(0x91, XCHG, Z,v, AX,v)
INSN2(0x92, XCHG, Z,v, AX,v)
INSN2(0x93, XCHG, Z,v, AX,v)
INSN2(0x94, XCHG, Z,v, AX,v)
INSN2(0x95, XCHG, Z,v, AX,v)
INSN2(0x96, XCHG, Z,v, AX,v)
INSN2(0x97, XCHG, Z,v, AX,v)
INSN0(0x98, CBW)
INSN0(0x99, CWD)
INSN1(0x9a, CALLF, A,p, NOT64)
INSN0(0x9b, FWAIT, .unit = UNIT_FWAIT, FEAT(FPU))
INSN0(0x9c, PUSHF, D64)
INSN0(0x9d, POPF,  D64)
INSN0(0x9e, SAHF)
INSN0(0x9f, LAHF)

INSN2(0xa0, MOV, AX,b, O,b, WRITE)
INSN2(0xa1, MOV, AX,v, O,v, WRITE)
INSN2(0xa2, MOV, O,b, AX,b, WRITE)
INSN2(0xa3, MOV, O,v, AX,v, WRITE)
INSN2(0xa4, MOVS, Y,b, X,b)
INSN2(0xa5, MOVS, Y,v, X,v)
INSN2(0xa6, CMPS, X,b, Y,b)
INSN2(0xa7, CMPS, X,v, Y,v)
INSN2(0xa8, TEST, AX,b, I,b)
INSN2(0xa9, TEST, AX,v, I,z)
INSN2(0xaa, STOS, Y,b, AX,b)
INSN2(0xab, STOS, Y,v, AX,v)
INSN2(0xac, LODS, AX,b, X,b, WRITE)
INSN2(0xad, LODS, AX,v, X,v, WRITE)
INSN2(0xae, SCAS, AX,b, Y,b)
INSN2(0xaf, SCAS, AX,v, Y,v)

EIGHT2(0xb0, MOV, Z,b, I,b, WRITE)
EIGHT2(0xb8, MOV, Z,v, I,v, WRITE)

SUB(0xc0, BY_REG, grp2_c0)
SUB(0xc1, BY_REG, grp2_c1)
INSN1(0xc2, RET, I,w, F64)
INSN0(0xc3, RET, F64)
INSN2(0xc4, LOAD_FAR, G,z, M,p, NOT64, ARG(R_ES))
INSN2(0xc5, LOAD_FAR, G,z, M,p, NOT64, ARG(R_DS))
SUB(0xc6, BY_REG, grp11_c6)
SUB(0xc7, BY_REG, grp11_c7)
INSN2(0xc8, ENTER, I,w, I,b, D64)
INSN0(0xc9, LEAVE, D64)
INSN1(0xca, RETF, I,w)
INSN0(0xcb, RETF)
INSN0(0xcc, INT3)
INSN1(0xcd, INT, I,b)
INSN0(0xce, INTO, NOT64)
INSN0(0xcf, IRET)

SUB(0xd0, BY_REG, grp2_d0)
SUB(0xd1, BY_REG, grp2_d1)
SUB(0xd2, BY_REG, grp2_d2)
SUB(0xd3, BY_REG, grp2_d3)
INSN1(0xd4, AAM, I,b, NOT64)
INSN1(0xd5, AAD, I,b, NOT64)
INSN0(0xd6, SALC, NOT64)
INSN0(0xd7, XLAT)
SUB(0xd8, BY_X87, x87_d8)
SUB(0xd9, BY_X87, x87_d9)
SUB(0xda, BY_X87, x87_da)
SUB(0xdb, BY_X87, x87_db)
SUB(0xdc, BY_X87, x87_dc)
SUB(0xdd, BY_X87, x87_dd)
SUB(0xde, BY_X87, x87_de)
SUB(0xdf, BY_X87, x87_df)

INSN1(0xe0, LOOPNE, J,b, F64)
INSN1(0xe1, LOOPE,  J,b, F64)
INSN1(0xe2, LOOP,   J,b, F64)
INSN1(0xe3, JCXZ,   J,b, F64)
INSN2(0xe4, IN,  AX,b, I,b, WRITE)
INSN2(0xe5, IN,  AX,z, I,b, WRITE)
INSN2(0xe6, OUT, I,b, AX,b)
INSN2(0xe7, OUT, I,b, AX,z)
INSN1(0xe8, CALL, J,z, F64)
INSN1(0xe9, JMP,  J,z, F64)
INSN1(0xea, JMPF, A,p, NOT64)
INSN1(0xeb, JMP,  J,b, F64)
INSN2(0xec, IN,  AX,b, DX,w, WRITE)
INSN2(0xed, IN,  AX,z, DX,w, WRITE)
INSN2(0xee, OUT, DX,w, AX,b)
INSN2(0xef, OUT, DX,w, AX,z)

INSN0(0xf1, INT1)
INSN0(0xf4, HLT, CPL0)
INSN0(0xf5, CMC)
SUB(0xf6, BY_REG, grp3_f6)
SUB(0xf7, BY_REG, grp3_f7)
INSN0(0xf8, CLC)
INSN0(0xf9, STC)
INSN0(0xfa, CLI)
INSN0(0xfb, STI)
INSN0(0xfc, CLD)
INSN0(0xfd, STD)
SUB(0xfe, BY_REG, grp4)
SUB(0xff, BY_REG, grp5)
END
#undef ARITHMETIC
