/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32C (Castagnoli), as in RFC 3720, appendix B.4. */
#ifndef DISKS_CRC32C_H
#define DISKS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of the bytes behind those that crc is of; 0: there are none. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);

#endif
