/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/machine_jobs.h"

#include <inttypes.h>

#include "core/error.h"
#include "core/log.h"
#include "disks/image_job.h"
#include "disks/image_tree.h"
#include "engine/machine/machine_internal.h"

struct running_job {
    struct machine *machine;
    struct machine_job job;
    char *snapshot, *new_name;
    struct image_job *image_job;
};

static const char *kind_name(enum machine_job_kind kind)
{
    static const char *const names[] = {"streaming",           "committing",
                                        "taking a snapshot",   "deleting a snapshot",
                                        "renaming a snapshot", "resizing"};

    return names[kind];
}

static bool work(struct image *image, const struct image_progress *progress, void *opaque,
                 GError **err)
{
    const struct running_job *running = opaque;
    const struct image_snapshot description = {.name = running->snapshot, .icount = UINT64_MAX};

    switch (running->job.kind) {
    case MACHINE_JOB_STREAM:
        return image_flatten(image, progress, err);
    case MACHINE_JOB_COMMIT:
        return image_commit(image, progress, err);
    case MACHINE_JOB_SNAPSHOT_CREATE:
        return image_tree_create(image, &description, err);
    case MACHINE_JOB_SNAPSHOT_DELETE:
        return image_tree_delete(image, running->snapshot, err);
    case MACHINE_JOB_SNAPSHOT_RENAME:
        return image_snapshot_rename(image, running->snapshot, running->new_name, err);
    case MACHINE_JOB_RESIZE:
        return image_resize(image, running->job.size, 0, IMAGE_PREALLOCATION_OFF, progress, err);
    }
    g_return_val_if_reached(false);
}

static void running_job_free(struct running_job *running)
{
    if (running == NULL)
        return;
    image_job_free(running->image_job);
    g_free(running->snapshot);
    g_free(running->new_name);
    g_free(running);
}

static void on_done(struct image_job *image_job, const GError *error, void *opaque)
{
    struct running_job *running = opaque;
    struct machine_job job = running->job;

    image_job_progress(image_job, &job.done, &job.total);
    /* The callback may start the next one. */
    running->machine->jobs[job.disk] = NULL;
    log_info("machine", "%s on disk%u: %s", kind_name(job.kind), job.disk,
             error != NULL ? error->message : "done");
    if (job.ended != NULL)
        job.ended(job.opaque, &job, error);
    running_job_free(running);
}

struct image *machine_disk(struct machine *machine, unsigned disk, GError **err)
{
    if (disk < MACHINE_MAX_DISKS && machine->q35.disks[disk] != NULL)
        return machine->q35.disks[disk];
    vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                "The machine has no disk%u: query-block lists those that it has.", disk);
    return NULL;
}

/* The guest may use all that the disk has. */
static bool can_have_size(const struct machine_job *job, const struct image *image, GError **err)
{
    if (job->kind != MACHINE_JOB_RESIZE || job->size >= image_size(image))
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                       "disk%u has %" PRIu64 " bytes, and cannot become smaller while the machine "
                       "runs: turn the machine off first.",
                       job->disk, image_size(image));
}

bool machine_job_start(struct machine *machine, const struct machine_job *job, GError **err)
{
    struct image *image = machine_disk(machine, job->disk, err);
    struct running_job *running;

    if (image == NULL)
        return false;
    running = machine->jobs[job->disk];
    if (running != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The machine is %s on disk%u already: wait for its end, or cancel it.",
                           kind_name(running->job.kind), job->disk);
    if (image_read_only(image))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "disk%u is attached read-only: change that while the machine is off.",
                           job->disk);
    if (!can_have_size(job, image, err))
        return false;
    running = g_new0(struct running_job, 1);
    running->machine = machine;
    running->job = *job;
    running->snapshot = g_strdup(job->snapshot);
    running->new_name = g_strdup(job->new_name);
    running->job.snapshot = running->snapshot;
    running->job.new_name = running->new_name;

    const struct image_job_options options = {
        .image = image,
        .work = work,
        .context = machine->context,
        .done = on_done,
        .opaque = running,
    };
    running->image_job = image_job_new(&options, err);
    if (running->image_job == NULL) {
        running_job_free(running);
        return false;
    }
    machine->jobs[job->disk] = running;
    return true;
}

bool machine_job_get(struct machine *machine, unsigned disk, struct machine_job *ret_job)
{
    const struct running_job *running = disk < MACHINE_MAX_DISKS ? machine->jobs[disk] : NULL;

    if (running == NULL)
        return false;
    *ret_job = running->job;
    image_job_progress(running->image_job, &ret_job->done, &ret_job->total);
    return true;
}

bool machine_job_cancel(struct machine *machine, unsigned disk, GError **err)
{
    const struct running_job *running = disk < MACHINE_MAX_DISKS ? machine->jobs[disk] : NULL;

    if (running == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                           "Nothing is under way on disk%u: query-block-jobs lists what is.", disk);
    image_job_cancel(running->image_job);
    return true;
}

void machine_jobs_finish(struct machine *machine)
{
    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++)
        running_job_free(g_steal_pointer(&machine->jobs[i]));
}
