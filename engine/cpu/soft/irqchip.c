/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wiring between PIC, I/O APIC, PIT and local APICs. */
#include "engine/cpu/soft/irqchip.h"

#include <inttypes.h>

#include "core/log.h"
#include "engine/cpu/soft/ioapic.h"
#include "engine/cpu/soft/lapic_internal.h"
#include "engine/cpu/soft/pic.h"
#include "engine/cpu/soft/pit.h"

#define IOAPIC_PRIORITY 1

#define GSI_CASCADE 2
#define PIN_EXTINT 0 /* the PIC's INTR, as on ICH chipsets */
#define PIN_TIMER 2

/* SDM volume 3, 10.11: message address and data. */
#define MSI_WINDOW(address) ((address) >> 20)
#define MSI_WINDOW_VALUE 0xfee
#define MSI_DESTINATION(address) ((address) >> 12 & 0xff)
#define MSI_REDIRECT 0x8
#define MSI_LOGICAL 0x4
#define MSI_VECTOR(data) ((uint8_t)(data))
#define MSI_MODE(data) ((data) >> 8 & 7)
#define MSI_ASSERT 0x4000
#define MSI_LEVEL 0x8000

static const struct {
    uint16_t first, count;
} port_ranges[] = {
    {PIC_MASTER_PORT, 2}, {PIC_SLAVE_PORT, 2},   {PIC_ELCR_PORT, 2},
    {PIT_PORT, 4},        {PIT_CONTROL_PORT, 1},
};

struct ports {
    struct soft_irqchip *chip;
    uint16_t first;
    struct region region;
};

struct soft_irqchip {
    struct board *board;
    soft_irqchip_notify_fn *notify;
    void *notify_opaque;
    struct ports ports[G_N_ELEMENTS(port_ranges)];
    struct region ioapic_region;
    struct soft_pit pit;
    struct soft_lapic_bus lapics;

    GMutex lock; /* what follows */
    struct soft_pic pic;
    struct soft_ioapic ioapic;
    bool intr; /* the PIC's output, as the APICs see it */
};

/* Under the chip's lock. */
static void set_intr(struct soft_irqchip *chip, bool level)
{
    if (chip->intr == level)
        return;
    chip->intr = level;
    soft_lapic_bus_set_intr(&chip->lapics, level);
    soft_ioapic_set_pin(&chip->ioapic, PIN_EXTINT, level);
}

static void on_notify(void *opaque, unsigned cpu)
{
    struct soft_irqchip *chip = opaque;

    chip->notify(chip->notify_opaque, cpu);
}

static void on_eoi(void *opaque, uint8_t vector)
{
    struct soft_irqchip *chip = opaque;

    g_mutex_lock(&chip->lock);
    soft_ioapic_eoi(&chip->ioapic, vector);
    g_mutex_unlock(&chip->lock);
}

/* INTR falls during the cycle and may rise again for the next interrupt. */
static int on_acknowledge(void *opaque)
{
    struct soft_irqchip *chip = opaque;
    uint8_t vector;

    g_mutex_lock(&chip->lock);
    vector = soft_pic_acknowledge(&chip->pic);
    set_intr(chip, false);
    set_intr(chip, soft_pic_output(&chip->pic));
    g_mutex_unlock(&chip->lock);
    return vector;
}

static const struct soft_lapic_bus_ops lapic_bus_ops = {on_notify, on_eoi, on_acknowledge};

static bool on_ioapic_message(void *opaque, const struct soft_apic_message *message)
{
    struct soft_irqchip *chip = opaque;

    return soft_lapic_bus_deliver(&chip->lapics, message);
}

void soft_irqchip_set_irq(struct soft_irqchip *chip, unsigned gsi, bool level)
{
    if (gsi >= IOAPIC_PINS || gsi == GSI_CASCADE)
        return;
    g_mutex_lock(&chip->lock);
    if (gsi < PIC_LINES) {
        soft_pic_set_line(&chip->pic, gsi, level);
        set_intr(chip, soft_pic_output(&chip->pic));
    }
    soft_ioapic_set_pin(&chip->ioapic, gsi == 0 ? PIN_TIMER : gsi, level);
    g_mutex_unlock(&chip->lock);
}

static void on_pit_output(void *opaque, bool level)
{
    soft_irqchip_set_irq(opaque, 0, level);
}

void soft_irqchip_send_msi(struct soft_irqchip *chip, uint64_t address, uint32_t data)
{
    struct soft_apic_message message = {
        .destination = MSI_DESTINATION(address),
        .logical = address & MSI_LOGICAL,
        .level = data & MSI_LEVEL,
        .mode = MSI_MODE(data),
        .vector = MSI_VECTOR(data),
    };

    if (MSI_WINDOW(address) != MSI_WINDOW_VALUE) {
        log_guest("irqchip", "MSI to %#" PRIx64 ", where no local APIC is", address);
        return;
    }
    if (message.level && !(data & MSI_ASSERT))
        return;
    if (message.mode == APIC_START_UP) /* reserved in messages */
        return;
    if ((address & MSI_REDIRECT) && message.mode == APIC_FIXED)
        message.mode = APIC_LOWEST_PRIORITY;
    soft_lapic_bus_deliver(&chip->lapics, &message);
}

static bool is_pit_port(uint16_t port)
{
    return port == PIT_CONTROL_PORT || (port >= PIT_PORT && port < PIT_PORT + 4);
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct ports *ports = opaque;
    struct soft_irqchip *chip = ports->chip;
    uint16_t port = ports->first + offset;
    uint8_t value;

    if (is_pit_port(port))
        return soft_pit_read(&chip->pit, port);
    g_mutex_lock(&chip->lock);
    value = soft_pic_read(&chip->pic, port);
    set_intr(chip, soft_pic_output(&chip->pic)); /* a poll acknowledges */
    g_mutex_unlock(&chip->lock);
    return value;
}

