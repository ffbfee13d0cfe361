/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first disk, by AHCI 1.3: IDENTIFY DEVICE and READ DMA EXT. */
#include "payload.h"

enum { AHCI_SLOT = 31, AHCI_FUNCTION = 2, BAR5 = 0x24, COMMAND = 4, MEMORY_AND_MASTER = 6 };
enum { HBA_CONTROL = 0x04, HBA_ENABLE = 1u << 31, PORTS_IMPLEMENTED = 0x0c, PORT_0 = 0x100 };
enum {
    PORT_CLB = 0x00,
    PORT_CLBU = 0x04,
    PORT_FB = 0x08,
    PORT_FBU = 0x0c,
    PORT_IS = 0x10,
    PORT_CMD = 0x18,
    PORT_TFD = 0x20,
    PORT_SIG = 0x24,
    PORT_SSTS = 0x28,
    PORT_SERR = 0x30,
    PORT_CI = 0x38,
};
enum { CMD_START = 1, CMD_FIS_RECEIVE = 1 << 4, CMD_FIS_RUNNING = 1 << 14, CMD_RUNNING = 1 << 15 };
enum {
    SIGNATURE_DISK = 0x101,
    LINK_UP = 3,
    TFD_ERROR = 1,
    TFD_BUSY = 0x88,
    TASK_FILE_ERROR = 1 << 30
};
enum { IDENTIFY = 0xec, READ_DMA_EXT = 0x25, SECTOR = 512, FIS_DWORDS = 5 };

static uint32_t base;

static struct {
    uint32_t flags, transferred, table, table_high, reserved[4];
} command_list[32] __attribute__((aligned(1024)));

static uint8_t received_fis[256] __attribute__((aligned(256)));

static struct {
    uint8_t command[64], packet[16], reserved[48];
    struct {
        uint32_t address, address_high, reserved, count; /* count less 1 */
    } parts[4];
} table __attribute__((aligned(128)));

static uint8_t buffer[8 * SECTOR] __attribute__((aligned(4)));

static uint32_t port_read(unsigned offset)
{
    return mmio_read(base + PORT_0 + offset);
}

static void port_write(unsigned offset, uint32_t value)
{
    mmio_write(base + PORT_0 + offset, value);
}

uint32_t ahci_base(void)
{
    return base;
}

/* Waits until the bits are clear; false: a second passed. */
static bool wait_clear(unsigned offset, uint32_t bits)
{
    for (unsigned i = 0; i < 1000; i++) {
        if (!(port_read(offset) & bits))
            return true;
        wait_us(1000);
    }
    return false;
}

bool ahci_init(void)
{
    if ((pci_read(AHCI_SLOT, AHCI_FUNCTION, 0) & 0xffff) != 0x8086)
        return false;
    pci_write(AHCI_SLOT, AHCI_FUNCTION, COMMAND,
              pci_read(AHCI_SLOT, AHCI_FUNCTION, COMMAND) | MEMORY_AND_MASTER);
    base = pci_read(AHCI_SLOT, AHCI_FUNCTION, BAR5) & 0xfffffff0;
    mmio_write(base + HBA_CONTROL, HBA_ENABLE);

    port_write(PORT_CMD, port_read(PORT_CMD) & ~CMD_START);
    if (!wait_clear(PORT_CMD, CMD_RUNNING))
        return false;
    port_write(PORT_CMD, port_read(PORT_CMD) & ~CMD_FIS_RECEIVE);
    if (!wait_clear(PORT_CMD, CMD_FIS_RUNNING))
        return false;
    port_write(PORT_CLB, (uint32_t)command_list);
    port_write(PORT_CLBU, 0);
    port_write(PORT_FB, (uint32_t)received_fis);
    port_write(PORT_FBU, 0);
    port_write(PORT_SERR, 0xffffffff);
    port_write(PORT_IS, 0xffffffff);
    port_write(PORT_CMD, port_read(PORT_CMD) | CMD_FIS_RECEIVE);
    port_write(PORT_CMD, port_read(PORT_CMD) | CMD_START);
    return true;
}

static void set_part(unsigned i, void *address, uint32_t size)
{
    table.parts[i].address = (uint32_t)address;
    table.parts[i].address_high = 0;
    table.parts[i].count = size - 1;
}

