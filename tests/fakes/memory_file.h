/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file in memory that fails on demand. */
#ifndef TESTS_FAKES_MEMORY_FILE_H
#define TESTS_FAKES_MEMORY_FILE_H

#include "disks/file.h"

enum file_call { FILE_READ, FILE_WRITE, FILE_FLUSH, FILE_DISCARD, FILE_SIZE, FILE_CALLS };

/* The test owns it, and what the file leaves behind when it is closed. */
struct memory_file {
    struct file file;
    GMutex lock;
    GCond released;
    uint8_t *data;
    uint64_t size;
    GString *log; /* one letter a call: r w f d s, c at the end */
    unsigned calls[FILE_CALLS];
    unsigned fail_call[FILE_CALLS]; /* which call fails, counted from 1; 0: none */
    int fail_errno;
    uint64_t max_size; /* bytes that truncate can make it; 0: no limit */
    size_t max_move;   /* bytes that one read or write moves at most; 0: no limit */
    bool hold;         /* reads and writes wait for memory_file_release() */
};

struct memory_file *memory_file_new(uint64_t size);
void memory_file_free(struct memory_file *memory);
void memory_file_hold(struct memory_file *memory);
void memory_file_release(struct memory_file *memory);

#endif
