/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IDT, and the interrupt controllers: 8259 pair, local APIC, I/O APIC. */
#include "payload.h"

enum { PIC1 = 0x20, PIC2 = 0xa0, PIC_EOI = 0x20, PIC_READ_IRR = 0x0a };
enum { TIMER_IRQ = 0, CASCADE_IRQ = 2 };
enum { IO_APIC_SELECT = 0xfec00000, IO_APIC_WINDOW = 0xfec00010 };
enum { IO_APIC_VERSION = 1, IO_APIC_TABLE = 0x10, IO_APIC_MASKED = 1 << 16 };
enum { TIMER_GSI = 2 };
enum { LAPIC_VERSION = LAPIC + 0x30, LAPIC_TIMER = LAPIC + 0x320 };
enum { LAPIC_LINT0 = LAPIC + 0x350, LAPIC_TIMER_COUNT = LAPIC + 0x380 };
enum { LAPIC_TIMER_CURRENT = LAPIC + 0x390, LAPIC_TIMER_DIVIDE = LAPIC + 0x3e0 };
enum { LAPIC_SOFTWARE_ENABLE = 0x100, LAPIC_MASKED = 1 << 16, LAPIC_EXTINT = 7 << 8 };
enum { SELF_VECTOR = 0x60, LAPIC_TIMER_VECTOR = 0x61, IO_APIC_VECTOR = 0x62, SPURIOUS = 0xff };
enum { ICR_SELF = 1 << 18, ICR_ASSERT = 1 << 14 };

volatile uint32_t interrupt_counts[256];

static struct {
    uint16_t offset_low, selector, type, offset_high;
} idt[256];

extern const uint8_t interrupt_entries[256][16];

void handle_interrupt(uint32_t vector);

void handle_interrupt(uint32_t vector)
{
    interrupt_counts[vector]++;
    if (vector < PIC_BASE_VECTOR) {
        print("FAIL exception: vector %u\n", (unsigned)vector);
        print_done();
        hang();
    } else if (vector < PIC_BASE_VECTOR + 16) {
        if (vector >= PIC_BASE_VECTOR_2)
            out8(PIC2, PIC_EOI);
        out8(PIC1, PIC_EOI);
    } else if (vector != SPURIOUS) {
        mmio_write(LAPIC_EOI, 0);
    }
}

static void pic_init(void)
{
    out8(PIC1, 0x11); /* ICW1: cascade, with ICW4 */
    out8(PIC1 + 1, PIC_BASE_VECTOR);
    out8(PIC1 + 1, 1 << CASCADE_IRQ);
    out8(PIC1 + 1, 0x01);
    out8(PIC2, 0x11);
    out8(PIC2 + 1, PIC_BASE_VECTOR_2);
    out8(PIC2 + 1, CASCADE_IRQ);
    out8(PIC2 + 1, 0x01);
    pic_mask_all();
}

void pic_mask_all(void)
{
    out8(PIC1 + 1, 0xff);
    out8(PIC2 + 1, 0xff);
}

void pic_unmask(unsigned irq)
{
    if (irq >= 8) {
        out8(PIC2 + 1, in8(PIC2 + 1) & ~(1 << (irq - 8)));
        irq = CASCADE_IRQ;
    }
    out8(PIC1 + 1, in8(PIC1 + 1) & ~(1 << irq));
}

void interrupts_init(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint32_t base;
    } pointer = {sizeof(idt) - 1, (uint32_t)idt};

    for (unsigned i = 0; i < 256; i++) {
        uint32_t entry = (uint32_t)interrupt_entries[i];

        idt[i].offset_low = entry;
        idt[i].offset_high = entry >> 16;
        idt[i].selector = 0x08;
        idt[i].type = 0x8e00; /* interrupt gate */
    }
    __asm__ volatile("lidtl %0" : : "m"(pointer));
    pic_init();
}

/* Whether the count of a vector reaches the number within the time. */
static bool wait_for(unsigned vector, uint32_t count, unsigned ms)
{
    for (unsigned i = 0; i < ms && interrupt_counts[vector] < count; i++)
        wait_us(1000);
    return interrupt_counts[vector] >= count;
}

