/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/pic.h"

#define CASCADE 2
#define SPURIOUS 7
#define NOTHING 8 /* no line */

#define ICW1_IC4 0x01
#define ICW1_SELECT 0x10
#define ICW4_AEOI 0x02
#define ICW4_SFNM 0x10
#define OCW2_LINE 0x07
#define OCW2_EOI 0x20
#define OCW2_SPECIFIC 0x40
#define OCW2_ROTATE 0x80
#define OCW3_SELECT 0x08
#define OCW3_RIS 0x01
#define OCW3_RR 0x02
#define OCW3_POLL 0x04
#define OCW3_SMM 0x20
#define OCW3_ESMM 0x40

/* Timer, keyboard, cascade; RTC, FPU: these stay edge-triggered whatever is written. */
static const uint8_t elcr_writable[2] = {0xf8, 0xde};

static struct soft_pic_chip *chip_of_port(struct soft_pic *pic, uint16_t port)
{
    if (port >= PIC_ELCR_PORT)
        return &pic->chip[port - PIC_ELCR_PORT];
    return &pic->chip[port >= PIC_SLAVE_PORT];
}

/* IRR: what asks, masked or not. */
static uint8_t requests(const struct soft_pic_chip *c)
{
    return c->edges | (c->lines & c->level);
}

/* The line of highest priority in a set, or NOTHING. */
static unsigned first_of(const struct soft_pic_chip *c, uint8_t set)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned line = (c->lowest + i) & 7;

        if (set >> line & 1)
            return line;
    }
    return NOTHING;
}

static unsigned rank(const struct soft_pic_chip *c, unsigned line)
{
    return (line - c->lowest - 1) & 7;
}

/* The line that the chip asks its INT output for, or NOTHING: above all that is in service, but for
 * what the special modes leave out (8259A, "Special Mask Mode", "Special Fully Nested Mode"). */
static unsigned asking(const struct soft_pic_chip *c)
{
    unsigned line = first_of(c, requests(c) & ~c->mask);
    uint8_t blocking = c->service;
    unsigned busy;

    if (line == NOTHING || c->step != PIC_READY)
        return NOTHING;
    if (c->special_mask)
        blocking &= ~c->mask;
    if (c->special_nested)
        blocking &= ~(1 << CASCADE);
    busy = first_of(c, blocking);
    return busy == NOTHING || rank(c, line) < rank(c, busy) ? line : NOTHING;
}

static void set_line(struct soft_pic_chip *c, unsigned line, bool level)
{
    uint8_t bit = 1 << line;

    if (!level) {
        c->lines &= ~bit;
        c->edges &= ~bit;
    } else if (!(c->lines & bit)) {
        c->lines |= bit;
        c->edges |= bit & ~c->level;
    }
}

/* The slave's INT output is the master's line 2, which sees a new edge with each acknowledge. */
static void cascade(struct soft_pic *pic)
{
    set_line(&pic->chip[0], CASCADE, asking(&pic->chip[1]) != NOTHING);
}

/* Takes the line in service; SPURIOUS when none asks. */
static unsigned acknowledge(struct soft_pic_chip *c)
{
    unsigned line = asking(c);

    if (line == NOTHING)
        return SPURIOUS;
    c->edges &= ~(1 << line);
    if (!c->auto_eoi)
        c->service |= 1 << line;
    else if (c->rotate_auto_eoi)
        c->lowest = line;
    return line;
}

uint8_t soft_pic_acknowledge(struct soft_pic *pic)
{
    struct soft_pic_chip *master = &pic->chip[0], *slave = &pic->chip[1];
    bool from_slave = asking(master) == CASCADE;
    uint8_t vector = master->vector_base + acknowledge(master);

    if (from_slave) {
        vector = slave->vector_base + acknowledge(slave);
        set_line(master, CASCADE, false);
        cascade(pic);
    }
    return vector;
}

bool soft_pic_output(const struct soft_pic *pic)
{
    return asking(&pic->chip[0]) != NOTHING;
}

void soft_pic_set_line(struct soft_pic *pic, unsigned line, bool level)
{
    if (line >= PIC_LINES || line == CASCADE)
        return;
    set_line(&pic->chip[line / 8], line % 8, level);
    cascade(pic);
}

/* What ICW1 does by itself; an edge from before counts no more. */
static void start_initialization(struct soft_pic_chip *c, uint8_t icw1)
{
    *c = (struct soft_pic_chip){.lines = c->lines,
                                .level = c->level,
                                .vector_base = c->vector_base,
                                .lowest = 7,
                                .step = PIC_ICW2,
                                .has_icw4 = icw1 & ICW1_IC4};
}

