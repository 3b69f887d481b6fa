/*
 * Two-byte opcodes (0F xx), SDM Vol.2 table A-3: the rows of MMX and SSE, and EMMS.
 *
 * Included inside TABLE(map_0f); the prefix and group tables that it uses are in
 * opmap-0f-simd-groups.h, included before.
 */
