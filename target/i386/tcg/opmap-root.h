/*
 * One-byte opcodes, SDM Vol.2 table A-2.
 */

TABLE(map_root, 256)
END
