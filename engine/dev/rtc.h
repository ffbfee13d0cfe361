/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real-time clock and CMOS memory: MC146818A at ports 0x70/0x71 with 128 bytes, and the ICH9's
 * second bank of 128 bytes at 0x72/0x73. The century is in BCD at 0x32.
 *
 * The time follows the host's, also over a pause, by a distance that the guest chooses when it
 * sets the clock.
 */
#ifndef ENGINE_DEV_RTC_H
#define ENGINE_DEV_RTC_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/bus/board.h"

#define RTC_CMOS_SIZE 128

struct rtc;

/* local_time: the guest expects the host's local time rather than UTC. The device is the board's
 * and valid until board_finish(). */
struct rtc *rtc_new(struct board *board, bool local_time, struct irq_line *irq);

/* Sets a byte of CMOS memory, index 0x10 to RTC_CMOS_SIZE - 1. Before the guest runs. */
void rtc_set_cmos(struct rtc *rtc, unsigned index, uint8_t value);
/* Fills in what firmware reads there of the machine: memory sizes in bytes, processors, equipment
 * (no floppy, VGA, PS/2 mouse), boot from disk, then CD. Before the guest runs. */
void rtc_set_memory(struct rtc *rtc, uint64_t below_4g, uint64_t above_4g, unsigned cpus);

/* Replaces the host's clock: now() gives microseconds since 1970-01-01 UTC. */
void rtc_set_time_source(struct rtc *rtc, int64_t (*now)(void *opaque), void *opaque);

#endif