static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    const struct ports *ports = opaque;
    struct soft_irqchip *chip = ports->chip;
    uint16_t port = ports->first + offset;

    if (is_pit_port(port)) {
        soft_pit_write(&chip->pit, port, value);
        return;
    }
    g_mutex_lock(&chip->lock);
    soft_pic_write(&chip->pic, port, value);
    set_intr(chip, soft_pic_output(&chip->pic));
    g_mutex_unlock(&chip->lock);
}

static const struct region_ops port_ops = {port_read, port_write, 1};

/* Registers are read in any size, and written whole, but for the 8 bits of the selector. */
static uint64_t ioapic_read(void *opaque, uint64_t offset, unsigned size)
{
    struct soft_irqchip *chip = opaque;
    uint32_t value;

    g_mutex_lock(&chip->lock);
    value = soft_ioapic_read(&chip->ioapic, offset & ~UINT64_C(3));
    g_mutex_unlock(&chip->lock);
    return value >> offset % 4 * 8;
}

static void ioapic_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct soft_irqchip *chip = opaque;

    if (size < 4 && offset != 0)
        return;
    g_mutex_lock(&chip->lock);
    soft_ioapic_write(&chip->ioapic, offset, value);
    g_mutex_unlock(&chip->lock);
}

static const struct region_ops ioapic_ops = {ioapic_read, ioapic_write, 4};

static void map(struct soft_irqchip *chip)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(port_ranges); i++) {
        struct ports *p = &chip->ports[i];

        p->chip = chip;
        p->first = port_ranges[i].first;
        p->region = (struct region){.name = "irqchip",
                                    .size = port_ranges[i].count,
                                    .ops = &port_ops,
                                    .opaque = p};
        pio_bus_add(chip->board->pio, &p->region, p->first);
    }
    chip->ioapic_region =
        (struct region){.name = "ioapic", .size = IOAPIC_SIZE, .ops = &ioapic_ops, .opaque = chip};
    memory_map_add(chip->board->memory, &chip->ioapic_region, IOAPIC_ADDRESS, IOAPIC_PRIORITY);
}

struct soft_irqchip *soft_irqchip_new(struct board *board, unsigned cpus, uint64_t tsc_hz,
                                      soft_irqchip_notify_fn *notify, void *opaque)
{
    struct soft_irqchip *chip;

    g_return_val_if_fail(cpus <= SOFT_LAPIC_MAX && tsc_hz > 0, NULL);
    chip = g_new0(struct soft_irqchip, 1);
    chip->board = board;
    chip->notify = notify;
    chip->notify_opaque = opaque;
    g_mutex_init(&chip->lock);
    chip->lapics.count = cpus;
    chip->lapics.board = board;
    chip->lapics.tsc_hz = tsc_hz;
    chip->lapics.ops = &lapic_bus_ops;
    chip->lapics.opaque = chip;
    soft_lapic_bus_init(&chip->lapics);
    soft_pic_reset(&chip->pic);
    chip->ioapic.deliver = on_ioapic_message;
    chip->ioapic.opaque = chip;
    soft_ioapic_reset(&chip->ioapic);
    soft_pit_init(&chip->pit, board->clock, on_pit_output, chip);
    map(chip);
    return chip;
}

void soft_irqchip_free(struct soft_irqchip *chip)
{
    if (chip == NULL)
        return;
    soft_lapic_bus_finish(&chip->lapics);
    g_mutex_clear(&chip->lock);
    g_free(chip);
}

void soft_irqchip_reset(struct soft_irqchip *chip)
{
    g_mutex_lock(&chip->board->lock);
    soft_pit_reset(&chip->pit);
    g_mutex_lock(&chip->lock);
    soft_pic_reset(&chip->pic);
    soft_ioapic_reset(&chip->ioapic);
    set_intr(chip, soft_pic_output(&chip->pic));
    g_mutex_unlock(&chip->lock);
    soft_lapic_bus_reset(&chip->lapics);
    g_mutex_unlock(&chip->board->lock);
}

void soft_irqchip_get_state(struct soft_irqchip *chip, struct irqchip_state *ret)
{
    g_mutex_lock(&chip->board->lock);
    soft_pit_get_state(&chip->pit, ret);
    g_mutex_lock(&chip->lock);
    soft_pic_get_state(&chip->pic, ret);
    soft_ioapic_get_state(&chip->ioapic, &ret->ioapic);
    g_mutex_unlock(&chip->lock);
    ret->clock_ns = clock_now(chip->board->clock);
    g_mutex_unlock(&chip->board->lock);
}

/* Nothing that the controllers have delivered already is delivered by it. */
void soft_irqchip_set_state(struct soft_irqchip *chip, const struct irqchip_state *state)
{
    g_mutex_lock(&chip->board->lock);
    soft_pit_set_state(&chip->pit, state);
    g_mutex_lock(&chip->lock);
    soft_pic_set_state(&chip->pic, state);
    soft_ioapic_set_state(&chip->ioapic, &state->ioapic);
    set_intr(chip, soft_pic_output(&chip->pic));
    g_mutex_unlock(&chip->lock);
    g_mutex_unlock(&chip->board->lock);
}

struct soft_lapic *soft_irqchip_lapic(struct soft_irqchip *chip, unsigned cpu)
{
    return &chip->lapics.lapic[cpu];
}
