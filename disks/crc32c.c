/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/crc32c.h"

#define POLYNOMIAL_REVERSED 0x82f63b78u

uint32_t crc32c(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint32_t crc = UINT32_MAX;

    /* Headers of some kilobytes when an image is opened: a table would not be worth it. */
    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL_REVERSED : crc >> 1;
    }
    return ~crc;
}
