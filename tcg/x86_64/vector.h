/*
 * CPUID features that rows of tcg/vecops.def name; bits of HostFeatures.vop.
 */
#ifndef TCG_X86_64_VECTOR_H
#define TCG_X86_64_VECTOR_H

enum { VF_SSE2, VF_SSE3, VF_SSSE3, VF_SSE41, VF_SSE42, VF_AES, VF_PCLMUL, VF_SHA, VF_AVX, VF_AVX2, VF_F16C, VF_FMA };

#endif
