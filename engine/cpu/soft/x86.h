/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Architectural numbers: vectors, flags, bits of control registers. Intel SDM volume 3. */
#ifndef ENGINE_CPU_SOFT_X86_H
#define ENGINE_CPU_SOFT_X86_H

#include <stdint.h>

enum {
    X86_DE = 0,
    X86_DB = 1,
    X86_NMI = 2,
    X86_BP = 3,
    X86_OF = 4,
    X86_BR = 5,
    X86_UD = 6,
    X86_NM = 7,
    X86_DF = 8,
    X86_TS = 10,
    X86_NP = 11,
    X86_SS_FAULT = 12,
    X86_GP = 13,
    X86_PF = 14,
    X86_MF = 16,
    X86_AC = 17,
    X86_XM = 19,
};

#define SOFT_PHYSICAL_BITS 40 /* of guest-physical addresses */

#define X86_FLAG_CF (UINT64_C(1) << 0)
#define X86_FLAG_1 (UINT64_C(1) << 1) /* always set */
#define X86_FLAG_PF (UINT64_C(1) << 2)
#define X86_FLAG_AF (UINT64_C(1) << 4)
#define X86_FLAG_ZF (UINT64_C(1) << 6)
#define X86_FLAG_SF (UINT64_C(1) << 7)
#define X86_FLAG_TF (UINT64_C(1) << 8)
#define X86_FLAG_IF (UINT64_C(1) << 9)
#define X86_FLAG_DF (UINT64_C(1) << 10)
#define X86_FLAG_OF (UINT64_C(1) << 11)
#define X86_FLAG_IOPL (UINT64_C(3) << 12)
#define X86_FLAG_NT (UINT64_C(1) << 14)
#define X86_FLAG_RF (UINT64_C(1) << 16)
#define X86_FLAG_VM (UINT64_C(1) << 17)
#define X86_FLAG_AC (UINT64_C(1) << 18)
#define X86_FLAG_VIF (UINT64_C(1) << 19)
#define X86_FLAG_VIP (UINT64_C(1) << 20)
#define X86_FLAG_ID (UINT64_C(1) << 21)
#define X86_FLAGS_ARITHMETIC \
    (X86_FLAG_CF | X86_FLAG_PF | X86_FLAG_AF | X86_FLAG_ZF | X86_FLAG_SF | X86_FLAG_OF)

#define CR0_PE (UINT64_C(1) << 0)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_ET (UINT64_C(1) << 4)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR0_AM (UINT64_C(1) << 18)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_CD (UINT64_C(1) << 30)
#define CR0_PG (UINT64_C(1) << 31)

#define CR4_VME (UINT64_C(1) << 0)
#define CR4_PVI (UINT64_C(1) << 1)
#define CR4_TSD (UINT64_C(1) << 2)
#define CR4_DE (UINT64_C(1) << 3)
#define CR4_PSE (UINT64_C(1) << 4)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_MCE (UINT64_C(1) << 6)
#define CR4_PGE (UINT64_C(1) << 7)
#define CR4_PCE (UINT64_C(1) << 8)
#define CR4_OSFXSR (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_UMIP (UINT64_C(1) << 11)
#define CR4_FSGSBASE (UINT64_C(1) << 16)
#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)

#define EFER_SCE (UINT64_C(1) << 0)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)

/* struct x86_segment.attributes */
#define SEG_TYPE 0xfu
#define SEG_ACCESSED 0x1u
#define SEG_WRITABLE 0x2u    /* data */
#define SEG_READABLE 0x2u    /* code */
#define SEG_EXPAND_DOWN 0x4u /* data */
#define SEG_CONFORMING 0x4u  /* code */
#define SEG_CODE 0x8u
#define SEG_S (1u << 4) /* code or data */
#define SEG_DPL_SHIFT 5
#define SEG_P (1u << 7)
#define SEG_L (1u << 13)
#define SEG_DB (1u << 14)
#define SEG_G (1u << 15)

#endif
