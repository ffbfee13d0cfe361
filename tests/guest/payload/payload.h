/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest without an operating system: it tests the devices of the q35 board from 32-bit ring 0 and
 * reports by the first serial port: "PASS name", "FAIL name: reason", "DONE n passed, m failed".
 *
 * Words of the command line choose what it does: see payload_main().
 */
#ifndef TESTS_GUEST_PAYLOAD_PAYLOAD_H
#define TESTS_GUEST_PAYLOAD_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* io.c: ports, memory, text */
static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t in16(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t mmio_read(uint32_t address)
{
    return *(volatile uint32_t *)address;
}

static inline void mmio_write(uint32_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static inline void cpu_enable_interrupts(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void cpu_disable_interrupts(void)
{
    __asm__ volatile("cli" : : : "memory");
}

void serial_init(void);
/* %s, %u, %x (32 bits), %c, %% */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

bool text_equal(const char *a, const char *b);
/* The value of "name=value" or, for a bare word, ""; NULL: the command line has no such word. It
 * is valid until the next call. */
const char *option(const char *name);
uint32_t parse_number(const char *text); /* decimal, or hexadecimal after 0x */
void set_command_line(const char *text);

/* The result of a test: prints and counts it. reason NULL: passed. */
void report(const char *name, const char *reason);
void print_done(void);

/* interrupts.c */
void interrupts_init(void);
extern volatile uint32_t interrupt_counts[256];
enum { PIC_BASE_VECTOR = 0x20, PIC_BASE_VECTOR_2 = 0x28 };
void pic_unmask(unsigned irq);
void pic_mask_all(void);
void test_pic(void);
void test_local_apic(void);
void test_io_apic(void);

enum {
    LAPIC = 0xfee00000,
    LAPIC_ID = LAPIC + 0x20,
    LAPIC_EOI = LAPIC + 0xb0,
    LAPIC_SPURIOUS = LAPIC + 0xf0,
    LAPIC_ICR_LOW = LAPIC + 0x300,
    LAPIC_ICR_HIGH = LAPIC + 0x310,
};
void lapic_enable(void);

/* timers.c. Waiting goes by the PM timer. */
void wait_us(uint32_t us);
void pit_set_rate(unsigned hz); /* channel 0 */
void pit_stop(void);
void test_pit(void);
void test_rtc(void);
void test_pm_timer(void);
uint8_t cmos_read(uint8_t index);
void cmos_write(uint8_t index, uint8_t value);

/* pci.c */
uint32_t pci_read(unsigned slot, unsigned function, unsigned offset);
void pci_write(unsigned slot, unsigned function, unsigned offset, uint32_t value);
void test_pci(void);
void test_fw_cfg(void);
unsigned fw_cfg_cpus(void);
enum { FW_CFG_DMA_ERROR = 1 };
/* A DMA read of the item; returns the control word at its end. */
uint32_t fw_cfg_dma_read(uint16_t key, uint32_t address, uint32_t length);

/* ahci.c */
bool ahci_init(void); /* false: there is no controller */
uint32_t ahci_base(void);
void test_ahci(void);

/* smp.c */
void test_smp(void);

/* modes.c: what ends or abuses the machine */
void hammer(void);
void triple_fault(void);
void bad_instruction(void);
void hang(void);
void reboot(const char *how);
void power_off(void);

#endif
