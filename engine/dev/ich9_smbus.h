/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SMBus host controller of the ICH9 (datasheet, chapter 18), with no device on the bus: every
 * transaction ends with "no answer".
 */
#ifndef ENGINE_DEV_ICH9_SMBUS_H
#define ENGINE_DEV_ICH9_SMBUS_H

#include "engine/bus/board.h"

struct ich9_smbus;

/* The device is the board's. */
struct ich9_smbus *ich9_smbus_new(struct board *board);

#endif
