/*
 * Two-byte opcodes 0F xx, SDM Vol.2 table A-3.
 */

TABLE(map_0f, 256)
#include "opmap-0f-simd.h"
END
