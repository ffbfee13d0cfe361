/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sixteen conditions of Jcc, SETcc and CMOVcc. Intel SDM volume 1, appendix B. */
#ifndef ENGINE_CPU_SOFT_CONDITION_H
#define ENGINE_CPU_SOFT_CONDITION_H

#include "engine/cpu/soft/flags.h"

/* X(name) for each. */
#define SOFT_CONDITIONS(X) \
    X(o)                   \
    X(no)                  \
    X(b)                   \
    X(nb)                  \
    X(z)                   \
    X(nz)                  \
    X(be)                  \
    X(nbe)                 \
    X(s)                   \
    X(ns)                  \
    X(p)                   \
    X(np)                  \
    X(l)                   \
    X(nl)                  \
    X(le)                  \
    X(nle)

#define CONDITION_PAIR(NAME, EXPRESSION)                                  \
    static inline bool soft_condition_##NAME(const struct soft_cpu *cpu)  \
    {                                                                     \
        return EXPRESSION;                                                \
    }                                                                     \
                                                                          \
    static inline bool soft_condition_n##NAME(const struct soft_cpu *cpu) \
    {                                                                     \
        return !(EXPRESSION);                                             \
    }

CONDITION_PAIR(o, soft_of(cpu))
CONDITION_PAIR(b, soft_cf(cpu))
CONDITION_PAIR(z, soft_zf(cpu))
CONDITION_PAIR(be, soft_below_equal(cpu))
CONDITION_PAIR(s, soft_sf(cpu))
CONDITION_PAIR(p, soft_pf(cpu))
CONDITION_PAIR(l, soft_less(cpu))
CONDITION_PAIR(le, soft_less_equal(cpu))

#undef CONDITION_PAIR

#endif
