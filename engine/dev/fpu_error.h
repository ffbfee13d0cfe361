/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC's way of x87 errors with CR0.NE clear: the processor's FERR# raises IRQ 13
 * (BOARD_FERR_IRQ), which stays until software writes to port 0xf0: ICH9 datasheet, COPROC_ERR.
 */
#ifndef ENGINE_DEV_FPU_ERROR_H
#define ENGINE_DEV_FPU_ERROR_H

#include "engine/bus/board.h"

struct fpu_error;

/* The device is the board's and valid until board_finish(). */
struct fpu_error *fpu_error_new(struct board *board);

#endif
