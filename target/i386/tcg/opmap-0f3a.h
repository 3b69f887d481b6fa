/*
 * Three-byte opcodes 0F 3A xx, SDM Vol.2 table A-5.
 */
TABLE(map_0f3a, 256)
END
