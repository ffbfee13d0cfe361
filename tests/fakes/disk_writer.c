/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/disk_writer.h"

#include <check.h>
#include <string.h>

#define STEP (256 * 1024) /* between writes in steps */

void disk_writer_init(struct disk_writer *writer, struct image *image, uint8_t *model, uint64_t end,
                      uint32_t seed)
{
    *writer = (struct disk_writer){
        .image = image,
        .model = model,
        .random = g_rand_new_with_seed(seed),
        .end = end,
    };
}

void disk_writer_finish(struct disk_writer *writer)
{
    g_rand_free(writer->random);
}

void disk_writer_change(struct disk_writer *writer)
{
    static const enum block_op ops[] = {BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE_ZEROES,
                                        BLOCK_DISCARD};
    int sectors = (int)((writer->end - writer->start) / IMAGE_SECTOR_SIZE);
    uint64_t first = (uint64_t)g_rand_int_range(writer->random, 0, sectors);
    uint64_t offset = writer->start + first * IMAGE_SECTOR_SIZE;
    uint64_t count =
        (uint64_t)g_rand_int_range(writer->random, 1, DISK_WRITER_MAX / IMAGE_SECTOR_SIZE);
    uint64_t length = MIN(count * IMAGE_SECTOR_SIZE, writer->end - offset);
    uint8_t *bytes = writer->model + offset;
    const struct iovec iov = {bytes, length};
    struct block_request request = {.op = BLOCK_WRITE, .offset = offset, .length = length};

    if (!writer->only_writes)
        request.op = ops[g_rand_int_range(writer->random, 0, G_N_ELEMENTS(ops))];
    if (request.op == BLOCK_WRITE) {
        request.iov = &iov;
        request.iov_count = 1;
    }
    memset(bytes, request.op == BLOCK_WRITE ? g_rand_int_range(writer->random, 1, 256) : 0, length);
    ck_assert_int_eq(image_run(writer->image, &request), 0);
    /* What a discard leaves is the image's choice. */
    if (request.op == BLOCK_DISCARD)
        ck_assert_int_eq(image_read(writer->image, bytes, offset, length), 0);
}

bool disk_writer_step(void *opaque, uint64_t done, uint64_t total)
{
    struct disk_writer *writer = opaque;

    ck_assert_uint_eq(total, writer->end);
    if (done < total && done < writer->written + STEP)
        return true;
    writer->written = done;
    /* Behind, where all was copied, and anywhere. */
    writer->end = CLAMP(done, DISK_WRITER_MAX, total);
    disk_writer_change(writer);
    writer->end = total;
    disk_writer_change(writer);
    return !writer->cancels || done < total / 2;
}

static void *write_on(void *opaque)
{
    struct disk_writer *writer = opaque;

    while (!g_atomic_int_get(&writer->stop))
        disk_writer_change(writer);
    return NULL;
}

void disk_writers_start(struct disk_writer *writers, unsigned count, const struct disk_writer *like,
                        uint64_t size, uint32_t seed)
{
    uint64_t part = size / count / IMAGE_SECTOR_SIZE * IMAGE_SECTOR_SIZE;

    for (unsigned i = 0; i < count; i++) {
        writers[i] = *like;
        writers[i].random = g_rand_new_with_seed(seed + i);
        writers[i].start = part * i;
        writers[i].end = part * (i + 1);
        writers[i].thread = g_thread_new("writer", write_on, &writers[i]);
    }
}

void disk_writers_stop(struct disk_writer *writers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        g_atomic_int_set(&writers[i].stop, true);
        g_thread_join(writers[i].thread);
        disk_writer_finish(&writers[i]);
    }
}

void disk_assert_reads(struct image *image, const uint8_t *model, uint64_t size)
{
    g_autofree uint8_t *buffer = g_malloc(size);

    ck_assert_uint_eq(image_size(image), size);
    ck_assert_int_eq(image_read(image, buffer, 0, size), 0);
    for (uint64_t at = 0; at < size; at += IMAGE_SECTOR_SIZE)
        ck_assert_msg(memcmp(buffer + at, model + at, IMAGE_SECTOR_SIZE) == 0,
                      "it reads differently at %" G_GUINT64_FORMAT, at);
}
