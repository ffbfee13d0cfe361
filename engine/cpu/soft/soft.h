/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The software processor: an accelerator that needs nothing of the host. */
#ifndef ENGINE_CPU_SOFT_SOFT_H
#define ENGINE_CPU_SOFT_SOFT_H

#include "engine/cpu/accel.h"

struct accel *soft_accel_new(struct board *board, unsigned cpus, GError **err);

#endif
