/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segment registers and descriptors. Intel SDM volume 3, chapters 3 and 5. */
#ifndef ENGINE_CPU_SOFT_SEGMENT_H
#define ENGINE_CPU_SOFT_SEGMENT_H

#include "engine/cpu/soft/exec.h"

struct soft_descriptor {
    uint64_t address; /* linear, of its first byte */
    uint64_t base;
    uint32_t limit; /* in bytes */
    uint32_t attributes;
    uint32_t low, high; /* as in memory */
};

#define SELECTOR_RPL(selector) ((selector)&3u)
#define SELECTOR_TI 4u
#define SELECTOR_IS_NULL(selector) (((selector)&0xfffcu) == 0)

/* Types of system descriptors. */
enum {
    SYSTEM_TSS16 = 1,
    SYSTEM_LDT = 2,
    SYSTEM_TSS16_BUSY = 3,
    SYSTEM_CALL16 = 4,
    SYSTEM_TASK_GATE = 5,
    SYSTEM_INTERRUPT16 = 6,
    SYSTEM_TRAP16 = 7,
    SYSTEM_TSS32 = 9,
    SYSTEM_TSS32_BUSY = 11,
    SYSTEM_CALL32 = 12,
    SYSTEM_INTERRUPT32 = 14,
    SYSTEM_TRAP32 = 15,
};

static inline unsigned soft_dpl(uint32_t attributes)
{
    return attributes >> SEG_DPL_SHIFT & 3;
}

static inline bool soft_is_real(const struct soft_cpu *cpu)
{
    return !(cpu->cr0 & CR0_PE) || cpu->rflags & X86_FLAG_VM;
}

static inline bool soft_is_long(const struct soft_cpu *cpu)
{
    return cpu->efer & EFER_LMA;
}

/* With the selector as error code, and EXT as the delivery under way has it. */
void soft_raise_selector(struct soft_cpu *cpu, unsigned vector, unsigned selector) G_GNUC_NORETURN;

/* False: the selector is outside of its table, or null. */
bool soft_read_descriptor(struct soft_cpu *cpu, unsigned selector, struct soft_descriptor *ret);
/* The same, but raises #GP(selector), or another vector. */
struct soft_descriptor soft_need_descriptor(struct soft_cpu *cpu, unsigned selector,
                                            unsigned vector);
/* In memory too. */
void soft_set_accessed(struct soft_cpu *cpu, struct soft_descriptor *descriptor);

/* Loads ES, SS, DS, FS or GS as MOV and POP do. */
void soft_load_segment(struct soft_cpu *cpu, unsigned segment, unsigned selector);
/* Loads without checks; CS: with the RPL that the selector has. */
void soft_set_segment(struct soft_cpu *cpu, unsigned segment, unsigned selector,
                      const struct soft_descriptor *descriptor);
/* As in real and virtual-8086 mode. */
void soft_set_segment_real(struct soft_cpu *cpu, unsigned segment, unsigned selector);
void soft_set_segment_null(struct soft_cpu *cpu, unsigned segment, unsigned selector);
/* Brings what is derived from the hidden part up to date. */
void soft_segment_changed(struct soft_cpu *cpu, unsigned segment);

#endif
