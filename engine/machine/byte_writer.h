/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Appending little-endian fields to a byte array: for tables that the guest reads. */
#ifndef ENGINE_MACHINE_BYTE_WRITER_H
#define ENGINE_MACHINE_BYTE_WRITER_H

#include <glib.h>
#include <stdint.h>
#include <string.h>

static inline void put8(GByteArray *out, uint8_t value)
{
    g_byte_array_append(out, &value, 1);
}

static inline void put16(GByteArray *out, uint16_t value)
{
    uint16_t le = GUINT16_TO_LE(value);

    g_byte_array_append(out, (const uint8_t *)&le, sizeof(le));
}

static inline void put32(GByteArray *out, uint32_t value)
{
    uint32_t le = GUINT32_TO_LE(value);

    g_byte_array_append(out, (const uint8_t *)&le, sizeof(le));
}

static inline void put64(GByteArray *out, uint64_t value)
{
    put32(out, value);
    put32(out, value >> 32);
}

/* text, cut or filled with zeros to size. */
static inline void put_text(GByteArray *out, const char *text, unsigned size)
{
    unsigned length = strlen(text);

    g_byte_array_append(out, (const uint8_t *)text, MIN(length, size));
    for (unsigned i = length; i < size; i++)
        put8(out, 0);
}

static inline void put_zeros(GByteArray *out, unsigned count)
{
    put_text(out, "", count);
}

#endif
