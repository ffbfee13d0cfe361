/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/ioapic.h"

#include <string.h>

#define IOREGSEL 0x00
#define IOWIN 0x10

#define REG_ID 0x00
#define REG_VERSION 0x01
#define REG_ARBITRATION 0x02
#define REG_TABLE 0x10

#define ID_MASK 0x0f000000u
#define VERSION (0x11 | (IOAPIC_PINS - 1) << 16)

#define ENTRY_VECTOR(e) ((uint8_t)(e))
#define ENTRY_MODE(e) ((e) >> 8 & 7)
#define ENTRY_LOGICAL UINT64_C(0x800)
#define ENTRY_STATUS UINT64_C(0x1000)
#define ENTRY_REMOTE_IRR UINT64_C(0x4000)
#define ENTRY_LEVEL UINT64_C(0x8000)
#define ENTRY_MASKED UINT64_C(0x10000)
#define ENTRY_DESTINATION(e) ((e) >> 56)
#define ENTRY_WRITABLE (UINT64_C(0xff0000000001ffff) & ~(ENTRY_STATUS | ENTRY_REMOTE_IRR))

/* Only these two modes can be level-triggered (82093AA, 3.2.4, "DELMOD"). */
static bool is_level(uint64_t entry)
{
    return (entry & ENTRY_LEVEL) && ENTRY_MODE(entry) <= APIC_LOWEST_PRIORITY;
}

static bool deliver(struct soft_ioapic *io, uint64_t entry)
{
    const struct soft_apic_message message = {
        .destination = ENTRY_DESTINATION(entry),
        .logical = entry & ENTRY_LOGICAL,
        .level = is_level(entry),
        .mode = ENTRY_MODE(entry),
        .vector = ENTRY_VECTOR(entry),
    };

    return io->deliver(io->opaque, &message);
}

/* A level-triggered pin asks again and again until it is accepted, and then once an EOI. */
static void serve_level(struct soft_ioapic *io, unsigned pin)
{
    uint64_t *entry = &io->entries[pin];

    if (!is_level(*entry) || (*entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) ||
        !(io->lines >> pin & 1))
        return;
    if (deliver(io, *entry))
        *entry |= ENTRY_REMOTE_IRR;
}

void soft_ioapic_set_pin(struct soft_ioapic *io, unsigned pin, bool level)
{
    uint32_t bit = UINT32_C(1) << pin;
    bool rises = level && !(io->lines & bit);
    uint64_t entry = io->entries[pin];

    io->lines = level ? io->lines | bit : io->lines & ~bit;
    if (is_level(entry))
        serve_level(io, pin);
    else if (rises && !(entry & ENTRY_MASKED)) /* the edge of a masked pin is lost */
        (void)deliver(io, entry);
}

void soft_ioapic_eoi(struct soft_ioapic *io, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t *entry = &io->entries[pin];

        if (!(*entry & ENTRY_REMOTE_IRR) || ENTRY_VECTOR(*entry) != vector)
            continue;
        *entry &= ~ENTRY_REMOTE_IRR;
        serve_level(io, pin);
    }
}

static void write_entry(struct soft_ioapic *io, unsigned pin, unsigned shift, uint32_t value)
{
    uint64_t *entry = &io->entries[pin];
    uint64_t written = (UINT64_C(0xffffffff) << shift) & ENTRY_WRITABLE;

    *entry = (*entry & ~written) | ((uint64_t)value << shift & written);
    if (!is_level(*entry)) /* the remote IRR means nothing then; software clears it so */
        *entry &= ~ENTRY_REMOTE_IRR;
    serve_level(io, pin);
}

uint32_t soft_ioapic_read(struct soft_ioapic *io, unsigned offset)
{
    unsigned index = io->selected - REG_TABLE;

    if (offset == IOREGSEL)
        return io->selected;
    if (offset != IOWIN)
        return 0;
    switch (io->selected) {
    case REG_ID:
    case REG_ARBITRATION: /* "loaded whenever the ID register is" */
        return io->id;
    case REG_VERSION:
        return VERSION;
    }
    if (index >= 2 * IOAPIC_PINS)
        return 0;
    return io->entries[index / 2] >> index % 2 * 32;
}

void soft_ioapic_write(struct soft_ioapic *io, unsigned offset, uint32_t value)
{
    unsigned index = io->selected - REG_TABLE;

    if (offset == IOREGSEL)
        io->selected = value;
    else if (offset == IOWIN && io->selected == REG_ID)
        io->id = value & ID_MASK;
    else if (offset == IOWIN && index < 2 * IOAPIC_PINS)
        write_entry(io, index / 2, index % 2 * 32, value);
}

void soft_ioapic_reset(struct soft_ioapic *io)
{
    io->id = 0;
    io->selected = 0;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        io->entries[pin] = ENTRY_MASKED;
}

void soft_ioapic_get_state(const struct soft_ioapic *io, struct irqchip_ioapic *ret)
{
    ret->id = io->id;
    ret->selected = io->selected;
    ret->lines = io->lines & ~1u; /* pin 0 is the PIC's */
    memcpy(ret->entries, io->entries, sizeof(io->entries));
}

void soft_ioapic_set_state(struct soft_ioapic *io, const struct irqchip_ioapic *state)
{
    io->id = state->id & ID_MASK;
    io->selected = state->selected;
    io->lines = (state->lines & ~1u) | (io->lines & 1);
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        io->entries[pin] = state->entries[pin] & (ENTRY_WRITABLE | ENTRY_REMOTE_IRR);
}
