/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest may do to end the machine, or to break out of it. */
#include "payload.h"

enum { LPC_SLOT = 31, LPC_PMBASE = 0x40, LPC_ACPI_CONTROL = 0x44, ACPI_DECODE = 0x80 };
enum { PM1_CONTROL = 4, SLEEP_S5 = 1 << 13, RESET_PORT = 0xcf9, I8042_COMMAND = 0x64 };
/* In CMOS memory, which a reset leaves alone: set while a reboot is under way. */
enum { REBOOT_MARK_INDEX = 0x7e, REBOOT_MARK = 0xb0 };

static uint32_t random_state = 1;

static uint32_t random32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

void hang(void)
{
    cpu_disable_interrupts();
    for (;;)
        __asm__ volatile("hlt");
}

/* A bad selector faults; without an IDT, so does every attempt to say so. */
void triple_fault(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint32_t base;
    } empty = {0, 0};

    __asm__ volatile("lidtl %0; movw %w1, %%ds" : : "m"(empty), "r"(0xfff8));
}

/* iret, which KVMs that interpret ring 0 do not know. */
void bad_instruction(void)
{
    __asm__ volatile("pushfl; pushl $0x08; pushl $1f; iretl; 1:" : : : "memory");
}

static uint16_t pm_base(void)
{
    return pci_read(LPC_SLOT, 0, LPC_PMBASE) & 0xff80;
}

void power_off(void)
{
    out16(pm_base() + PM1_CONTROL, SLEEP_S5);
    hang();
}

void reboot(const char *how)
{
    if (cmos_read(REBOOT_MARK_INDEX) == REBOOT_MARK) {
        cmos_write(REBOOT_MARK_INDEX, 0);
        report("reboot", NULL);
        return;
    }
    cmos_write(REBOOT_MARK_INDEX, REBOOT_MARK);
    print("rebooting by %s\n", how);
    if (text_equal(how, "cf9")) {
        out8(RESET_PORT, 0x02);
        out8(RESET_PORT, 0x06);
    } else if (text_equal(how, "i8042")) {
        out8(I8042_COMMAND, 0xfe);
    } else if (text_equal(how, "port92")) {
        out8(0x92, 0x01);
    } else if (text_equal(how, "triple")) {
        triple_fault();
    }
    wait_us(500000);
    cmos_write(REBOOT_MARK_INDEX, 0);
    report("reboot", "the machine goes on");
}

/* Whether any of four ports may end the machine, which is another test's, or carries the report. */
static bool is_left_alone(uint16_t port, uint16_t exit_port)
{
    uint16_t pm = pm_base();

    for (unsigned p = port; p < port + 4u; p++)
        if ((p & ~7u) == 0x3f8 || (p & ~7u) == 0xcf8 || p == RESET_PORT || p == I8042_COMMAND ||
            p == 0x92 || (p >= pm && p < pm + 0x80u) || (p >= exit_port && p < exit_port + 4u))
            return true;
    return false;
}

static void hammer_ports(void)
{
    const char *exit = option("exit");
    uint16_t exit_port = exit != NULL ? parse_number(exit) : 0;

    for (unsigned i = 0; i < 4000; i++) {
        uint16_t port = i < 2000 ? random32() & 0x7ff : random32();

        if (is_left_alone(port, exit_port))
            continue;
        switch (random32() % 6) {
        case 0:
            out8(port, random32());
            break;
        case 1:
            out16(port, random32());
            break;
        case 2:
            out32(port, random32());
            break;
        case 3:
            in8(port);
            break;
        case 4:
            in16(port);
            break;
        default:
            in32(port);
            break;
        }
    }
}

/* VGA memory, holes between the chipset's registers, the empty PCI window, ROM, MMCONFIG. */
static void hammer_memory(void)
{
    static const struct {
        uint32_t start, size;
    } ranges[] = {
        {0x000a0000, 0x20000},   {0x000c0000, 0x40000}, {0xfed00000, 0x80000},
        {0xc0000000, 0x3000000}, {0xfec01000, 0xff000}, {0xffc00000, 0x400000},
        {0xb0100000, 0xf00000},
    };

    for (unsigned i = 0; i < 3000; i++) {
        unsigned r = random32() % (sizeof(ranges) / sizeof(ranges[0]));
        uint32_t address = ranges[r].start + random32() % (ranges[r].size - 4);

        if (random32() & 1)
            mmio_write(address, random32());
        else
            mmio_read(address);
    }
}

static void hammer_ahci(void)
{
    static const uint32_t outside[] = {0x00000000, 0x000a0000, 0xb0000000, 0xfee00000, 0xfffffc00};

    if (!ahci_init())
        return;
    for (unsigned i = 0; i < 2000; i++) {
        uint32_t value = random32() % 3 == 0 ? outside[random32() % 5] : random32();
        uint32_t offset = random32() % 4 == 0 ? random32() % 0x2c : 0x100 + random32() % 0x300;

        mmio_write(ahci_base() + (offset & ~3u), value);
        if (i % 16 == 0) { /* a command with what is there */
            mmio_write(ahci_base() + 0x118, 0x11);
            mmio_write(ahci_base() + 0x138, 0xffffffff);
        }
    }
}

static void hammer_fw_cfg(void)
{
    for (unsigned i = 0; i < 200; i++)
        fw_cfg_dma_read(random32() % 0x40, 0xc0000000 | random32(), random32() >> 12);
}

static void hammer_pci(void)
{
    /* Every writable bit of VGA and SMBus: BARs over RAM, over each other, and off. */
    static const struct {
        unsigned slot, function;
    } targets[] = {{1, 0}, {2, 0}, {31, 2}, {31, 3}};

    for (unsigned i = 0; i < 1000; i++) {
        unsigned t = random32() % 4;

        pci_write(targets[t].slot, targets[t].function, random32() & 0xfc, random32());
    }
    /* Leave nothing over our own memory. */
    for (unsigned t = 0; t < 4; t++)
        pci_write(targets[t].slot, targets[t].function, 4, 0);
}

void hammer(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } targets[] = {
        {"hammer-memory", hammer_memory}, {"hammer-fw-cfg", hammer_fw_cfg},
        {"hammer-ahci", hammer_ahci},     {"hammer-ports", hammer_ports},
        {"hammer-pci", hammer_pci},
    };
    const char *seed = option("seed");

    if (seed != NULL)
        random_state = parse_number(seed) | 1;
    cpu_disable_interrupts();
    for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        targets[i].run();
        report(targets[i].name, NULL);
    }
}
