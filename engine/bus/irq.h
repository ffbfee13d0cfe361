/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interrupt line: a level that a device drives into an input of an interrupt controller.
 * Who controls what the level means is the other end's business (edge or level, PIC or I/O APIC).
 */
#ifndef ENGINE_BUS_IRQ_H
#define ENGINE_BUS_IRQ_H

#include <stdbool.h>
#include <stddef.h>

struct irq_line {
    void (*set)(void *opaque, unsigned number, bool level); /* under the board's lock */
    void *opaque;
    unsigned number;
    bool level; /* as last set */
};

/* Drives the line; tells the other end only of a change. line NULL: nobody listens. */
static inline void irq_line_set(struct irq_line *line, bool level)
{
    if (line == NULL || line->level == level)
        return;
    line->level = level;
    if (line->set != NULL)
        line->set(line->opaque, line->number, level);
}

#endif
