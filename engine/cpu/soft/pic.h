/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pair of interrupt controllers of a PC: Intel 8259A, order number 231468, with the edge/level
 * control registers that PCI chipsets add (ICH9 datasheet, ELCR1 and ELCR2: ports 0x4d0 and 0x4d1,
 * which take the place of ICW1's LTIM). Wired for an 8086: ICW4's mode bit, ICW1's SNGL and ICW3
 * change nothing that this wiring could do.
 *
 * Thread: whoever holds the lock of the interrupt chip. No call tells anybody of a change: after
 * each, soft_pic_output() is what the INTR line shows.
 */
#ifndef ENGINE_CPU_SOFT_PIC_H
#define ENGINE_CPU_SOFT_PIC_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/cpu/irqchip_state.h"

#define PIC_MASTER_PORT 0x20 /* and 0x21 */
#define PIC_SLAVE_PORT 0xa0  /* and 0xa1 */
#define PIC_ELCR_PORT 0x4d0  /* and 0x4d1 */

#define PIC_LINES 16

/* The next initialization command word that port 1 expects. */
enum soft_pic_step { PIC_READY, PIC_ICW2, PIC_ICW3, PIC_ICW4 };

struct soft_pic_chip {
    uint8_t lines;   /* levels of the inputs */
    uint8_t edges;   /* inputs that rose, stayed high and were not acknowledged */
    uint8_t level;   /* level-triggered inputs: ELCR */
    uint8_t mask;    /* IMR */
    uint8_t service; /* ISR */
    uint8_t vector_base;
    uint8_t lowest; /* the input of lowest priority; those after it, cyclically, follow */
    enum soft_pic_step step;
    bool has_icw4;
    bool read_service; /* a read of port 0 gives ISR, not IRR */
    bool poll;         /* the next read is a poll */
    bool special_mask, special_nested, auto_eoi, rotate_auto_eoi;
};

struct soft_pic {
    struct soft_pic_chip chip[2]; /* master, slave */
};

/* Power-on: registers start again; the lines' levels are kept. */
void soft_pic_reset(struct soft_pic *pic);
/* Lines 0 to 15; 2 is the cascade and nobody's. */
void soft_pic_set_line(struct soft_pic *pic, unsigned line, bool level);
bool soft_pic_output(const struct soft_pic *pic);
/* The acknowledge cycle: a vector, that of a spurious interrupt (line 7) when nothing asks. */
uint8_t soft_pic_acknowledge(struct soft_pic *pic);

/* set: without the lines' changes reaching anybody. */
void soft_pic_get_state(const struct soft_pic *pic, struct irqchip_state *ret);
void soft_pic_set_state(struct soft_pic *pic, const struct irqchip_state *state);

/* A byte from or to one of the six ports. */
uint8_t soft_pic_read(struct soft_pic *pic, uint16_t port);
void soft_pic_write(struct soft_pic *pic, uint16_t port, uint8_t value);

#endif
