/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the threaded handlers of an operation from one function for each size. Each macro defines
 * handlers NAME_FORM_SIZE and lists them in a struct soft_forms named NAME_forms.
 *
 * The functions are COMPUTE##SIZE(cpu, destination, source), with the result as value.
 */
#ifndef ENGINE_CPU_SOFT_FORMS_H
#define ENGINE_CPU_SOFT_FORMS_H

#include "engine/cpu/soft/handlers.h"
#include "engine/cpu/soft/soft_internal.h"

/* The operand as a value that will be written back; host: where, when it is that simple. */
#define FORM_DEFINE_RMW(BITS)                                                         \
    static inline uint8_t *form_rmw_host##BITS(struct soft_cpu *cpu, uint64_t linear, \
                                               uint##BITS##_t *ret_value)             \
    {                                                                                 \
        uint8_t *host = soft_tlb_find(cpu->tlb_write, linear, BITS / 8);              \
                                                                                      \
        if (G_LIKELY(host != NULL))                                                   \
            memcpy(ret_value, host, BITS / 8);                                        \
        else                                                                          \
            *ret_value = soft_load_for_store(cpu, linear, BITS / 8);                  \
        return host;                                                                  \
    }
FORM_DEFINE_RMW(8)
FORM_DEFINE_RMW(16)
FORM_DEFINE_RMW(32)
FORM_DEFINE_RMW(64)

#define FORM_HANDLER(NAME) static void NAME(struct soft_cpu *cpu, const struct soft_insn *insn)

/* Memory that is read and written: flags are set by COMPUTE, so a store by the slow path, which
 * may still leave the instruction, comes with them put back. */
#define FORM_MODIFY_MEMORY(NAME, BITS, FLAT, COMPUTE, ...)                     \
    FORM_HANDLER(NAME)                                                         \
    {                                                                          \
        uint64_t linear, result = cpu->flags_result, aux = cpu->flags_aux;     \
        uint##BITS##_t value;                                                  \
        uint8_t *host;                                                         \
                                                                               \
        cpu->current = insn;                                                   \
        linear = soft_form_linear(cpu, insn, BITS / 8, SOFT_WRITE, FLAT);      \
        host = form_rmw_host##BITS(cpu, linear, &value);                       \
        value = COMPUTE##BITS(cpu, value, ##__VA_ARGS__);                      \
        if (G_UNLIKELY(host == NULL)) {                                        \
            uint64_t new_result = cpu->flags_result, new_aux = cpu->flags_aux; \
                                                                               \
            cpu->flags_result = result;                                        \
            cpu->flags_aux = aux;                                              \
            soft_store_slow(cpu, linear, value, BITS / 8);                     \
            cpu->flags_result = new_result;                                    \
            cpu->flags_aux = new_aux;                                          \
        } else {                                                               \
            memcpy(host, &value, BITS / 8);                                    \
        }                                                                      \
        SOFT_NEXT;                                                             \
    }

#define FORM_LOAD(BITS, FLAT) \
    soft_load##BITS(cpu, soft_form_linear(cpu, insn, BITS / 8, SOFT_READ, FLAT))

#define FORM_BINARY_SIZE(NAME, COMPUTE, BITS)                                         \
    FORM_HANDLER(NAME##_rr_##BITS)                                                    \
    {                                                                                 \
        soft_set##BITS(cpu, insn->rm,                                                 \
                       COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->rm),              \
                                     soft_get##BITS(cpu, insn->reg)));                \
        SOFT_NEXT;                                                                    \
    }                                                                                 \
    FORM_HANDLER(NAME##_ri_##BITS)                                                    \
    {                                                                                 \
        soft_set##BITS(cpu, insn->rm,                                                 \
                       COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->rm), insn->imm)); \
        SOFT_NEXT;                                                                    \
    }                                                                                 \
    FORM_BINARY_MEMORY(NAME, COMPUTE, BITS, 0)                                        \
    FORM_BINARY_MEMORY(NAME, COMPUTE, BITS, 1)

