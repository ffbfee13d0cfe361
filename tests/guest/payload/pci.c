/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI configuration space by ports and by MMCONFIG, and fw_cfg. */
#include "payload.h"

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc };
enum { HOST_BRIDGE = 0x29c08086, LPC = 0x29188086, AHCI = 0x29228086, SMBUS = 0x29308086 };
enum { VGA = 0x11111234, PCIEXBAR = 0x60, PCIEXBAR_ENABLE = 1, NOTHING = 0xffffffff };
enum { FW_CFG_SELECTOR = 0x510, FW_CFG_DATA = 0x511, FW_CFG_DMA_LOW = 0x518 };
enum { KEY_SIGNATURE = 0, KEY_NB_CPUS = 5, DMA_READ = 2, DMA_SELECT = 8 };
enum { OUTSIDE_RAM = 0xfed80000 };

static uint32_t address(unsigned slot, unsigned function, unsigned offset)
{
    return 0x80000000 | slot << 11 | function << 8 | (offset & 0xfc);
}

uint32_t pci_read(unsigned slot, unsigned function, unsigned offset)
{
    out32(CONFIG_ADDRESS, address(slot, function, offset));
    return in32(CONFIG_DATA);
}

void pci_write(unsigned slot, unsigned function, unsigned offset, uint32_t value)
{
    out32(CONFIG_ADDRESS, address(slot, function, offset));
    out32(CONFIG_DATA, value);
}

static bool present(uint32_t id)
{
    for (unsigned slot = 0; slot < 32; slot++)
        for (unsigned function = 0; function < 8; function++)
            if (pci_read(slot, function, 0) == id)
                return true;
    return false;
}

/* Both ways must show the same header of every function. */
static bool ecam_agrees(uint32_t ecam)
{
    for (unsigned slot = 0; slot < 32; slot++)
        for (unsigned function = 0; function < 8; function++) {
            uint32_t base = ecam + (slot << 15) + (function << 12);

            if (mmio_read(base) != pci_read(slot, function, 0) ||
                mmio_read(base + 8) != pci_read(slot, function, 8))
                return false;
        }
    return true;
}

void test_pci(void)
{
    const char *reason = NULL;
    uint32_t exbar = pci_read(0, 0, PCIEXBAR);
    uint32_t ecam = exbar & 0xf0000000;

    if (pci_read(0, 0, 0) != HOST_BRIDGE)
        reason = "no q35 host bridge at 00.0";
    else if (!present(LPC) || !present(AHCI) || !present(SMBUS) || !present(VGA))
        reason = "a function of the board is missing";
    report("pci-ports", reason);

    reason = NULL;
    if (!(exbar & PCIEXBAR_ENABLE))
        reason = "MMCONFIG is off";
    else if (!ecam_agrees(ecam))
        reason = "it shows other headers than the ports";
    else if (mmio_read(ecam + (1 << 20)) != NOTHING)
        reason = "there is something on bus 1";
    report("pci-ecam", reason);
}

static uint32_t swap(uint32_t value)
{
    return value << 24 | (value & 0xff00) << 8 | (value >> 8 & 0xff00) | value >> 24;
}

uint32_t fw_cfg_dma_read(uint16_t key, uint32_t target, uint32_t length)
{
    static volatile struct {
        uint32_t control, length, address_high, address_low;
    } access __attribute__((aligned(16)));

    access.control = swap((uint32_t)key << 16 | DMA_SELECT | DMA_READ);
    access.length = swap(length);
    access.address_high = 0;
    access.address_low = swap(target);
    __asm__ volatile("" : : : "memory");
    out32(FW_CFG_DMA_LOW, swap((uint32_t)&access));
    while ((access.control & ~swap(FW_CFG_DMA_ERROR)) != 0)
        continue;
    __asm__ volatile("" : : : "memory");
    return swap(access.control);
}

unsigned fw_cfg_cpus(void)
{
    out16(FW_CFG_SELECTOR, KEY_NB_CPUS);
    uint8_t low = in8(FW_CFG_DATA);

    return low | in8(FW_CFG_DATA) << 8;
}

void test_fw_cfg(void)
{
    static const char signature[] = "QEMU";
    const char *reason = NULL;
    static char by_dma[4];

    out16(FW_CFG_SELECTOR, KEY_SIGNATURE);
    for (unsigned i = 0; i < 4; i++)
        if (in8(FW_CFG_DATA) != (uint8_t)signature[i])
            reason = "the port does not read its signature";
    if (fw_cfg_dma_read(KEY_SIGNATURE, (uint32_t)by_dma, sizeof(by_dma)) != 0)
        reason = "DMA failed";
    for (unsigned i = 0; i < 4; i++)
        if (reason == NULL && by_dma[i] != signature[i])
            reason = "DMA does not read the signature";
    if (reason == NULL && fw_cfg_dma_read(KEY_SIGNATURE, OUTSIDE_RAM, 4) != FW_CFG_DMA_ERROR)
        reason = "DMA to where no RAM is did not fail";
    report("fw-cfg", reason);
}
