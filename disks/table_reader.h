/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of the tables in a file that nobody writes to. They are read by pages when they are asked
 * for, and a fixed number of pages is kept, so that the size that a table claims to have costs
 * nothing.
 *
 * Thread: table_reader_get() from any, and it waits for the disk.
 */
#ifndef DISKS_TABLE_READER_H
#define DISKS_TABLE_READER_H

#include <stddef.h>
#include <stdint.h>

#include "disks/file.h"

#define TABLE_READER_PAGE_SIZE 4096
#define TABLE_READER_PAGES 256

struct table_reader;

/* The file stays the caller's, and outlives the reader. */
struct table_reader *table_reader_new(struct file *file);
void table_reader_free(struct table_reader *reader); /* NULL is fine */

/* Copies `size` bytes at offset, at most a page. A negative errno: -EIO past the end. */
int table_reader_get(struct table_reader *reader, uint64_t offset, void *entry, size_t size);

#endif
