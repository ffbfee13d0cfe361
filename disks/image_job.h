/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Long work on an open image, on a thread of its own, beside the requests of whoever uses the
 * image: flattening, committing, snapshots.
 *
 * Thread: all calls on the owner's thread, the one that runs the context.
 */
#ifndef DISKS_IMAGE_JOB_H
#define DISKS_IMAGE_JOB_H

#include "disks/image.h"

struct image_job;

struct image_job_options {
    struct image *image; /* stays open until the job is freed */
    bool (*work)(struct image *image, const struct image_progress *progress, void *opaque,
                 GError **err); /* on the job's thread */
    GMainContext *context;
    /* The work has ended; error, NULL for success, is the job's. It may free the job. */
    void (*done)(struct image_job *job, const GError *error, void *opaque);
    void *opaque; /* of both */
};

/* NULL: the host gives no thread. */
struct image_job *image_job_new(const struct image_job_options *options, GError **err);
/* The work ends soon, with VMDESK_ERROR_CANCELLED unless it was done by then. */
void image_job_cancel(struct image_job *job);
/* How far it is; 0 of 0 before it knows. */
void image_job_progress(struct image_job *job, uint64_t *ret_done, uint64_t *ret_total);
/* Cancels and waits for what is left; done is not called any more. NULL is fine. */
void image_job_free(struct image_job *job);

#endif
