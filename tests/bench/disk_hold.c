/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For disk_bench.py: how long requests wait while work is done on their image or its snapshots.
 *
 *   disk_hold FILE create|delete|flatten SNAPSHOT
 *
 * Reads, writes and flushes of 4 KiB follow each other meanwhile, one at a time. Prints the seconds
 * that the work took, and the longest of each kind of request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disks/image.h"
#include "disks/io_context.h"

#define BLOCK 4096
#define PRIME 7919
#define WARM_USEC (200 * 1000) /* of requests alone, before the work */

enum kind { READ, WRITE, FLUSH, KINDS };

struct requests {
    struct image *image;
    gint64 longest[KINDS]; /* microseconds */
    int stop, counting;    /* atomic */
    bool failed;
};

static void *request_on(void *opaque)
{
    struct requests *requests = opaque;
    g_autofree uint8_t *buffer = g_malloc0(BLOCK);
    uint64_t blocks = image_size(requests->image) / BLOCK;

    for (uint64_t i = 0; !g_atomic_int_get(&requests->stop); i++) {
        enum kind kind = i % 16 == 0 ? FLUSH : i % 2 == 0 ? READ : WRITE;
        uint64_t offset = i * PRIME % blocks * BLOCK;
        bool counts = g_atomic_int_get(&requests->counting);
        gint64 start = g_get_monotonic_time();
        int error = kind == FLUSH  ? image_flush(requests->image)
                    : kind == READ ? image_read(requests->image, buffer, offset, BLOCK)
                                   : image_write(requests->image, buffer, offset, BLOCK);

        requests->failed |= error != 0;
        if (counts)
            requests->longest[kind] = MAX(requests->longest[kind], g_get_monotonic_time() - start);
    }
    return NULL;
}

static bool work(struct image *image, const char *what, const char *name, GError **err)
{
    const struct image_snapshot description = {.name = (char *)name};

    if (strcmp(what, "flatten") == 0)
        return image_flatten(image, NULL, err);
    return strcmp(what, "create") == 0 ? image_snapshot_create(image, &description, err)
                                       : image_snapshot_delete(image, name, err);
}

int main(int argc, char **argv)
{
    const struct image_options options = {.format = "qcow2"};
    struct io_context *io = io_context_new(4);
    g_autoptr(GError) error = NULL;
    struct requests requests = {.failed = false};
    GThread *thread;
    gint64 start, took;
    bool done;

    if (argc != 4) {
        fprintf(stderr, "usage: disk_hold FILE create|delete|flatten SNAPSHOT\n");
        return 2;
    }
    requests.image = image_open(argv[1], &options, io, &error);
    if (requests.image == NULL) {
        fprintf(stderr, "%s\n", error->message);
        return EXIT_FAILURE;
    }
    thread = g_thread_new("requests", request_on, &requests);
    g_usleep(WARM_USEC);
    g_atomic_int_set(&requests.counting, 1);
    start = g_get_monotonic_time();
    done = work(requests.image, argv[2], argv[3], &error);
    took = g_get_monotonic_time() - start;
    g_atomic_int_set(&requests.stop, 1);
    g_thread_join(thread);
    image_close(requests.image);
    io_context_free(io);
    if (!done || requests.failed) {
        fprintf(stderr, "%s\n", error != NULL ? error->message : "a request failed");
        return EXIT_FAILURE;
    }
    printf("%.6f %.6f %.6f %.6f\n", took / 1e6, requests.longest[READ] / 1e6,
           requests.longest[WRITE] / 1e6, requests.longest[FLUSH] / 1e6);
    return EXIT_SUCCESS;
}
