/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg: what the board tells the firmware (QEMU's docs/specs/fw_cfg). Selector at port 0x510,
 * data at 0x511, DMA at 0x514. Items are read-only to the guest.
 *
 * A DMA transfer moves at most FW_CFG_DMA_SLICE bytes under the board's lock at a time: a longer
 * one goes on from a timer while the guest polls its control word, as the interface allows. A
 * transfer that leaves RAM ends with the error bit; what came before it may have moved.
 */
#ifndef ENGINE_DEV_FW_CFG_H
#define ENGINE_DEV_FW_CFG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/bus/board.h"

#define FW_CFG_MAX_FILES 64
#define FW_CFG_MAX_FILE_NAME 55
#define FW_CFG_MAX_ITEM UINT32_MAX
#define FW_CFG_DMA_SLICE (4 * 1024 * 1024)

enum fw_cfg_key {
    FW_CFG_SIGNATURE = 0x00, /* kept by the device, as are ID and FILE_DIR */
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NOGRAPHIC = 0x04,
    FW_CFG_NB_CPUS = 0x05,
    FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_KERNEL_CMDLINE = 0x09,
    FW_CFG_INITRD_ADDR = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_BOOT_DEVICE = 0x0c,
    FW_CFG_NUMA = 0x0d,
    FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_KERNEL_ENTRY = 0x10,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDR = 0x13,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
    FW_CFG_FILE_DIR = 0x19,
    FW_CFG_FILE_FIRST = 0x20,
    FW_CFG_ARCH_LOCAL = 0x8000,
};

struct fw_cfg;

/* The device is the board's and valid until board_finish(). */
struct fw_cfg *fw_cfg_new(struct board *board);

/* Sets the item of a key, replacing an older one; bytes are referenced, not copied, and at most
 * FW_CFG_MAX_ITEM long. Numbers are stored little-endian. All adding is done before the guest runs.
 */
void fw_cfg_add(struct fw_cfg *fw_cfg, uint16_t key, GBytes *bytes);
void fw_cfg_add_u16(struct fw_cfg *fw_cfg, uint16_t key, uint16_t value);
void fw_cfg_add_u32(struct fw_cfg *fw_cfg, uint16_t key, uint32_t value);
void fw_cfg_add_u64(struct fw_cfg *fw_cfg, uint16_t key, uint64_t value);
/* Adds a named item to the directory. Fails when the name is empty, too long or taken, the bytes
 * are too many, or the directory is full. */
bool fw_cfg_add_file(struct fw_cfg *fw_cfg, const char *name, GBytes *bytes, GError **err);

#endif
