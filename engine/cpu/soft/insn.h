/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A decoded instruction as plain data, and the operations that execute it.
 *
 * The decoder's table (decode_integer.def, decode_system.def, decode_x87.def, decode_sse.def: one
 * row an encoding) is the one truth of what exists; everything else is #UD. A row:
 *
 *   ROW(map, opcode, prefix, mod, reg, rm, operands, flags, operation)
 *
 *   map       ONE (one-byte opcodes), 0F, 0F38, 0F3A
 *   prefix    ANY: 66, F2, F3 do not select (66 is the operand size, F2/F3 are REP or ignored);
 *             NP: row of the instruction without any of them; P66, PF3, PF2: with that one (F2 and
 *             F3 win over 66, the last of both wins)
 *   mod       ANY, MEM (ModRM.mod != 3), REG (mod == 3), NONE: no ModRM byte
 *   reg, rm   ANY or 0 to 7: must equal ModRM's field (without REX); rm only with mod REG
 *   operands  as in SDM volume 2, appendix A.2: "Ev,Gv", "Vx,Wx,Ib", ...; "" for none. It gives
 *             the operand size, the classes of reg and rm (a byte register, MMX without REX, ...)
 *             and the immediate. Letters in use: decode.c.
 *   flags     of enum soft_row_flags, 0 for none
 *   operation NAME, which some file defines by SOFT_OPERATION(NAME)
 *
 * Of several rows that fit, the first counts.
 */
#ifndef ENGINE_CPU_SOFT_INSN_H
#define ENGINE_CPU_SOFT_INSN_H

#include "engine/cpu/soft/cpu.h"

#define SOFT_INSN_MAX_LENGTH 15

/* Executes one instruction. cpu->current == insn; cpu->rip is arbitrary, but for operations with
 * ENDS: there it is the next instruction's, and may be set. */
typedef void soft_op(struct soft_cpu *cpu, const struct soft_insn *insn);

/* The address of a memory operand: gpr[base] + (gpr[index] << scale) + disp, cut to address_mask,
 * in `segment`. RIP-relative: base is SOFT_REG_BLOCK and disp counts from the block's start. */
struct soft_insn {
    soft_op *handler; /* threaded: executes it and goes on with the next one of the block */
    soft_op *run;     /* plain: executes it and returns */
    uint64_t imm;     /* bytes and words sign-extended; relative branches: the target, from the
                       * block's start; far pointers: selector << 32 | offset; ENTER: level << 16 */
    uint64_t address_mask;
    int64_t disp; /* also a moffs operand's whole offset */
    uint8_t base, index, scale;
    uint8_t segment; /* X86_ES ... X86_GS, the default one or a prefix's */
    /* Register numbers with REX applied. A byte register is its offset in bytes into gpr[]
     * (8 * n, high byte: + 1); MMX and x87 registers are 0 to 7. */
    uint8_t reg;  /* ModRM.reg, or the low bits of the opcode ("Zv"), or SS's number for Sw ... */
    uint8_t rm;   /* ModRM.rm; valid without SOFT_INSN_MEM */
    uint8_t size; /* of the operands in bytes: 1, 2, 4, 8; as the first v/z/y/b/w operand says */
    uint8_t length;
    uint16_t offset;      /* from the start of its block */
    uint16_t flags;       /* SOFT_INSN_* */
    uint16_t row;         /* in the decoder's table */
    uint8_t address_size; /* 2, 4, 8 */
};

enum {
    SOFT_INSN_MEM = 1 << 0, /* rm is memory */
    SOFT_INSN_LOCK = 1 << 1,
    SOFT_INSN_REP = 1 << 2,   /* F3 came last */
    SOFT_INSN_REPNE = 1 << 3, /* F2 came last */
    SOFT_INSN_REX_W = 1 << 4,
    SOFT_INSN_OPSIZE = 1 << 5, /* 66 */
};

enum soft_row_flags {
    ROW_LOCK = 1 << 0,   /* LOCK is allowed with a memory operand; otherwise LOCK is #UD */
    ROW_NO64 = 1 << 1,   /* #UD in 64-bit mode */
    ROW_ONLY64 = 1 << 2, /* #UD outside 64-bit mode */
    ROW_D64 = 1 << 3,    /* operand size 64 by default in 64-bit mode, 16 by prefix, never 32 */
    ROW_F64 = 1 << 4,    /* operand size 64 in 64-bit mode, whatever the prefixes */
    ROW_ENDS = 1 << 5,   /* the last of its block: it branches or changes the mode */
    ROW_PM = 1 << 6,     /* #UD in real and virtual-8086 mode */
    ROW_CPL0 = 1 << 7,   /* #GP(0) unless at CPL 0 */
    /* Unless the mode says that CR0 and CR4 allow it, the dispatcher checks them first: */
    ROW_X87 = 1 << 8,  /* #NM if CR0.EM or CR0.TS */
    ROW_MMX = 1 << 9,  /* #UD if CR0.EM, #NM if CR0.TS */
    ROW_SSE = 1 << 10, /* #UD if CR0.EM or not CR4.OSFXSR, #NM if CR0.TS */
};

/* Handlers that exist for special forms of a hot operation; see handlers.h. */
struct soft_forms;

struct soft_operation {
    const char *name;
    soft_op *run;
    soft_op *handler;               /* threaded; NULL: the dispatcher calls run */
    soft_op *handler64;             /* for operands of 64 bits, so in 64-bit mode; or NULL */
    const struct soft_forms *forms; /* threaded, for what needs no LOCK; NULL: none */
};

/* Defines the operation that rows name:  SOFT_OPERATION(addps) { ... cpu ... insn ... } */
#define SOFT_OPERATION(NAME)                                                                \
    static soft_op NAME##_run;                                                              \
    const struct soft_operation soft_operation_##NAME = {.name = #NAME, .run = NAME##_run}; \
    static void NAME##_run(struct soft_cpu *cpu, const struct soft_insn *insn)

#endif
