/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the threaded handlers of an operation from one function for each size. Each macro defines
 * handlers NAME_FORM_SIZE (NAME_FORM_KIND_SIZE with memory) and lists them in a struct soft_forms
 * named NAME_forms.
 *
 * The functions are COMPUTE##SIZE(cpu, destination, source), with the result as value.
 *
 * A handler that reaches memory calls nothing, so it needs no stack frame: what the TLB does not
 * have is left to its slow twin, which executes the whole instruction.
 */
#ifndef ENGINE_CPU_SOFT_FORMS_H
#define ENGINE_CPU_SOFT_FORMS_H

#include "engine/cpu/soft/handlers.h"
#include "engine/cpu/soft/soft_internal.h"

#define FORM_HANDLER(NAME) static void NAME(struct soft_cpu *cpu, const struct soft_insn *insn)
#define FORM_SLOW(NAME) \
    static G_GNUC_NO_INLINE void NAME(struct soft_cpu *cpu, const struct soft_insn *insn)

/* The handler for one kind of address; ... does the work at host. */
#define FORM_FAST(NAME, BITS, SIZE, ACCESS, TABLE, KIND, ...)                                \
    FORM_HANDLER(NAME##_##KIND##_##BITS)                                                     \
    {                                                                                        \
        uint8_t *host;                                                                       \
                                                                                             \
        if (!soft_tlb_hit(cpu->TABLE, soft_form_linear(cpu, insn, (SIZE) / 8, ACCESS, KIND), \
                          (SIZE) / 8, &host))                                                \
            return NAME##_slow_##BITS(cpu, insn);                                            \
        __VA_ARGS__                                                                          \
        SOFT_NEXT;                                                                           \
    }

#define FORM_FAST_KINDS(NAME, BITS, SIZE, ACCESS, TABLE, ...)  \
    FORM_FAST(NAME, BITS, SIZE, ACCESS, TABLE, 0, __VA_ARGS__) \
    FORM_FAST(NAME, BITS, SIZE, ACCESS, TABLE, 1, __VA_ARGS__) \
    FORM_FAST(NAME, BITS, SIZE, ACCESS, TABLE, 2, __VA_ARGS__)

/* NAME_KIND_BITS load FROM bits; ... does the rest with value. */
#define FORM_LOADS(NAME, BITS, FROM, ...)                                                   \
    FORM_SLOW(NAME##_slow_##BITS)                                                           \
    {                                                                                       \
        uint##FROM##_t value;                                                               \
                                                                                            \
        cpu->current = insn;                                                                \
        value = soft_load_slow(cpu, soft_linear(cpu, insn, FROM / 8, SOFT_READ), FROM / 8); \
        __VA_ARGS__                                                                         \
        SOFT_NEXT;                                                                          \
    }                                                                                       \
    FORM_FAST_KINDS(NAME, BITS, FROM, SOFT_READ, tlb_read, uint##FROM##_t value;            \
                    memcpy(&value, host, FROM / 8); __VA_ARGS__)

/* NAME_KIND_BITS store a value. */
#define FORM_STORES(NAME, BITS, VALUE)                                                            \
    FORM_SLOW(NAME##_slow_##BITS)                                                                 \
    {                                                                                             \
        cpu->current = insn;                                                                      \
        soft_store_slow(cpu, soft_linear(cpu, insn, BITS / 8, SOFT_WRITE), (uint##BITS##_t)VALUE, \
                        BITS / 8);                                                                \
        SOFT_NEXT;                                                                                \
    }                                                                                             \
    FORM_FAST_KINDS(NAME, BITS, BITS, SOFT_WRITE, tlb_write, uint##BITS##_t value = VALUE;        \
                    memcpy(host, &value, BITS / 8);)

/* Memory that is read and written: flags are set by COMPUTE, so a store by the slow path, which
 * may still leave the instruction, comes with them put back. */
#define FORM_MODIFIES(NAME, BITS, COMPUTE, ...)                                    \
    FORM_SLOW(NAME##_slow_##BITS)                                                  \
    {                                                                              \
        uint64_t linear;                                                           \
        uint##BITS##_t value;                                                      \
        struct soft_flags old = cpu->flags, new;                                   \
                                                                                   \
        cpu->current = insn;                                                       \
        linear = soft_linear(cpu, insn, BITS / 8, SOFT_WRITE);                     \
        value = soft_load_for_store(cpu, linear, BITS / 8);                        \
        value = COMPUTE##BITS(cpu, value, ##__VA_ARGS__);                          \
        new = cpu->flags;                                                          \
        cpu->flags = old;                                                          \
        soft_store_slow(cpu, linear, value, BITS / 8);                             \
        cpu->flags = new;                                                          \
        SOFT_NEXT;                                                                 \
    }                                                                              \
    FORM_FAST_KINDS(NAME, BITS, BITS, SOFT_WRITE, tlb_write, uint##BITS##_t value; \
                    memcpy(&value, host, BITS / 8);                                \
                    value = COMPUTE##BITS(cpu, value, ##__VA_ARGS__);              \
                    memcpy(host, &value, BITS / 8);)

#define FORM_BINARY_SIZE(NAME, COMPUTE, BITS)                                              \
    FORM_HANDLER(NAME##_rr_##BITS)                                                         \
    {                                                                                      \
        soft_set##BITS(cpu, insn->rm,                                                      \
                       COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->rm),                   \
                                     soft_get##BITS(cpu, insn->reg)));                     \
        SOFT_NEXT;                                                                         \
    }                                                                                      \
    FORM_HANDLER(NAME##_ri_##BITS)                                                         \
    {                                                                                      \
        soft_set##BITS(cpu, insn->rm,                                                      \
                       COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->rm), insn->imm));      \
        SOFT_NEXT;                                                                         \
    }                                                                                      \
    FORM_LOADS(NAME##_rm, BITS, BITS,                                                      \
               soft_set##BITS(cpu, insn->reg,                                              \
                              COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->reg), value));) \
    FORM_MODIFIES(NAME##_mr, BITS, COMPUTE, soft_get##BITS(cpu, insn->reg))                \
    FORM_MODIFIES(NAME##_mi, BITS, COMPUTE, insn->imm)

/* The same without a result to keep: CMP and TEST. */
#define FORM_COMPARE_SIZE(NAME, COMPUTE, BITS)                                                    \
    FORM_HANDLER(NAME##_rr_##BITS)                                                                \
    {                                                                                             \
        COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->rm), soft_get##BITS(cpu, insn->reg));        \
        SOFT_NEXT;                                                                                \
    }                                                                                             \
    FORM_HANDLER(NAME##_ri_##BITS)                                                                \
    {                                                                                             \
        COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->rm), insn->imm);                             \
        SOFT_NEXT;                                                                                \
    }                                                                                             \
    FORM_LOADS(NAME##_rm, BITS, BITS, COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->reg), value);) \
    FORM_LOADS(NAME##_mr, BITS, BITS, COMPUTE##BITS(cpu, value, soft_get##BITS(cpu, insn->reg));) \
    FORM_LOADS(NAME##_mi, BITS, BITS, COMPUTE##BITS(cpu, value, insn->imm);)

/* One operand: the forms RI and MI. */
#define FORM_UNARY_SIZE(NAME, COMPUTE, BITS)                                              \
    FORM_HANDLER(NAME##_ri_##BITS)                                                        \
    {                                                                                     \
        soft_set##BITS(cpu, insn->rm, COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->rm))); \
        SOFT_NEXT;                                                                        \
    }                                                                                     \
    FORM_MODIFIES(NAME##_mi, BITS, COMPUTE)

/* Register forms alone: reg op= rm or memory (CMOV, IMUL, ...). */
#define FORM_LOADING_SIZE(NAME, COMPUTE, BITS, FROM)                           \
    FORM_HANDLER(NAME##_rr_##BITS)                                             \
    {                                                                          \
        soft_set##BITS(cpu, insn->rm,                                          \
                       COMPUTE##BITS(cpu, insn, soft_get##BITS(cpu, insn->rm), \
                                     soft_get##FROM(cpu, insn->reg)));         \
        SOFT_NEXT;                                                             \
    }                                                                          \
    FORM_LOADS(NAME##_rm, BITS, FROM,                                          \
               soft_set##BITS(cpu, insn->reg,                                  \
                              COMPUTE##BITS(cpu, insn, soft_get##BITS(cpu, insn->reg), value));)

#define FORM_LIST(PREFIX)                             \
    {                                                 \
        PREFIX##8, PREFIX##16, PREFIX##32, PREFIX##64 \
    }
#define FORM_LIST_WIDE(PREFIX)                   \
    {                                            \
        NULL, PREFIX##16, PREFIX##32, PREFIX##64 \
    }
/* LIST is one of the above. */
#define FORM_LIST_KINDS(LIST, PREFIX)                        \
    {                                                        \
        LIST(PREFIX##0_), LIST(PREFIX##1_), LIST(PREFIX##2_) \
    }

#define FORMS_TABLE(NAME)                             \
    static const struct soft_forms NAME##_forms = {   \
        .rr = FORM_LIST(NAME##_rr_),                  \
        .ri = FORM_LIST(NAME##_ri_),                  \
        .rm = FORM_LIST_KINDS(FORM_LIST, NAME##_rm_), \
        .mr = FORM_LIST_KINDS(FORM_LIST, NAME##_mr_), \
        .mi = FORM_LIST_KINDS(FORM_LIST, NAME##_mi_), \
    };

#define FORMS_BINARY(NAME, COMPUTE)     \
    FORM_BINARY_SIZE(NAME, COMPUTE, 8)  \
    FORM_BINARY_SIZE(NAME, COMPUTE, 16) \
    FORM_BINARY_SIZE(NAME, COMPUTE, 32) \
    FORM_BINARY_SIZE(NAME, COMPUTE, 64) \
    FORMS_TABLE(NAME)

#define FORMS_COMPARE(NAME, COMPUTE)     \
    FORM_COMPARE_SIZE(NAME, COMPUTE, 8)  \
    FORM_COMPARE_SIZE(NAME, COMPUTE, 16) \
    FORM_COMPARE_SIZE(NAME, COMPUTE, 32) \
    FORM_COMPARE_SIZE(NAME, COMPUTE, 64) \
    FORMS_TABLE(NAME)

#define FORMS_UNARY(NAME, COMPUTE)                    \
    FORM_UNARY_SIZE(NAME, COMPUTE, 8)                 \
    FORM_UNARY_SIZE(NAME, COMPUTE, 16)                \
    FORM_UNARY_SIZE(NAME, COMPUTE, 32)                \
    FORM_UNARY_SIZE(NAME, COMPUTE, 64)                \
    static const struct soft_forms NAME##_forms = {   \
        .ri = FORM_LIST(NAME##_ri_),                  \
        .mi = FORM_LIST_KINDS(FORM_LIST, NAME##_mi_), \
    };

/* 16, 32 and 64 bits; the source has FROM16, FROM32, FROM64 bits. */
#define FORMS_LOADING(NAME, COMPUTE, FROM16, FROM32, FROM64) \
    FORM_LOADING_SIZE(NAME, COMPUTE, 16, FROM16)             \
    FORM_LOADING_SIZE(NAME, COMPUTE, 32, FROM32)             \
    FORM_LOADING_SIZE(NAME, COMPUTE, 64, FROM64)             \
    static const struct soft_forms NAME##_forms = {          \
        .rr = FORM_LIST_WIDE(NAME##_rr_),                    \
        .rm = FORM_LIST_KINDS(FORM_LIST_WIDE, NAME##_rm_),   \
    };

/* Defines the operation; run serves what has no form: a LOCK prefix. */
#define FORMS_OPERATION(NAME, RUN)                                      \
    const struct soft_operation soft_operation_##NAME = {.name = #NAME, \
                                                         .run = RUN,    \
                                                         .forms = &NAME##_forms};

#endif
