/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One measurement of disk_bench.py: requests through the library, or to the file itself by plain
 * pread(2) and pwrite(2), on as many threads as there are processors but not more than the depth.
 *
 *   disk_bench library|plain FORMAT FILE read|write BLOCK DEPTH COUNT STEP [direct]
 *
 * Prints the seconds that it took.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disks/image_bench.h"
#include "disks/io_context.h"

#define ALIGNMENT 4096

struct plain {
    const struct image_bench *bench;
    int fd;
    uint64_t blocks;
    int next; /* atomic */
    int failed;
};

static void *plain_thread(void *opaque)
{
    struct plain *plain = opaque;
    const struct image_bench *bench = plain->bench;
    uint64_t step = bench->step / bench->block % plain->blocks;
    void *buffer = aligned_alloc(ALIGNMENT, MAX(bench->block, ALIGNMENT));
    unsigned i;

    memset(buffer, 'Z', bench->block);
    while ((i = g_atomic_int_add(&plain->next, 1)) < bench->count) {
        off_t offset = step * i % plain->blocks * bench->block;
        ssize_t moved = bench->write ? pwrite(plain->fd, buffer, bench->block, offset)
                                     : pread(plain->fd, buffer, bench->block, offset);

        if (moved != (ssize_t)bench->block)
            g_atomic_int_set(&plain->failed, 1);
    }
    free(buffer);
    return NULL;
}

static bool run_plain(const char *file, const struct image_bench *bench, bool direct,
                      double *ret_seconds)
{
    struct plain plain = {.bench = bench,
                          .fd = open(file, O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0))};
    unsigned count = MIN(bench->depth, g_get_num_processors());
    g_autofree GThread **threads = g_new(GThread *, count);
    struct stat st;
    gint64 start;

    if (plain.fd < 0 || fstat(plain.fd, &st) < 0) {
        perror(file);
        return false;
    }
    plain.blocks = st.st_size / bench->block;
    start = g_get_monotonic_time();
    for (unsigned i = 0; i < count; i++)
        threads[i] = g_thread_new("plain", plain_thread, &plain);
    for (unsigned i = 0; i < count; i++)
        g_thread_join(threads[i]);
    *ret_seconds = (g_get_monotonic_time() - start) / 1e6;
    close(plain.fd);
    return plain.failed == 0;
}

static bool run_library(const char *file, const char *format, const struct image_bench *bench,
                        bool direct, double *ret_seconds)
{
    const struct image_options options = {
        .format = format,
        .read_only = !bench->write,
        .cache = direct ? IMAGE_CACHE_DIRECT : IMAGE_CACHE_WRITE_BACK,
    };
    struct io_context *io = io_context_new(4);
    g_autoptr(GError) error = NULL;
    struct image *image = image_open(file, &options, io, &error);
    bool done = image != NULL && image_bench(image, bench, ret_seconds, NULL, &error);

    if (!done)
        fprintf(stderr, "%s\n", error->message);
    image_close(image);
    io_context_free(io);
    return done;
}

int main(int argc, char **argv)
{
    struct image_bench bench;
    double seconds;
    bool done, direct = argc > 9;

    if (argc < 9) {
        fprintf(stderr, "usage: disk_bench library|plain FORMAT FILE read|write BLOCK DEPTH COUNT "
                        "STEP [direct]\n");
        return 2;
    }
    bench = (struct image_bench){
        .write = strcmp(argv[4], "write") == 0,
        .block = g_ascii_strtoull(argv[5], NULL, 10),
        .depth = g_ascii_strtoull(argv[6], NULL, 10),
        .count = g_ascii_strtoull(argv[7], NULL, 10),
        .step = g_ascii_strtoull(argv[8], NULL, 10),
    };
    done = strcmp(argv[1], "plain") == 0 ? run_plain(argv[3], &bench, direct, &seconds)
                                         : run_library(argv[3], argv[2], &bench, direct, &seconds);
    if (done)
        printf("%.6f\n", seconds);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
