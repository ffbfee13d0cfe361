/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A board without a processor: tests access its ports and memory as a guest does, and see its
 * interrupts and events. The clock is manual.
 */
#ifndef TESTS_FAKES_FAKE_BOARD_H
#define TESTS_FAKES_FAKE_BOARD_H

#include "engine/bus/board.h"

#define FAKE_IRQS 16

struct fake_board {
    struct board board;
    struct region ram; /* at 0 */
    bool irq_level[FAKE_IRQS];
    unsigned irq_rises[FAKE_IRQS];
    unsigned resets, exits;
    uint32_t exit_code;
};

void fake_board_init(struct fake_board *fake, size_t ram_size);
void fake_board_finish(struct fake_board *fake);
void fake_board_reset(struct fake_board *fake);
void fake_board_advance(struct fake_board *fake, uint64_t ns);

/* An access by a guest, of 1, 2 or 4 bytes; by memory also 8. */
uint32_t fake_in(struct fake_board *fake, uint16_t port, unsigned size);
void fake_out(struct fake_board *fake, uint16_t port, uint32_t value, unsigned size);
uint64_t fake_load(struct fake_board *fake, uint64_t gpa, unsigned size);
void fake_store(struct fake_board *fake, uint64_t gpa, uint64_t value, unsigned size);

static inline uint8_t fake_in8(struct fake_board *fake, uint16_t port)
{
    return fake_in(fake, port, 1);
}

static inline void fake_out8(struct fake_board *fake, uint16_t port, uint8_t value)
{
    fake_out(fake, port, value, 1);
}

#endif
