/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/rtc.h"

#include <glib.h>
#include <string.h>
#include <time.h>

#include "engine/dev/rtc_time.h"

/* MC146818A, "Register A" to "Register D". */
enum {
    REG_A_DIVIDER = 0x70,
    REG_A_DIVIDER_RUNS = 0x20,
    REG_A_RATE = 0x0f,
    REG_A_UIP = 0x80,

    REG_B_SET = 0x80,
    REG_B_PIE = 0x40,
    REG_B_AIE = 0x20,
    REG_B_UIE = 0x10,
    REG_B_SQWE = 0x08,

    REG_C_IRQF = 0x80,
    REG_C_PF = 0x40,
    REG_C_AF = 0x20,
    REG_C_UF = 0x10,
    REG_C_FLAGS = REG_C_PF | REG_C_AF | REG_C_UF,

    REG_D_VRT = 0x80,
};

#define INDEX_MASK 0x7f /* bit 7 of port 0x70 gates NMI, which nothing raises here */
#define BANK_SIZE 128
#define OSCILLATOR_HZ 32768
/* MC146818A, "Update Cycle": UIP rises this long before the update ends. */
#define UPDATE_USEC (244 + 1984)

struct rtc {
    struct device device;
    struct board *board;
    struct region region;
    struct irq_line *irq;
    bool local_time;
    int64_t (*host_time)(void *opaque);
    void *host_time_opaque;

    uint8_t index[2];
    uint8_t cmos[2 * BANK_SIZE];
    uint8_t flags;  /* of register C */
    int64_t offset; /* guest's time less host's, microseconds */

    int64_t settled_second;  /* up to here AF and UF have been found */
    uint64_t settled_period; /* likewise PF */
    struct vm_timer second_timer, periodic_timer;
};

static int64_t host_utc(void *opaque)
{
    return g_get_real_time();
}

/* The host's time of day in microseconds, as UTC or as the local time read as UTC. */
static int64_t host_now(const struct rtc *rtc)
{
    int64_t now = rtc->host_time(rtc->host_time_opaque);
    time_t seconds = now / G_USEC_PER_SEC;
    struct tm local;

    if (!rtc->local_time || localtime_r(&seconds, &local) == NULL)
        return now;
    return timegm(&local) * G_USEC_PER_SEC + now % G_USEC_PER_SEC;
}

static int64_t rtc_now(const struct rtc *rtc)
{
    return host_now(rtc) + rtc->offset;
}

