/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PIT, the RTC and the ACPI PM timer. */
#include "payload.h"

enum { PIT_CHANNEL_0 = 0x40, PIT_CHANNEL_2 = 0x42, PIT_COMMAND = 0x43, PIT_HZ = 1193182 };
enum { PIT_RATE_0 = 0x34, PIT_ONE_SHOT_0 = 0x30, PIT_ONE_SHOT_2 = 0xb0, PIT_LATCH_2 = 0x80 };
enum { PORT_B = 0x61, GATE_2 = 0x01, SPEAKER = 0x02, OUTPUT_2 = 0x20 };
enum { LPC_SLOT = 31, LPC_PMBASE = 0x40, PM_TIMER = 8, PM_TIMER_HZ = 3579545 };
enum { CMOS_INDEX = 0x70, CMOS_DATA = 0x71 };
enum { RTC_SECONDS, RTC_A = 0x0a, RTC_B = 0x0b, RTC_C = 0x0c, RTC_D = 0x0d };
enum { RTC_UPDATING = 0x80, RTC_PERIODIC = 0x40, RTC_VALID = 0x80, RTC_IRQ = 8 };

/* 24 bits, which every PM timer has. */
static uint32_t pm_timer(void)
{
    static uint16_t port;

    if (port == 0)
        port = (pci_read(LPC_SLOT, 0, LPC_PMBASE) & 0xff80) + PM_TIMER;
    return in32(port) & 0xffffff;
}

static uint32_t ticks_since(uint32_t start)
{
    return (pm_timer() - start) & 0xffffff;
}

void wait_us(uint32_t us)
{
    uint32_t start = pm_timer();
    uint32_t ticks = us * 3 + us / 2 + us / 13; /* 3.58 a microsecond; up to a second */

    while (ticks_since(start) < ticks)
        continue;
}

void test_pm_timer(void)
{
    uint32_t start = pm_timer();
    uint32_t last = 0;
    const char *reason = NULL;

    for (unsigned i = 0; i < 1000 && reason == NULL; i++) {
        uint32_t now = ticks_since(start);

        if (now < last)
            reason = "it runs backwards";
        last = now;
    }
    if (last == 0)
        reason = "it stands still";
    report("pm-timer", reason);
}

void pit_set_rate(unsigned hz)
{
    unsigned count = PIT_HZ / hz;

    out8(PIT_COMMAND, PIT_RATE_0);
    out8(PIT_CHANNEL_0, count);
    out8(PIT_CHANNEL_0, count >> 8);
}

void pit_stop(void)
{
    out8(PIT_COMMAND, PIT_ONE_SHOT_0); /* waits for a count that never comes */
}

static uint16_t pit_read_2(void)
{
    out8(PIT_COMMAND, PIT_LATCH_2);
    uint8_t low = in8(PIT_CHANNEL_2);

    return low | in8(PIT_CHANNEL_2) << 8;
}

/* Channel 2 counts down while its gate is up, and then raises its output. */
static const char *test_channel_2(void)
{
    uint8_t port_b = in8(PORT_B) & ~(GATE_2 | SPEAKER);

    out8(PORT_B, port_b);
    out8(PIT_COMMAND, PIT_ONE_SHOT_2);
    out8(PIT_CHANNEL_2, 0xff);
    out8(PIT_CHANNEL_2, 0xff);
    if (in8(PORT_B) & OUTPUT_2)
        return "channel 2's output is up before it ran";
    out8(PORT_B, port_b | GATE_2);
    uint16_t first = pit_read_2();
    wait_us(1000);
    uint16_t second = pit_read_2();
    if (second >= first)
        return "channel 2 does not count down";
    wait_us(100000);
    bool up = in8(PORT_B) & OUTPUT_2;
    out8(PORT_B, port_b);
    return up ? NULL : "channel 2's output did not rise at the end";
}

void test_pit(void)
{
    const char *reason = test_channel_2();

    interrupt_counts[PIC_BASE_VECTOR] = 0;
    pit_set_rate(50);
    pic_unmask(0);
    cpu_enable_interrupts();
    for (unsigned i = 0; i < 20; i++)
        wait_us(50000); /* a second */
    cpu_disable_interrupts();
    pic_mask_all();
    pit_stop();
    uint32_t count = interrupt_counts[PIC_BASE_VECTOR];
    print("pit: %u interrupts in a second at 50 Hz\n", (unsigned)count);
    if (reason == NULL && (count < 10 || count > 75))
        reason = "channel 0's interrupts do not keep time with the PM timer";
    report("pit", reason);
}

uint8_t cmos_read(uint8_t index)
{
    out8(CMOS_INDEX, index);
    return in8(CMOS_DATA);
}

void cmos_write(uint8_t index, uint8_t value)
{
    out8(CMOS_INDEX, index);
    out8(CMOS_DATA, value);
}

static uint8_t rtc_seconds(void)
{
    while (cmos_read(RTC_A) & RTC_UPDATING)
        continue;
    return cmos_read(RTC_SECONDS);
}

void test_rtc(void)
{
    const char *reason = NULL;
    unsigned vector = PIC_BASE_VECTOR + RTC_IRQ;
    uint8_t control = cmos_read(RTC_B);
    uint8_t start = rtc_seconds();

    interrupt_counts[vector] = 0;
    cmos_write(RTC_A, 0x2b); /* 32 Hz */
    cmos_write(RTC_B, control | RTC_PERIODIC);
    cmos_read(RTC_C);
    pic_unmask(RTC_IRQ);
    cpu_enable_interrupts();
    /* The line stays up until register C is read. */
    for (unsigned i = 0; i < 30; i++) {
        wait_us(50000);
        cmos_read(RTC_C);
    }
    cpu_disable_interrupts();
    pic_mask_all();
    cmos_write(RTC_A, 0x26);
    cmos_write(RTC_B, control);
    cmos_read(RTC_C);

    uint32_t count = interrupt_counts[vector];
    print("rtc: %u periodic interrupts\n", (unsigned)count);
    if (!(cmos_read(RTC_D) & RTC_VALID))
        reason = "it says that its battery is empty";
    else if (rtc_seconds() == start)
        reason = "its seconds stand still";
    else if (count < 5)
        reason = "no periodic interrupts";
    report("rtc", reason);
}
