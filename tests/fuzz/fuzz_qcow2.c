/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a qcow2 image: opened, read, written to, given snapshots, put on another image and
 * made independent of it, checked and repaired. What it names besides itself is looked for in a
 * folder that does not exist. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "disks/image_format.h"
#include "disks/io_context.h"
#include "tests/fakes/memory_file.h"
#include "tests/fuzz/fuzz.h"

#define READ_BYTES (64 * 1024)
#define MAX_RANGES 8
#define MAX_FILE (16 * 1024 * 1024)
#define BASE_BYTES (80 * 1024)

static void read_some(struct image *image)
{
    g_autofree uint8_t *buffer = g_malloc(READ_BYTES);
    uint64_t size = image_size(image), step = MAX(size / MAX_RANGES / 512 * 512, 512);
    struct block_status status;

    for (uint64_t at = 0; at < size && at / step < MAX_RANGES; at += step) {
        image_read(image, buffer, at, MIN(READ_BYTES, size - at));
        image_status(image, at, size - at, &status, NULL);
    }
}

static void check(struct image *image, unsigned flags)
{
    struct image_check_result result;

    if (image_check(image, flags, &result, NULL, NULL))
        image_check_result_clear(&result);
}

static void use_snapshots(struct image *image)
{
    const struct image_snapshot description = {.name = (char *)"fuzz"};
    GPtrArray *list = image_snapshots(image, NULL);

    if (list->len > 0) {
        const struct image_snapshot *first = list->pdata[0];

        image_snapshot_apply(image, first->id, NULL);
        image_snapshot_delete(image, first->id, NULL);
    }
    g_ptr_array_unref(list);
    image_snapshot_create(image, &description, NULL);
}

static void write_some(struct image *image)
{
    uint8_t buffer[2048];
    uint64_t size = image_size(image);
    struct block_request request = {.op = BLOCK_DISCARD, .length = MIN(size, 4096)};

    memset(buffer, 0x5a, sizeof(buffer));
    for (uint64_t at = 0; at < size && at < MAX_RANGES * 1536; at += 1536)
        image_write(image, buffer, at, MIN(sizeof(buffer), size - at));
    image_run(image, &request);
    request.op = BLOCK_WRITE_ZEROES;
    image_run(image, &request);
    image_flush(image);
}

/* With the snapshots that the image came with. */
static void lie_on_another(struct image *image)
{
    g_autofree uint8_t *bytes = g_malloc(BASE_BYTES);
    int fd = memfd_create("base", MFD_CLOEXEC);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);

    memset(bytes, 0xa5, BASE_BYTES);
    if (fd < 0 || write(fd, bytes, BASE_BYTES) != BASE_BYTES)
        abort();
    image_rebase(image, NULL, NULL, false, NULL, NULL);
    if (image_rebase(image, path, "raw", true, NULL, NULL))
        image_flatten(image, NULL, NULL);
    close(fd);
}

static void use(const uint8_t *data, size_t size, const struct image_options *options,
                struct io_context *io)
{
    struct memory_file *memory = memory_file_new(size);
    struct image_info info;
    struct image *image;

    memcpy(memory->data, data, size);
    g_free(memory->file.path);
    memory->file.path = g_strdup("/nonexistent/image");
    memory->max_size = MAX_FILE;
    memory->file.read_only = options->read_only;
    image = image_open_file(&memory->file, options, io, NULL);
    if (image != NULL) {
        if (image_get_info(image, &info, NULL))
            image_info_clear(&info);
        read_some(image);
        check(image, options->as_it_is ? IMAGE_REPAIR_ERRORS | IMAGE_REPAIR_LEAKS : 0);
        if (!options->read_only) {
            lie_on_another(image);
            write_some(image);
            use_snapshots(image);
            write_some(image);
            image_resize(image, 4096, IMAGE_RESIZE_SHRINK, IMAGE_PREALLOCATION_OFF, NULL, NULL);
            image_resize(image, 8192, 0, IMAGE_PREALLOCATION_METADATA, NULL, NULL);
            image_compact(image, NULL, NULL);
        }
        image_close(image);
    }
    memory_file_free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct image_options options[] = {
        {.format = "qcow2", .read_only = true, .backing = IMAGE_BACKING_IGNORE},
        {.format = "qcow2", .backing = IMAGE_BACKING_IGNORE},
        {.format = "qcow2", .backing = IMAGE_BACKING_IGNORE, .as_it_is = true},
        {.format = "qcow2", .read_only = true},
    };
    struct io_context *io = io_context_new(1);

    for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
        use(data, size, &options[i], io);
    io_context_free(io);
    return 0;
}