static int64_t second_of(int64_t usec)
{
    return usec >= 0 ? usec / G_USEC_PER_SEC : -((-usec + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC);
}

/* Whether time goes on: neither being set nor with the divider held in reset. */
static bool is_running(const struct rtc *rtc)
{
    return !(rtc->cmos[RTC_B] & REG_B_SET) &&
           (rtc->cmos[RTC_A] & REG_A_DIVIDER) == REG_A_DIVIDER_RUNS;
}

/* MC146818A, "Periodic Interrupt Selection"; 0: none. In ticks of the oscillator. */
static unsigned period_ticks(const struct rtc *rtc)
{
    unsigned rate = rtc->cmos[RTC_A] & REG_A_RATE;

    if (rate == 0)
        return 0;
    return 1u << ((rate <= 2 ? rate + 7 : rate) - 1);
}

static uint64_t ticks_now(const struct rtc *rtc)
{
    uint64_t now = clock_now(rtc->board->clock);

    return now / NSEC_PER_SEC * OSCILLATOR_HZ + now % NSEC_PER_SEC * OSCILLATOR_HZ / NSEC_PER_SEC;
}

/* The first nanosecond of a tick. */
static uint64_t tick_start(uint64_t tick)
{
    return tick / OSCILLATOR_HZ * NSEC_PER_SEC +
           (tick % OSCILLATOR_HZ * NSEC_PER_SEC + OSCILLATOR_HZ - 1) / OSCILLATOR_HZ;
}

/* Finds the flags that came up since the last time. */
static void settle(struct rtc *rtc)
{
    unsigned period = period_ticks(rtc);
    int64_t second = second_of(rtc_now(rtc));

    if (period != 0 && ticks_now(rtc) / period != rtc->settled_period) {
        rtc->settled_period = ticks_now(rtc) / period;
        rtc->flags |= REG_C_PF;
    }
    if (is_running(rtc) && second > rtc->settled_second) {
        rtc->flags |= REG_C_UF;
        if (rtc_time_alarm_in(rtc->cmos, rtc->settled_second, second))
            rtc->flags |= REG_C_AF;
    }
    rtc->settled_second = second;
}

static void update_irq(struct rtc *rtc)
{
    irq_line_set(rtc->irq, rtc->flags & rtc->cmos[RTC_B] & REG_C_FLAGS);
}

/* Arms the timers of the interrupts that are enabled and not pending: an idle clock, or one whose
 * guest has lost interest, costs nothing. */
static void rearm(struct rtc *rtc)
{
    uint8_t wanted = rtc->cmos[RTC_B] & ~rtc->flags;
    unsigned period = period_ticks(rtc);
    int64_t now = rtc_now(rtc);

    if ((wanted & REG_B_PIE) && period != 0)
        vm_timer_set(&rtc->periodic_timer, tick_start((rtc->settled_period + 1) * period));
    else
        vm_timer_cancel(&rtc->periodic_timer);

    if ((wanted & (REG_B_AIE | REG_B_UIE)) && is_running(rtc)) {
        int64_t wait = (second_of(now) + 1) * G_USEC_PER_SEC - now;

        vm_timer_set(&rtc->second_timer, clock_now(rtc->board->clock) + wait * 1000);
    } else {
        vm_timer_cancel(&rtc->second_timer);
    }
}

/* Forgets what happened up to now: the settings that decide what happens have changed. */
static void start_anew(struct rtc *rtc)
{
    unsigned period = period_ticks(rtc);

    rtc->settled_second = second_of(rtc_now(rtc));
    rtc->settled_period = period != 0 ? ticks_now(rtc) / period : 0;
    rearm(rtc);
}

static void timer_expired(void *opaque)
{
    struct rtc *rtc = opaque;

    settle(rtc);
    rearm(rtc);
    update_irq(rtc);
}

/* Brings the time registers up to date. While time stands still they are the guest's. */
static void latch_time(struct rtc *rtc)
{
    if (is_running(rtc))
        rtc_time_encode(rtc->cmos, second_of(rtc_now(rtc)));
}

/* The time registers become the time; usec is how far into their second it is. */
static void take_time(struct rtc *rtc, int64_t usec)
{
    rtc->offset = rtc_time_decode(rtc->cmos) * G_USEC_PER_SEC + usec - host_now(rtc);
    start_anew(rtc);
}

static bool update_in_progress(const struct rtc *rtc)
{
    int64_t now = rtc_now(rtc);

    return is_running(rtc) && (second_of(now) + 1) * G_USEC_PER_SEC - now <= UPDATE_USEC;
}

static uint8_t read_c(struct rtc *rtc)
{
    uint8_t value;

    settle(rtc);
    value = rtc->flags;
    if (value & rtc->cmos[RTC_B])
        value |= REG_C_IRQF;
    rtc->flags = 0;
    rearm(rtc);
    update_irq(rtc);
    return value;
}

static uint8_t read_cmos(struct rtc *rtc, unsigned index)
{
    switch (index) {
    case RTC_A:
        return rtc->cmos[RTC_A] | (update_in_progress(rtc) ? REG_A_UIP : 0);
    case RTC_C:
        return read_c(rtc);
    case RTC_D:
        return REG_D_VRT;
    default:
        if (rtc_time_is_register(index))
            latch_time(rtc);
        return rtc->cmos[index];
    }
}

/* A change of register A or B, which may stop time or let it go on. */
static void write_control(struct rtc *rtc, unsigned index, uint8_t value)
{
    bool ran = is_running(rtc);
    bool divider_ran = (rtc->cmos[RTC_A] & REG_A_DIVIDER) == REG_A_DIVIDER_RUNS;
    int64_t now = rtc_now(rtc);

    settle(rtc);
    latch_time(rtc);
    rtc->cmos[index] = value;
    /* MC146818A, "Register A": the first update follows the divider's release by half a second. */
    if (!ran && is_running(rtc))
        take_time(rtc, divider_ran ? now - second_of(now) * G_USEC_PER_SEC : G_USEC_PER_SEC / 2);
    else
        start_anew(rtc);
    update_irq(rtc);
}

static void write_cmos(struct rtc *rtc, unsigned index, uint8_t value)
{
    int64_t now;

    switch (index) {
    case RTC_A:
        write_control(rtc, index, value & ~REG_A_UIP);
        return;
    case RTC_B:
        if (value & REG_B_SET) /* MC146818A, "Register B": SET clears UIE */
            value &= ~REG_B_UIE;
        write_control(rtc, index, value);
        return;
    case RTC_C:
    case RTC_D:
        return;
    default:
        break;
    }
    settle(rtc); /* by the alarm as it was */
    latch_time(rtc);
    rtc->cmos[index] = value;
    now = rtc_now(rtc);
    if (rtc_time_is_register(index) && is_running(rtc))
        take_time(rtc, now - second_of(now) * G_USEC_PER_SEC);
}

static uint64_t rtc_read(void *opaque, uint64_t offset, unsigned size)
{
    struct rtc *rtc = opaque;
    unsigned bank = offset / 2;

    if (offset % 2 == 0)
        return 0xff; /* the index is write-only */
    return read_cmos(rtc, bank * BANK_SIZE + rtc->index[bank]);
}

static void rtc_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct rtc *rtc = opaque;
    unsigned bank = offset / 2;

    if (offset % 2 == 0)
        rtc->index[bank] = value & INDEX_MASK;
    else
        write_cmos(rtc, bank * BANK_SIZE + rtc->index[bank], value);
}

