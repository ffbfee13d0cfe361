/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of a VHDX image that was not closed well ([MS-VHDX] 2.3): changes of its tables that may
 * not have come to their places. They are put there in memory, so that the image need not be
 * written to.
 */
#ifndef DISKS_VHDX_LOG_H
#define DISKS_VHDX_LOG_H

#include "disks/file.h"

#define VHDX_GUID_SIZE 16
#define VHDX_LOG_SECTOR 4096
#define VHDX_LOG_MAX_LENGTH (16 * 1024 * 1024) /* Hyper-V's and QEMU's have 1 MiB */

/* The file with the changes in place, read-only. `base` stays the caller's and outlives it; so do
 * the bytes in it. offset and length, in bytes, and id are what the image's header says of its log.
 * NULL: the log cannot be read, is damaged, or there is no change in it. */
struct file *vhdx_log_replay(struct file *base, uint64_t offset, uint32_t length,
                             const uint8_t id[VHDX_GUID_SIZE], GError **err);

#endif
