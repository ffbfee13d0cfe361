/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files in memory whose every change is recorded, so that what a crash leaves of them can be built:
 * for each moment, and for each order and tear of the writes that the flushes permit.
 *
 * A recording holds several files with one journal, since formats order their writes across files.
 * A flush makes durable what that one file has been sent before, as fdatasync(2) does. What came
 * later may be lost or kept, by whole calls or by sectors, later ones without earlier ones.
 */
#ifndef TESTS_FAKES_RECORDING_FILE_H
#define TESTS_FAKES_RECORDING_FILE_H

#include "disks/file.h"

#define RECORDING_SECTOR_SIZE 512

struct recording;

enum recorded_kind { RECORDED_WRITE, RECORDED_TRUNCATE, RECORDED_DISCARD, RECORDED_FLUSH };

/* One change, or flush, that has succeeded at least in part. */
struct recorded_event {
    enum recorded_kind kind;
    unsigned file;   /* in the order of recording_add() */
    uint64_t offset; /* truncate: the new size; flush: 0 */
    uint64_t length; /* write and discard */
    uint8_t *data;   /* write */
};

/* Which of the changes not flushed a crash loses. */
enum recording_loss {
    RECORDING_LOSE_NOTHING, /* the changes up to the moment, in order */
    RECORDING_LOSE_ALL,     /* only what was flushed */
    RECORDING_LOSE_CALLS,   /* any set of the calls, each as a whole */
    RECORDING_LOSE_SECTORS, /* each sector is as some call left it since the flush; sizes as well */
};

/* The calls that can be made to fail. */
enum recording_calls {
    RECORDING_READS = 1 << 0,
    RECORDING_WRITES = 1 << 1,
    RECORDING_FLUSHES = 1 << 2,
    RECORDING_DISCARDS = 1 << 3,
    RECORDING_TRUNCATES = 1 << 4,
    RECORDING_CHANGES =
        RECORDING_WRITES | RECORDING_FLUSHES | RECORDING_DISCARDS | RECORDING_TRUNCATES,
};

struct recording *recording_new(void);
/* All files of it are closed by then. */
void recording_free(struct recording *recording);

/* Puts a file into the recording; its contents count as flushed. data may be NULL: zeros. */
void recording_add(struct recording *recording, const char *name, const void *data, uint64_t size);
/* Opens a file, any number of times; NULL: there is none of this name. file_close() frees it. */
struct file *recording_open(struct recording *recording, const char *name, bool read_only);
/* What the file holds now. The caller unrefs it. */
GBytes *recording_contents(struct recording *recording, const char *name);

/* The journal; an event stays valid as long as the recording. No call may be in flight. */
size_t recording_count(const struct recording *recording);
const struct recorded_event *recording_event(const struct recording *recording, size_t index);

/* A new recording with all files as a crash leaves them when the first `events` of the journal have
 * been issued. rand chooses what is lost; it is not used for _NOTHING and _ALL. */
struct recording *recording_crash(const struct recording *recording, size_t events,
                                  enum recording_loss loss, GRand *rand);

/* The nth call from now, counted from 1 among those in the set, fails with the positive errnum; all
 * such calls after it too when it is for good. A write that fails has written its first half. With
 * nth 0 nothing fails, and the calls are only counted. */
void recording_fail(struct recording *recording, unsigned calls, unsigned nth, int errnum,
                    bool for_good);
/* Calls of the set since recording_fail(): with nth or more of them the failure has happened. */
unsigned recording_calls(struct recording *recording);

#endif