void test_pic(void)
{
    const char *reason = NULL;

    /* Masked, the request must stay in the IRR. */
    interrupt_counts[PIC_BASE_VECTOR] = 0;
    pit_set_rate(100);
    cpu_enable_interrupts();
    wait_us(30000);
    out8(PIC1, PIC_READ_IRR);
    uint8_t pending = in8(PIC1);
    if (interrupt_counts[PIC_BASE_VECTOR] != 0)
        reason = "a masked interrupt came through";
    else if (!(pending & 1))
        reason = "no request of the timer in the IRR";
    pic_unmask(TIMER_IRQ);
    if (reason == NULL && !wait_for(PIC_BASE_VECTOR, 2, 1000))
        reason = "no timer interrupts after unmasking";
    cpu_disable_interrupts();
    pic_mask_all();
    pit_stop();
    report("pic", reason);
}

void lapic_enable(void)
{
    mmio_write(LAPIC_SPURIOUS, LAPIC_SOFTWARE_ENABLE | SPURIOUS);
}

void test_local_apic(void)
{
    const char *reason = NULL;
    uint32_t version = mmio_read(LAPIC_VERSION);

    lapic_enable();
    mmio_write(LAPIC_LINT0, LAPIC_EXTINT); /* the PICs stay connected */
    interrupt_counts[SELF_VECTOR] = interrupt_counts[LAPIC_TIMER_VECTOR] = 0;
    cpu_enable_interrupts();
    mmio_write(LAPIC_ICR_HIGH, 0);
    mmio_write(LAPIC_ICR_LOW, ICR_SELF | ICR_ASSERT | SELF_VECTOR);
    bool self_came = wait_for(SELF_VECTOR, 1, 1000);
    mmio_write(LAPIC_TIMER_DIVIDE, 0x0b); /* by 1 */
    mmio_write(LAPIC_TIMER, LAPIC_TIMER_VECTOR);
    mmio_write(LAPIC_TIMER_COUNT, 1000000);
    uint32_t started = mmio_read(LAPIC_TIMER_CURRENT);
    bool timer_came = wait_for(LAPIC_TIMER_VECTOR, 1, 1000);
    mmio_write(LAPIC_TIMER, LAPIC_MASKED);
    cpu_disable_interrupts();

    if ((version & 0xf0) != 0x10)
        reason = "not an integrated APIC";
    else if (!self_came)
        reason = "an IPI to itself did not come";
    else if (started > 1000000)
        reason = "the timer counts the wrong way";
    else if (!timer_came)
        reason = "the timer did not expire";
    report("local-apic", reason);
}

static uint32_t io_apic_read(unsigned index)
{
    mmio_write(IO_APIC_SELECT, index);
    return mmio_read(IO_APIC_WINDOW);
}

static void io_apic_write(unsigned index, uint32_t value)
{
    mmio_write(IO_APIC_SELECT, index);
    mmio_write(IO_APIC_WINDOW, value);
}

void test_io_apic(void)
{
    const char *reason = NULL;
    unsigned inputs = (io_apic_read(IO_APIC_VERSION) >> 16 & 0xff) + 1;
    unsigned entry = IO_APIC_TABLE + 2 * TIMER_GSI;

    lapic_enable();
    interrupt_counts[IO_APIC_VECTOR] = 0;
    io_apic_write(entry + 1, mmio_read(LAPIC_ID));
    io_apic_write(entry, IO_APIC_VECTOR);
    pit_set_rate(100);
    cpu_enable_interrupts();
    bool came = wait_for(IO_APIC_VECTOR, 2, 1000);
    io_apic_write(entry, IO_APIC_MASKED | IO_APIC_VECTOR);
    wait_us(30000);
    uint32_t count = interrupt_counts[IO_APIC_VECTOR];
    wait_us(50000);
    bool went_on = interrupt_counts[IO_APIC_VECTOR] != count;
    cpu_disable_interrupts();
    pit_stop();

    if (inputs < 24)
        reason = "fewer than 24 inputs";
    else if (!came)
        reason = "the timer's interrupt did not come through input 2";
    else if (went_on)
        reason = "a masked input still interrupts";
    report("io-apic", reason);
}