static void end_of_interrupt(struct soft_pic_chip *c, uint8_t ocw2)
{
    unsigned line = ocw2 & OCW2_LINE;

    if (!(ocw2 & OCW2_SPECIFIC)) {
        line = first_of(c, c->special_mask ? c->service & ~c->mask : c->service);
        if (line == NOTHING)
            return;
    }
    c->service &= ~(1 << line);
    if (ocw2 & OCW2_ROTATE)
        c->lowest = line;
}

static void write_ocw2(struct soft_pic_chip *c, uint8_t ocw2)
{
    if (ocw2 & OCW2_EOI)
        end_of_interrupt(c, ocw2);
    else if (!(ocw2 & OCW2_SPECIFIC))
        c->rotate_auto_eoi = ocw2 & OCW2_ROTATE;
    else if (ocw2 & OCW2_ROTATE)
        c->lowest = ocw2 & OCW2_LINE;
}

static void write_ocw3(struct soft_pic_chip *c, uint8_t ocw3)
{
    c->poll = ocw3 & OCW3_POLL;
    if (ocw3 & OCW3_RR)
        c->read_service = ocw3 & OCW3_RIS;
    if (ocw3 & OCW3_ESMM)
        c->special_mask = ocw3 & OCW3_SMM;
}

static void write_port1(struct soft_pic_chip *c, uint8_t value)
{
    switch (c->step) {
    case PIC_READY:
        c->mask = value;
        break;
    case PIC_ICW2:
        c->vector_base = value & 0xf8;
        c->step = PIC_ICW3;
        break;
    case PIC_ICW3:
        c->step = c->has_icw4 ? PIC_ICW4 : PIC_READY;
        break;
    case PIC_ICW4:
        c->auto_eoi = value & ICW4_AEOI;
        c->special_nested = value & ICW4_SFNM;
        c->step = PIC_READY;
        break;
    }
}

void soft_pic_write(struct soft_pic *pic, uint16_t port, uint8_t value)
{
    struct soft_pic_chip *c = chip_of_port(pic, port);

    if (port >= PIC_ELCR_PORT) {
        c->level = value & elcr_writable[port - PIC_ELCR_PORT];
        c->edges &= ~c->level;
    } else if (port & 1) {
        write_port1(c, value);
    } else if (value & ICW1_SELECT) {
        start_initialization(c, value);
    } else if (value & OCW3_SELECT) {
        write_ocw3(c, value);
    } else {
        write_ocw2(c, value);
    }
    cascade(pic);
}

uint8_t soft_pic_read(struct soft_pic *pic, uint16_t port)
{
    struct soft_pic_chip *c = chip_of_port(pic, port);
    bool any = asking(c) != NOTHING;

    if (port >= PIC_ELCR_PORT)
        return c->level;
    if (c->poll) { /* "Poll Command": an acknowledge cycle by reading */
        uint8_t line = acknowledge(c);

        c->poll = false;
        cascade(pic);
        return any ? 0x80 | line : 0;
    }
    if (port & 1)
        return c->mask;
    return c->read_service ? c->service : requests(c);
}

void soft_pic_reset(struct soft_pic *pic)
{
    for (unsigned i = 0; i < 2; i++)
        pic->chip[i] = (struct soft_pic_chip){.lines = pic->chip[i].lines, .lowest = 7};
    cascade(pic);
}

void soft_pic_get_state(const struct soft_pic *pic, struct irqchip_state *ret)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct soft_pic_chip *c = &pic->chip[i];

        ret->pic[i] = (struct irqchip_pic){
            .lines = c->lines,
            .edges = c->edges,
            .mask = c->mask,
            .service = c->service,
            .elcr = c->level,
            .vector_base = c->vector_base,
            .lowest = c->lowest,
            .step = c->step == PIC_READY ? 0 : c->step - PIC_ICW2 + 2,
            .has_icw4 = c->has_icw4,
            .read_service = c->read_service,
            .poll = c->poll,
            .special_mask = c->special_mask,
            .special_nested = c->special_nested,
            .auto_eoi = c->auto_eoi,
            .rotate_auto_eoi = c->rotate_auto_eoi,
        };
    }
}

void soft_pic_set_state(struct soft_pic *pic, const struct irqchip_state *state)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct irqchip_pic *s = &state->pic[i];

        pic->chip[i] = (struct soft_pic_chip){
            .lines = s->lines,
            .edges = s->edges,
            .level = s->elcr,
            .mask = s->mask,
            .service = s->service,
            .vector_base = s->vector_base,
            .lowest = s->lowest & 7,
            .step = s->step >= 2 && s->step <= 4 ? PIC_ICW2 + s->step - 2 : PIC_READY,
            .has_icw4 = s->has_icw4,
            .read_service = s->read_service,
            .poll = s->poll,
            .special_mask = s->special_mask,
            .special_nested = s->special_nested,
            .auto_eoi = s->auto_eoi,
            .rotate_auto_eoi = s->rotate_auto_eoi,
        };
    }
    cascade(pic);
}
