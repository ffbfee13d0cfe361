/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Linux kernel's virtual machines: Documentation/virt/kvm/api.rst of the kernel. */
#ifndef ENGINE_CPU_KVM_H
#define ENGINE_CPU_KVM_H

#include "engine/cpu/accel.h"

struct accel *kvm_accel_new(struct board *board, unsigned cpus, GError **err);

/* Measures, within some milliseconds, whether guests' ring 0 runs natively; *ret_reason says it in
 * words and is the caller's to free. */
bool kvm_is_native(char **ret_reason);

#endif