#define FORM_BINARY_MEMORY(NAME, COMPUTE, BITS, FLAT)                                              \
    FORM_HANDLER(NAME##_rm_##FLAT##_##BITS)                                                        \
    {                                                                                              \
        uint##BITS##_t value;                                                                      \
                                                                                                   \
        cpu->current = insn;                                                                       \
        value = FORM_LOAD(BITS, FLAT);                                                             \
        soft_set##BITS(cpu, insn->reg, COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->reg), value)); \
        SOFT_NEXT;                                                                                 \
    }                                                                                              \
    FORM_MODIFY_MEMORY(NAME##_mr_##FLAT##_##BITS, BITS, FLAT, COMPUTE,                             \
                       soft_get##BITS(cpu, insn->reg))                                             \
    FORM_MODIFY_MEMORY(NAME##_mi_##FLAT##_##BITS, BITS, FLAT, COMPUTE, insn->imm)

/* The same without a result to keep: CMP and TEST. */
#define FORM_COMPARE_SIZE(NAME, COMPUTE, BITS)                                             \
    FORM_HANDLER(NAME##_rr_##BITS)                                                         \
    {                                                                                      \
        COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->rm), soft_get##BITS(cpu, insn->reg)); \
        SOFT_NEXT;                                                                         \
    }                                                                                      \
    FORM_HANDLER(NAME##_ri_##BITS)                                                         \
    {                                                                                      \
        COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->rm), insn->imm);                      \
        SOFT_NEXT;                                                                         \
    }                                                                                      \
    FORM_COMPARE_MEMORY(NAME, COMPUTE, BITS, 0)                                            \
    FORM_COMPARE_MEMORY(NAME, COMPUTE, BITS, 1)

#define FORM_COMPARE_MEMORY(NAME, COMPUTE, BITS, FLAT)             \
    FORM_HANDLER(NAME##_rm_##FLAT##_##BITS)                        \
    {                                                              \
        uint##BITS##_t value;                                      \
                                                                   \
        cpu->current = insn;                                       \
        value = FORM_LOAD(BITS, FLAT);                             \
        COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->reg), value); \
        SOFT_NEXT;                                                 \
    }                                                              \
    FORM_HANDLER(NAME##_mr_##FLAT##_##BITS)                        \
    {                                                              \
        uint##BITS##_t value;                                      \
                                                                   \
        cpu->current = insn;                                       \
        value = FORM_LOAD(BITS, FLAT);                             \
        COMPUTE##BITS(cpu, value, soft_get##BITS(cpu, insn->reg)); \
        SOFT_NEXT;                                                 \
    }                                                              \
    FORM_HANDLER(NAME##_mi_##FLAT##_##BITS)                        \
    {                                                              \
        uint##BITS##_t value;                                      \
                                                                   \
        cpu->current = insn;                                       \
        value = FORM_LOAD(BITS, FLAT);                             \
        COMPUTE##BITS(cpu, value, insn->imm);                      \
        SOFT_NEXT;                                                 \
    }

/* One operand: the forms RI and MI. */
#define FORM_UNARY_SIZE(NAME, COMPUTE, BITS)                                              \
    FORM_HANDLER(NAME##_ri_##BITS)                                                        \
    {                                                                                     \
        soft_set##BITS(cpu, insn->rm, COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->rm))); \
        SOFT_NEXT;                                                                        \
    }                                                                                     \
    FORM_MODIFY_MEMORY(NAME##_mi_0_##BITS, BITS, 0, COMPUTE)                              \
    FORM_MODIFY_MEMORY(NAME##_mi_1_##BITS, BITS, 1, COMPUTE)

/* Register forms alone: reg op= rm or memory (CMOV, IMUL, ...). */
#define FORM_LOADING_SIZE(NAME, COMPUTE, BITS, FROM)                           \
    FORM_HANDLER(NAME##_rr_##BITS)                                             \
    {                                                                          \
        soft_set##BITS(cpu, insn->rm,                                          \
                       COMPUTE##BITS(cpu, insn, soft_get##BITS(cpu, insn->rm), \
                                     soft_get##FROM(cpu, insn->reg)));         \
        SOFT_NEXT;                                                             \
    }                                                                          \
    FORM_LOADING_MEMORY(NAME, COMPUTE, BITS, FROM, 0)                          \
    FORM_LOADING_MEMORY(NAME, COMPUTE, BITS, FROM, 1)

#define FORM_LOADING_MEMORY(NAME, COMPUTE, BITS, FROM, FLAT)                             \
    FORM_HANDLER(NAME##_rm_##FLAT##_##BITS)                                              \
    {                                                                                    \
        uint##FROM##_t value;                                                            \
                                                                                         \
        cpu->current = insn;                                                             \
        value = FORM_LOAD(FROM, FLAT);                                                   \
        soft_set##BITS(cpu, insn->reg,                                                   \
                       COMPUTE##BITS(cpu, insn, soft_get##BITS(cpu, insn->reg), value)); \
        SOFT_NEXT;                                                                       \
    }

#define FORM_LIST(PREFIX)                             \
    {                                                 \
        PREFIX##8, PREFIX##16, PREFIX##32, PREFIX##64 \
    }
#define FORM_LIST_WIDE(PREFIX)                   \
    {                                            \
        NULL, PREFIX##16, PREFIX##32, PREFIX##64 \
    }

#define FORMS_TABLE(NAME)                                         \
    static const struct soft_forms NAME##_forms = {               \
        .rr = FORM_LIST(NAME##_rr_),                              \
        .ri = FORM_LIST(NAME##_ri_),                              \
        .rm = {FORM_LIST(NAME##_rm_0_), FORM_LIST(NAME##_rm_1_)}, \
        .mr = {FORM_LIST(NAME##_mr_0_), FORM_LIST(NAME##_mr_1_)}, \
        .mi = {FORM_LIST(NAME##_mi_0_), FORM_LIST(NAME##_mi_1_)}, \
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

#define FORMS_UNARY(NAME, COMPUTE)                                \
    FORM_UNARY_SIZE(NAME, COMPUTE, 8)                             \
    FORM_UNARY_SIZE(NAME, COMPUTE, 16)                            \
    FORM_UNARY_SIZE(NAME, COMPUTE, 32)                            \
    FORM_UNARY_SIZE(NAME, COMPUTE, 64)                            \
    static const struct soft_forms NAME##_forms = {               \
        .ri = FORM_LIST(NAME##_ri_),                              \
        .mi = {FORM_LIST(NAME##_mi_0_), FORM_LIST(NAME##_mi_1_)}, \
    };

/* 16, 32 and 64 bits; the source has FROM16, FROM32, FROM64 bits. */
#define FORMS_LOADING(NAME, COMPUTE, FROM16, FROM32, FROM64)                \
    FORM_LOADING_SIZE(NAME, COMPUTE, 16, FROM16)                            \
    FORM_LOADING_SIZE(NAME, COMPUTE, 32, FROM32)                            \
    FORM_LOADING_SIZE(NAME, COMPUTE, 64, FROM64)                            \
    static const struct soft_forms NAME##_forms = {                         \
        .rr = FORM_LIST_WIDE(NAME##_rr_),                                   \
        .rm = {FORM_LIST_WIDE(NAME##_rm_0_), FORM_LIST_WIDE(NAME##_rm_1_)}, \
    };

/* Defines the operation; run serves what has no form: a LOCK prefix. */
#define FORMS_OPERATION(NAME, RUN)                                      \
    const struct soft_operation soft_operation_##NAME = {.name = #NAME, \
                                                         .run = RUN,    \
                                                         .forms = &NAME##_forms};

#endif
