/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/crc32c.h"

#define POLYNOMIAL_REVERSED 0x82f63b78u

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint32_t table[256];

    /* What is summed is some kilobytes long: this costs less than to keep it. */
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] & 1 ? table[i] >> 1 ^ POLYNOMIAL_REVERSED : table[i] >> 1;
    }
    crc = ~crc;
    for (size_t i = 0; i < size; i++)
        crc = crc >> 8 ^ table[(crc ^ at[i]) & 0xff];
    return ~crc;
}
