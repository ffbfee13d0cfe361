/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports, and who may use them. Intel SDM volume 1, chapter 19. */
#ifndef ENGINE_CPU_SOFT_IO_H
#define ENGINE_CPU_SOFT_IO_H

#include "engine/cpu/soft/soft_internal.h"

/* Raises #GP(0) if neither IOPL nor the permission map of the TSS allows it. */
void soft_io_check(struct soft_cpu *cpu, uint16_t port, unsigned size);
uint32_t soft_io_read(struct soft_cpu *cpu, uint16_t port, unsigned size);
void soft_io_write(struct soft_cpu *cpu, uint16_t port, uint32_t value, unsigned size);

#endif