/* Runs one command over the parts that are set. */
static const char *run(uint8_t command, uint32_t lba, uint16_t sectors, unsigned parts)
{
    uint8_t *fis = table.command;

    for (unsigned i = 0; i < sizeof(table.command); i++)
        fis[i] = 0;
    fis[0] = 0x27; /* host to device */
    fis[1] = 0x80; /* a command */
    fis[2] = command;
    fis[4] = lba;
    fis[5] = lba >> 8;
    fis[6] = lba >> 16;
    fis[7] = 0x40; /* LBA */
    fis[8] = lba >> 24;
    fis[12] = sectors;
    fis[13] = sectors >> 8;
    command_list[0].flags = FIS_DWORDS | parts << 16;
    command_list[0].transferred = 0;
    command_list[0].table = (uint32_t)&table;
    command_list[0].table_high = 0;
    __asm__ volatile("" : : : "memory");
    port_write(PORT_IS, 0xffffffff);
    port_write(PORT_CI, 1);
    for (unsigned i = 0; i < 5000; i++) {
        if (port_read(PORT_IS) & TASK_FILE_ERROR)
            return "the disk reports an error";
        if (!(port_read(PORT_CI) & 1)) {
            __asm__ volatile("" : : : "memory");
            return port_read(PORT_TFD) & (TFD_ERROR | TFD_BUSY) ? "the task file shows an error"
                                                                : NULL;
        }
        wait_us(1000);
    }
    return "a command does not end";
}

/* Sectors hold 16 lines "vmdesk test disk, sector 000000": see test_payload.sh. */
static bool is_pattern(const uint8_t *sector, uint32_t number)
{
    static const char text[] = "vmdesk test disk, sector ";

    for (unsigned line = 0; line < SECTOR / 32; line++, sector += 32) {
        uint32_t n = number;

        for (unsigned i = 0; i < sizeof(text) - 1; i++)
            if (sector[i] != (uint8_t)text[i])
                return false;
        for (unsigned i = 30; i >= sizeof(text) - 1; i--, n /= 10)
            if (sector[i] != '0' + n % 10)
                return false;
    }
    return true;
}

/* Eight sectors into three parts, the parts out of order in memory. */
static const char *read_scattered(void)
{
    set_part(0, buffer + 5 * SECTOR, 3 * SECTOR);
    set_part(1, buffer, SECTOR);
    set_part(2, buffer + SECTOR, 4 * SECTOR);
    const char *reason = run(READ_DMA_EXT, 100, 8, 3);
    if (reason != NULL)
        return reason;
    if (command_list[0].transferred != 8 * SECTOR)
        return "the count of transferred bytes is wrong";
    for (unsigned i = 0; i < 3; i++)
        if (!is_pattern(buffer + (5 + i) * SECTOR, 100 + i))
            return "the first part has wrong data";
    for (unsigned i = 0; i < 5; i++)
        if (!is_pattern(buffer + i * SECTOR, 103 + i))
            return "a later part has wrong data";
    return NULL;
}

void test_ahci(void)
{
    const char *reason = NULL;

    if (!ahci_init()) {
        report("ahci-identify", "the port does not stop");
        return;
    }
    if ((port_read(PORT_SSTS) & 0xf) != LINK_UP || port_read(PORT_SIG) != SIGNATURE_DISK)
        reason = "no disk at port 0";
    if (reason == NULL) {
        set_part(0, buffer, SECTOR);
        reason = run(IDENTIFY, 0, 0, 1);
    }
    uint32_t sectors = *(volatile uint32_t *)(buffer + 200);
    if (reason == NULL && sectors < 108)
        reason = "the disk says that it is smaller than it is";
    report("ahci-identify", reason);
    if (reason != NULL)
        return;

    set_part(0, buffer, SECTOR);
    reason = run(READ_DMA_EXT, 17, 1, 1);
    if (reason == NULL && !is_pattern(buffer, 17))
        reason = "wrong data";
    report("ahci-read", reason);
    report("ahci-scatter", read_scattered());

    set_part(0, buffer, SECTOR);
    reason = run(READ_DMA_EXT, sectors, 1, 1) == NULL ? "a read past the end succeeded" : NULL;
    report("ahci-past-end", reason);
}
