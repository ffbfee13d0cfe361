/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers of SCSI: SAM-5, SPC-4, SBC-3, MMC-6. All of its integers are big-endian. */
#ifndef USB_EMULATED_SCSI_H
#define USB_EMULATED_SCSI_H

#include <stdint.h>

enum scsi_opcode {
    SCSI_TEST_UNIT_READY = 0x00,
    SCSI_REQUEST_SENSE = 0x03,
    SCSI_READ_6 = 0x08,
    SCSI_WRITE_6 = 0x0a,
    SCSI_INQUIRY = 0x12,
    SCSI_MODE_SELECT_6 = 0x15,
    SCSI_MODE_SENSE_6 = 0x1a,
    SCSI_START_STOP_UNIT = 0x1b,
    SCSI_SEND_DIAGNOSTIC = 0x1d,
    SCSI_PREVENT_ALLOW = 0x1e,
    SCSI_READ_FORMAT_CAPACITIES = 0x23,
    SCSI_READ_CAPACITY_10 = 0x25,
    SCSI_READ_10 = 0x28,
    SCSI_WRITE_10 = 0x2a,
    SCSI_SEEK_10 = 0x2b,
    SCSI_WRITE_AND_VERIFY_10 = 0x2e,
    SCSI_VERIFY_10 = 0x2f,
    SCSI_SYNCHRONIZE_CACHE_10 = 0x35,
    SCSI_WRITE_SAME_10 = 0x41,
    SCSI_UNMAP = 0x42,
    SCSI_READ_TOC = 0x43,
    SCSI_GET_CONFIGURATION = 0x46,
    SCSI_GET_EVENT_STATUS = 0x4a,
    SCSI_READ_DISC_INFORMATION = 0x51,
    SCSI_MODE_SELECT_10 = 0x55,
    SCSI_MODE_SENSE_10 = 0x5a,
    SCSI_READ_16 = 0x88,
    SCSI_WRITE_16 = 0x8a,
    SCSI_WRITE_AND_VERIFY_16 = 0x8e,
    SCSI_VERIFY_16 = 0x8f,
    SCSI_SYNCHRONIZE_CACHE_16 = 0x91,
    SCSI_WRITE_SAME_16 = 0x93,
    SCSI_SERVICE_ACTION_IN_16 = 0x9e,
    SCSI_REPORT_LUNS = 0xa0,
    SCSI_READ_12 = 0xa8,
    SCSI_WRITE_12 = 0xaa,
};

enum scsi_status {
    SCSI_GOOD = 0x00,
    SCSI_CHECK_CONDITION = 0x02,
    SCSI_BUSY = 0x08,
    SCSI_TASK_SET_FULL = 0x28,
};

enum { SCSI_TYPE_DISK = 0x00, SCSI_TYPE_CD = 0x05 };

static inline uint16_t scsi_get16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static inline uint32_t scsi_get32(const uint8_t *p)
{
    return (uint32_t)scsi_get16(p) << 16 | scsi_get16(p + 2);
}

static inline uint64_t scsi_get64(const uint8_t *p)
{
    return (uint64_t)scsi_get32(p) << 32 | scsi_get32(p + 4);
}

static inline void scsi_put16(uint8_t *p, uint16_t value)
{
    p[0] = value >> 8;
    p[1] = value & 0xff;
}

static inline void scsi_put32(uint8_t *p, uint32_t value)
{
    scsi_put16(p, value >> 16);
    scsi_put16(p + 2, value & 0xffff);
}

static inline void scsi_put64(uint8_t *p, uint64_t value)
{
    scsi_put32(p, value >> 32);
    scsi_put32(p + 4, value & 0xffffffff);
}

#endif
