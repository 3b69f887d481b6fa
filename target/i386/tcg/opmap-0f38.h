/*
 * Three-byte opcodes 0F 38 xx, SDM Vol.2 table A-4: SSSE3, SSE4, AES, SHA; MOVBE, CRC32, ADX
 * are in opmap-0f38-int.h.
 */
TABLE(map_0f38, 256)
#include "opmap-0f38-int.h"
END
