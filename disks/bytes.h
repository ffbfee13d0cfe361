/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Big-endian numbers in tables of images; any alignment. */
#ifndef DISKS_BYTES_H
#define DISKS_BYTES_H

#include <glib.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_be16(const uint8_t *from)
{
    uint16_t value;

    memcpy(&value, from, sizeof(value));
    return GUINT16_FROM_BE(value);
}

static inline uint32_t get_be32(const uint8_t *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof(value));
    return GUINT32_FROM_BE(value);
}

static inline uint64_t get_be64(const uint8_t *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof(value));
    return GUINT64_FROM_BE(value);
}

static inline void put_be16(uint8_t *to, uint16_t value)
{
    value = GUINT16_TO_BE(value);
    memcpy(to, &value, sizeof(value));
}

static inline void put_be32(uint8_t *to, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    memcpy(to, &value, sizeof(value));
}

static inline void put_be64(uint8_t *to, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    memcpy(to, &value, sizeof(value));
}

#endif
