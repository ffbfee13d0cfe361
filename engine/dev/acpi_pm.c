/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/acpi_pm.h"

#include "core/log.h"

#define PM_TIMER_HZ 3579545
#define PM_TIMER_BITS 24

enum { PM1_STS = 0x00, PM1_EN = 0x02, PM1_CNT = 0x04, PM_TMR = 0x08 };
enum { GPE0_STS = 0x20, GPE0_EN = 0x28, SMI_EN = 0x30 };

#define PM1_TIMER 0x0001
#define PM1_GLOBAL 0x0020
#define PM1_POWER_BUTTON 0x0100
#define PM1_RTC 0x0400
#define PM1_WAKE 0x8000
#define PM1_STATUS_BITS \
    (PM1_TIMER | 0x0010 | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_RTC | 0x0800 | 0x4000 | PM1_WAKE)
#define PM1_ENABLE_BITS (PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_RTC | 0x4000)

#define PM1_SCI_EN 0x0001
#define PM1_SLP_TYP(control) ((control) >> 10 & 7)
#define PM1_SLP_EN 0x2000
#define PM1_CONTROL_BITS 0x1c03

/* What the tables of this machine name as S5, and what ICH9 hardware does. */
#define SLEEP_S5_TABLES 0
#define SLEEP_S5_ICH9 7

/* With this bit set firmware takes SMM as set up, and leaves it alone: there is none here. */
#define SMI_APMC_EN 0x20

#define APM_COMMAND_PORT 0xb2
#define APM_ACPI_ENABLE 0x02
#define APM_ACPI_DISABLE 0x03

static uint64_t timer_ticks(struct acpi_pm *pm)
{
    return (uint64_t)((unsigned __int128)clock_now(pm->board->clock) * PM_TIMER_HZ / NSEC_PER_SEC);
}

/* How often the top bit has toggled: each time sets the timer's status bit. */
static uint64_t timer_overflows(struct acpi_pm *pm)
{
    return timer_ticks(pm) >> (PM_TIMER_BITS - 1);
}

static uint16_t pm1_status(struct acpi_pm *pm)
{
    if (timer_overflows(pm) != pm->overflow_seen)
        pm->pm1_status |= PM1_TIMER;
    return pm->pm1_status;
}

static void update_sci(struct acpi_pm *pm)
{
    bool pending =
        (pm1_status(pm) & pm->pm1_enable) != 0 || (pm->gpe0_status & pm->gpe0_enable) != 0;

    irq_line_set(&pm->sci, pending && (pm->pm1_control & PM1_SCI_EN));
    if ((pm->pm1_enable & PM1_TIMER) && !(pm->pm1_status & PM1_TIMER)) {
        uint64_t ticks = (timer_overflows(pm) + 1) << (PM_TIMER_BITS - 1);

        vm_timer_set(&pm->overflow, (unsigned __int128)ticks * NSEC_PER_SEC / PM_TIMER_HZ + 1);
    } else {
        vm_timer_cancel(&pm->overflow);
    }
}

static void on_overflow(void *opaque)
{
    update_sci(opaque);
}

static void write_control(struct acpi_pm *pm, uint32_t value)
{
    unsigned type = PM1_SLP_TYP(value);

    pm->pm1_control = value & PM1_CONTROL_BITS;
    update_sci(pm);
    if (!(value & PM1_SLP_EN))
        return;
    if (type == SLEEP_S5_TABLES || type == SLEEP_S5_ICH9)
        pm->board->events->power_off(pm->board->events_opaque, "guest powered off");
    else
        log_guest("acpi", "sleep type %u is not one of this machine's: ignored", type);
}

/* Registers are a row of bytes to the guest, which reads and writes any width at any place. */
static uint8_t read_byte(struct acpi_pm *pm, unsigned offset)
{
    static const uint32_t timer_mask = (1u << PM_TIMER_BITS) - 1;

    switch (offset & ~3u) {
    case PM1_STS:
        return (pm1_status(pm) | (uint32_t)pm->pm1_enable << 16) >> offset % 4 * 8;
    case PM1_CNT:
        return pm->pm1_control >> offset % 4 * 8;
    case PM_TMR:
        return (timer_ticks(pm) & timer_mask) >> offset % 4 * 8;
    case GPE0_STS:
    case GPE0_STS + 4:
        return pm->gpe0_status >> offset % 8 * 8;
    case GPE0_EN:
    case GPE0_EN + 4:
        return pm->gpe0_enable >> offset % 8 * 8;
    case SMI_EN:
        return pm->smi_enable >> offset % 4 * 8;
    default:
        return 0;
    }
}

