/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENGINE_CPU_SOFT_VCPU_H
#define ENGINE_CPU_SOFT_VCPU_H

#include "engine/cpu/soft/soft_internal.h"

struct soft_vcpu {
    struct vcpu vcpu;
    struct soft_cpu cpu;
};

struct vcpu *soft_vcpu_new(struct accel *accel, unsigned index, GError **err);

#endif
