/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks of a machine while the guest uses them, and work on them: at most one job a disk.
 *
 * Thread: the main loop, on which ended is called too.
 */
#ifndef ENGINE_MACHINE_MACHINE_JOBS_H
#define ENGINE_MACHINE_MACHINE_JOBS_H

#include "engine/machine/machine.h"

struct image;

/* The machine's, as long as it exists. NULL: there is no such disk. */
struct image *machine_disk(struct machine *machine, unsigned disk, GError **err);

enum machine_job_kind {
    MACHINE_JOB_STREAM, /* makes the disk independent of its backing image */
    MACHINE_JOB_COMMIT, /* brings the disk's data into its backing image */
    MACHINE_JOB_SNAPSHOT_CREATE,
    MACHINE_JOB_SNAPSHOT_DELETE,
    MACHINE_JOB_SNAPSHOT_RENAME,
    MACHINE_JOB_RESIZE, /* the disk becomes larger */
};

struct machine_job {
    enum machine_job_kind kind;
    unsigned disk;
    const char *snapshot; /* its name, of the SNAPSHOT kinds; else NULL */
    const char *new_name; /* rename */
    uint64_t size;        /* resize; bytes */
    /* error: NULL for success; VMDESK_ERROR_CANCELLED after machine_job_cancel(). Not called for a
     * job that ends with the machine. May be NULL. */
    void (*ended)(void *opaque, const struct machine_job *job, const GError *error);
    void *opaque;
    uint64_t done, total; /* how far it is, in whatever it counts */
};

bool machine_job_start(struct machine *machine, const struct machine_job *job, GError **err);
/* The job of a disk; false: there is none. The strings are the machine's. */
bool machine_job_get(struct machine *machine, unsigned disk, struct machine_job *ret_job);
bool machine_job_cancel(struct machine *machine, unsigned disk, GError **err);

#endif
