/*
 * Prefix and group tables below opmap-0f-simd.h, and group 15 (0F AE).
 */
