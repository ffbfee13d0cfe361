/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work on disks while the guest uses them: QMP's block jobs, and snapshots inside images. */
#include "core/error.h"
#include "disks/image_json.h"
#include "engine/control/control_internal.h"
#include "engine/machine/machine_jobs.h"

static const char *type_name(enum machine_job_kind kind)
{
    static const char *const names[] = {"stream",          "commit",          "snapshot-create",
                                        "snapshot-delete", "snapshot-rename", "resize"};

    return names[kind];
}

static json_t *describe_job(const struct machine_job *job)
{
    g_autofree char *device = g_strdup_printf("disk%u", job->disk);

    return json_pack("{s:s,s:s,s:I,s:I}", "type", type_name(job->kind), "device", device, "len",
                     (json_int_t)job->total, "offset", (json_int_t)job->done);
}

/* Whoever asked for a snapshot or another size waits for the reply; the end of long work is told to
 * everybody. */
static void on_ended(void *opaque, const struct machine_job *job, const GError *error)
{
    struct control_server *server = opaque;
    struct control_request *request = g_steal_pointer(&server->disk_requests[job->disk]);
    json_t *data;

    if (request != NULL && error != NULL)
        control_fail(request, g_error_copy(error));
    else if (request != NULL)
        control_return(request, NULL);
    if (job->kind != MACHINE_JOB_STREAM && job->kind != MACHINE_JOB_COMMIT)
        return;
    data = describe_job(job);
    if (g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_CANCELLED)) {
        control_server_event(server, "BLOCK_JOB_CANCELLED", data);
        return;
    }
    if (error != NULL) {
        g_autofree char *text = g_utf8_make_valid(error->message, -1);

        json_object_set_new(data, "error", json_string(text));
    }
    control_server_event(server, "BLOCK_JOB_COMPLETED", data);
}

/* The disk that the argument names. */
static bool take_disk(const json_t *arguments, unsigned *ret_disk, GError **err)
{
    const char *device = json_string_value(json_object_get(arguments, "device"));

    if (g_str_has_prefix(device, "disk") && g_ascii_isdigit(device[4]) && device[5] == '\0') {
        *ret_disk = device[4] - '0';
        return true;
    }
    return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                       "There is no disk '%s': query-block lists those that the machine has.",
                       device);
}

static bool start(struct control_request *request, const json_t *arguments,
                  enum machine_job_kind kind, unsigned *ret_disk)
{
    struct machine_job job = {
        .kind = kind,
        .snapshot = json_string_value(json_object_get(arguments, "name")),
        .new_name = json_string_value(json_object_get(arguments, "new-name")),
        .size = json_integer_value(json_object_get(arguments, "size")),
        .ended = on_ended,
        .opaque = request->server,
    };
    GError *error = NULL;

    if (take_disk(arguments, &job.disk, &error) &&
        machine_job_start(request->server->machine, &job, &error)) {
        *ret_disk = job.disk;
        return true;
    }
    control_fail(request, error);
    return false;
}

static void block_stream(struct control_request *request, const json_t *arguments)
{
    unsigned disk;

    if (start(request, arguments, MACHINE_JOB_STREAM, &disk))
        control_return(request, NULL);
}

static void block_commit(struct control_request *request, const json_t *arguments)
{
    unsigned disk;

    if (start(request, arguments, MACHINE_JOB_COMMIT, &disk))
        control_return(request, NULL);
}

/* The client is gone: the work is done all the same. */
static void forget_request(struct control_request *request)
{
    *(struct control_request **)request->work = NULL;
}

static void start_and_wait(struct control_request *request, const json_t *arguments,
                           enum machine_job_kind kind)
{
    unsigned disk;

    if (!start(request, arguments, kind, &disk))
        return;
    request->server->disk_requests[disk] = request;
    request->work = &request->server->disk_requests[disk];
    request->cancel = forget_request;
}

static void snapshot_create(struct control_request *request, const json_t *arguments)
{
    start_and_wait(request, arguments, MACHINE_JOB_SNAPSHOT_CREATE);
}

static void snapshot_delete(struct control_request *request, const json_t *arguments)
{
    start_and_wait(request, arguments, MACHINE_JOB_SNAPSHOT_DELETE);
}

static void snapshot_rename(struct control_request *request, const json_t *arguments)
{
    start_and_wait(request, arguments, MACHINE_JOB_SNAPSHOT_RENAME);
}

static void block_resize(struct control_request *request, const json_t *arguments)
{
    start_and_wait(request, arguments, MACHINE_JOB_RESIZE);
}

/* Answers with what describe tells of the disk that the argument names. */
static void answer_with(struct control_request *request, const json_t *arguments,
                        json_t *(*describe)(struct control_request *request, unsigned disk,
                                            struct image *image, GError **err))
{
    struct image *image = NULL;
    json_t *result = NULL;
    GError *error = NULL;
    unsigned disk;

    if (take_disk(arguments, &disk, &error))
        image = machine_disk(request->server->machine, disk, &error);
    if (image != NULL)
        result = describe(request, disk, image, &error);
    if (result != NULL)
        control_return(request, result);
    else
        control_fail(request, error);
}

static json_t *list_snapshots(struct control_request *request, unsigned disk, struct image *image,
                              GError **err)
{
    return image_snapshots_json(image, err);
}

static void query_snapshots(struct control_request *request, const json_t *arguments)
{
    answer_with(request, arguments, list_snapshots);
}

static json_t *list_images(struct control_request *request, unsigned disk, struct image *image,
                           GError **err)
{
    struct machine_job job;
    /* Work may change what the image lies on, on its own thread. */
    bool alone = machine_job_get(request->server->machine, disk, &job);

    return image_chain_json(image, alone, err);
}

static void query_block_image(struct control_request *request, const json_t *arguments)
{
    answer_with(request, arguments, list_images);
}

static void query_block_jobs(struct control_request *request, const json_t *arguments)
{
    json_t *list = json_array();
    struct machine_job job;

    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        if (machine_job_get(request->server->machine, i, &job))
            json_array_append_new(list, describe_job(&job));
    }
    control_return(request, list);
}

static void block_job_cancel(struct control_request *request, const json_t *arguments)
{
    GError *error = NULL;
    unsigned disk;

    if (take_disk(arguments, &disk, &error) &&
        machine_job_cancel(request->server->machine, disk, &error))
        control_return(request, NULL);
    else
        control_fail(request, error);
}

const struct control_handler control_job_handlers[] = {
    {"block-stream", block_stream},
    {"block-commit", block_commit},
    {"blockdev-snapshot-internal-sync", snapshot_create},
    {"blockdev-snapshot-delete-internal-sync", snapshot_delete},
    {"blockdev-snapshot-rename-internal-sync", snapshot_rename},
    {"block_resize", block_resize},
    {"query-block-image", query_block_image},
    {"query-snapshots", query_snapshots},
    {"query-block-jobs", query_block_jobs},
    {"block-job-cancel", block_job_cancel},
    {NULL},
};
