/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/disk_live.h"

#include <string.h>

#include "core/client.h"
#include "core/error.h"

#define LOOK_MS 200               /* between two looks at how far the work is */
#define RUN_MS (24 * 3600 * 1000) /* some takes long, and can be stopped */

struct disk_live {
    struct client *client;
    char *device;
    /* The command that runs: */
    bool answered; /* it was answered, or the connection is over */
    bool ended;    /* the same of a job's end, which an event tells */
    GError *error; /* what came with either */
};

/* There is one job a disk: what ends before the answer was another's. */
static void on_event(const char *name, const json_t *data, void *opaque)
{
    struct disk_live *live = opaque;
    const char *device = json_string_value(json_object_get(data, "device"));
    const char *error = json_string_value(json_object_get(data, "error"));
    bool cancelled = strcmp(name, "BLOCK_JOB_CANCELLED") == 0;

    if (!live->answered || live->ended || g_strcmp0(device, live->device) != 0 ||
        (!cancelled && strcmp(name, "BLOCK_JOB_COMPLETED") != 0))
        return;
    live->ended = true;
    if (cancelled)
        vmdesk_fail(&live->error, VMDESK_ERROR_CANCELLED, "Stopped as asked.");
    else if (error != NULL)
        vmdesk_fail(&live->error, VMDESK_ERROR_IO, "%s", error);
}

static void on_closed(const GError *error, void *opaque)
{
    struct disk_live *live = opaque;

    if (!live->ended && live->error == NULL)
        live->error = g_error_copy(error);
    live->ended = true;
}

struct disk_live *disk_live_open(const char *socket, const char *device, GError **err)
{
    static const struct client_handlers handlers = {.event = on_event, .closed = on_closed};
    struct disk_live *live = g_new0(struct disk_live, 1);

    live->device = g_strdup(device);
    live->client = client_connect(socket, CLIENT_TIMEOUT_MS, &handlers, live, err);
    if (live->client != NULL)
        return live;
    disk_live_free(live);
    return NULL;
}

void disk_live_free(struct disk_live *live)
{
    if (live == NULL)
        return;
    client_free(live->client);
    g_clear_error(&live->error);
    g_free(live->device);
    g_free(live);
}

json_t *disk_live_query(struct disk_live *live, const char *command, GError **err)
{
    return client_call(live->client, command, json_pack("{s:s}", "device", live->device),
                       CLIENT_TIMEOUT_MS, err);
}

/* Tells how far the disk's work is; false: it is to be stopped. */
static bool look(struct disk_live *live, const struct image_progress *progress)
{
    json_t *jobs = client_call(live->client, "query-block-jobs", NULL, CLIENT_TIMEOUT_MS, NULL);
    uint64_t done = 0, total = 0;
    json_t *job;
    size_t i;

    json_array_foreach(jobs, i, job)
    {
        const char *device = json_string_value(json_object_get(job, "device"));

        if (g_strcmp0(device, live->device) == 0) {
            done = json_integer_value(json_object_get(job, "offset"));
            total = json_integer_value(json_object_get(job, "len"));
        }
    }
    json_decref(jobs);
    return progress == NULL || progress->step(progress->opaque, MIN(done, total), total);
}

static void on_answer(const json_t *result, const GError *error, void *opaque)
{
    struct disk_live *live = opaque;

    live->answered = true;
    if (error != NULL && live->error == NULL)
        live->error = g_error_copy(error);
}

static bool give_error(struct disk_live *live, GError **err)
{
    if (live->error == NULL)
        return true;
    g_propagate_error(err, g_steal_pointer(&live->error));
    return false;
}

/* Until the job is over; it is asked once to stop. */
static bool wait_for_end(struct disk_live *live, const struct image_progress *progress,
                         GError **err)
{
    bool cancelled = false;

    while (!client_wait(live->client, &live->ended, LOOK_MS)) {
        g_autoptr(GError) error = NULL;

        if (look(live, progress) || cancelled || live->ended)
            continue;
        cancelled = true;
        json_decref(client_call(live->client, "block-job-cancel",
                                json_pack("{s:s}", "device", live->device), CLIENT_TIMEOUT_MS,
                                &error));
        /* Where there is nothing to stop, it has just come to its end. */
        if (error != NULL && !live->ended &&
            !g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_NOT_FOUND)) {
            live->error = g_steal_pointer(&error);
            break;
        }
    }
    return give_error(live, err);
}

bool disk_live_run(struct disk_live *live, const char *command, json_t *arguments,
                   const struct image_progress *progress, GError **err)
{
    bool job = strcmp(command, "block-stream") == 0 || strcmp(command, "block-commit") == 0;
    uint64_t request;

    if (arguments == NULL)
        arguments = json_object();
    json_object_set_new(arguments, "device", json_string(live->device));
    live->answered = live->ended = false;
    g_clear_error(&live->error);
    request = client_execute(live->client, command, arguments, RUN_MS, on_answer, live);
    while (!client_wait(live->client, &live->answered, LOOK_MS)) {
        if (job || progress == NULL || look(live, progress))
            continue;
        client_cancel(live->client, request);
        return vmdesk_fail(err, VMDESK_ERROR_CANCELLED,
                           "Stopped as asked; the machine may still do it.");
    }
    if (!give_error(live, err))
        return false;
    return !job || wait_for_end(live, progress, err);
}