static uint64_t block_read(void *opaque, uint64_t offset, unsigned size)
{
    struct acpi_pm *pm = opaque;
    uint32_t value = 0;

    /* The timer must not move between the bytes of one read. */
    if (offset == PM_TMR && size == 4)
        return timer_ticks(pm) & ((1u << PM_TIMER_BITS) - 1);
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)read_byte(pm, offset + i) << i * 8;
    return value;
}

static uint64_t replace_byte(uint64_t value, unsigned byte, uint8_t by)
{
    return (value & ~(UINT64_C(0xff) << byte * 8)) | (uint64_t)by << byte * 8;
}

static void write_byte(struct acpi_pm *pm, unsigned offset, uint8_t value)
{
    switch (offset & ~3u) {
    case PM1_STS:
        if (offset >= PM1_EN) {
            pm->pm1_enable = replace_byte(pm->pm1_enable, offset - PM1_EN, value) & PM1_ENABLE_BITS;
        } else {
            uint16_t clear = (uint16_t)value << offset * 8 & PM1_STATUS_BITS;

            pm1_status(pm);
            pm->pm1_status &= ~clear;
            if (clear & PM1_TIMER)
                pm->overflow_seen = timer_overflows(pm);
        }
        break;
    case PM1_CNT:
        write_control(pm, replace_byte(pm->pm1_control, offset % 4, value));
        return;
    case GPE0_STS:
    case GPE0_STS + 4:
        pm->gpe0_status &= ~((uint64_t)value << offset % 8 * 8);
        break;
    case GPE0_EN:
    case GPE0_EN + 4:
        pm->gpe0_enable = replace_byte(pm->gpe0_enable, offset % 8, value);
        break;
    case SMI_EN:
        pm->smi_enable = replace_byte(pm->smi_enable, offset % 4, value) | SMI_APMC_EN;
        break;
    }
    update_sci(pm);
}

static void block_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct acpi_pm *pm = opaque;

    for (unsigned i = 0; i < size; i++)
        write_byte(pm, offset + i, value >> i * 8);
}

static uint64_t apm_read(void *opaque, uint64_t offset, unsigned size)
{
    struct acpi_pm *pm = opaque;

    return offset == 0 ? pm->apm_command : pm->apm_status;
}

static void apm_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct acpi_pm *pm = opaque;

    if (offset == 1) {
        pm->apm_status = value;
        return;
    }
    pm->apm_command = value;
    /* On a machine with SMM its handler would do this. */
    if (value == APM_ACPI_ENABLE)
        pm->pm1_control |= PM1_SCI_EN;
    else if (value == APM_ACPI_DISABLE)
        pm->pm1_control &= ~PM1_SCI_EN;
    update_sci(pm);
}

void acpi_pm_init(struct acpi_pm *pm, struct board *board, const struct irq_line *sci)
{
    static const struct region_ops block_ops = {block_read, block_write, .max_access = 4};
    static const struct region_ops apm_ops = {apm_read, apm_write, .max_access = 1};

    *pm = (struct acpi_pm){.board = board, .sci = *sci};
    pm->block =
        (struct region){.name = "acpi-pm", .size = ACPI_PM_SIZE, .ops = &block_ops, .opaque = pm};
    pm->apm = (struct region){.name = "apm", .size = 2, .ops = &apm_ops, .opaque = pm};
    vm_timer_init(&pm->overflow, board->clock, on_overflow, pm);
    pio_bus_add(board->pio, &pm->apm, APM_COMMAND_PORT);
    pm->smi_enable = SMI_APMC_EN;
}

void acpi_pm_finish(struct acpi_pm *pm)
{
    vm_timer_cancel(&pm->overflow);
    pio_bus_remove(pm->board->pio, &pm->block);
    pio_bus_remove(pm->board->pio, &pm->apm);
}

void acpi_pm_reset(struct acpi_pm *pm)
{
    pm->pm1_status = pm->pm1_enable = 0;
    pm->pm1_control = 0;
    pm->gpe0_status = pm->gpe0_enable = 0;
    pm->smi_enable = SMI_APMC_EN;
    pm->apm_command = pm->apm_status = 0;
    pm->overflow_seen = timer_overflows(pm);
    update_sci(pm);
}

void acpi_pm_place(struct acpi_pm *pm, uint16_t base)
{
    if (pm->block.mapped && pm->block.base == base)
        return;
    pio_bus_remove(pm->board->pio, &pm->block);
    if (base != 0 && !pio_bus_add(pm->board->pio, &pm->block, base))
        log_guest("acpi", "ports at %#x are taken: power management stays unmapped", base);
}

void acpi_pm_power_button(struct acpi_pm *pm)
{
    pm->pm1_status |= PM1_POWER_BUTTON;
    update_sci(pm);
}