static const struct region_ops rtc_ops = {rtc_read, rtc_write, .max_access = 1};

/* MC146818A, "RESET": the battery keeps time and memory. */
static void rtc_reset(struct device *device)
{
    struct rtc *rtc = (struct rtc *)device;

    latch_time(rtc);
    rtc->cmos[RTC_B] &= ~(REG_B_PIE | REG_B_AIE | REG_B_UIE | REG_B_SQWE);
    rtc->flags = 0;
    memset(rtc->index, 0, sizeof(rtc->index));
    start_anew(rtc);
    update_irq(rtc);
}

static void rtc_destroy(struct device *device)
{
    struct rtc *rtc = (struct rtc *)device;

    vm_timer_cancel(&rtc->second_timer);
    vm_timer_cancel(&rtc->periodic_timer);
    pio_bus_remove(rtc->board->pio, &rtc->region);
    g_free(rtc);
}

static const struct device_class rtc_class = {"rtc", rtc_reset, rtc_destroy};

struct rtc *rtc_new(struct board *board, bool local_time, struct irq_line *irq)
{
    struct rtc *rtc = g_new0(struct rtc, 1);

    rtc->device = (struct device){&rtc_class, "rtc"};
    rtc->board = board;
    rtc->irq = irq;
    rtc->local_time = local_time;
    rtc->host_time = host_utc;
    rtc->cmos[RTC_A] = REG_A_DIVIDER_RUNS | 0x06; /* 1,024 Hz, as PC firmware leaves it */
    rtc->cmos[RTC_B] = RTC_B_24_HOUR;
    rtc->region = (struct region){.name = "rtc", .size = 4, .ops = &rtc_ops, .opaque = rtc};
    vm_timer_init(&rtc->second_timer, board->clock, timer_expired, rtc);
    vm_timer_init(&rtc->periodic_timer, board->clock, timer_expired, rtc);
    start_anew(rtc);
    g_warn_if_fail(pio_bus_add(board->pio, &rtc->region, 0x70));
    board_add_device(board, &rtc->device);
    return rtc;
}

void rtc_set_time_source(struct rtc *rtc, int64_t (*now)(void *opaque), void *opaque)
{
    rtc->host_time = now;
    rtc->host_time_opaque = opaque;
    start_anew(rtc);
}

void rtc_set_cmos(struct rtc *rtc, unsigned index, uint8_t value)
{
    g_return_if_fail(index >= 0x10 && index < RTC_CMOS_SIZE);
    rtc->cmos[index] = value;
}

static void set_cmos16(struct rtc *rtc, unsigned index, uint64_t value)
{
    uint16_t word = MIN(value, G_MAXUINT16);

    rtc_set_cmos(rtc, index, word);
    rtc_set_cmos(rtc, index + 1, word >> 8);
}

/* The indices that SeaBIOS (src/hw/rtc.h) and OVMF read. */
void rtc_set_memory(struct rtc *rtc, uint64_t below_4g, uint64_t above_4g, unsigned cpus)
{
    const uint64_t kib = 1024, mib = 1024 * kib;
    uint64_t over_1m = below_4g > mib ? below_4g - mib : 0;
    uint64_t over_16m = below_4g > 16 * mib ? below_4g - 16 * mib : 0;
    uint64_t high = above_4g / (64 * kib);

    set_cmos16(rtc, 0x15, MIN(below_4g / kib, 640));
    set_cmos16(rtc, 0x17, over_1m / kib);
    set_cmos16(rtc, 0x30, over_1m / kib);
    set_cmos16(rtc, 0x34, over_16m / (64 * kib));
    rtc_set_cmos(rtc, 0x5b, high);
    rtc_set_cmos(rtc, 0x5c, high >> 8);
    rtc_set_cmos(rtc, 0x5d, high >> 16);
    rtc_set_cmos(rtc, 0x5f, cpus - 1);
    rtc_set_cmos(rtc, 0x10, 0x00); /* no floppy drive */
    rtc_set_cmos(rtc, 0x14, 0x06); /* FPU, PS/2 mouse, display with a ROM of its own */
    rtc_set_cmos(rtc, 0x38, 0x01); /* no third device; boot sectors need no floppy signature */
    rtc_set_cmos(rtc, 0x3d, 0x32); /* disk, then CD */
}
