/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an image of a format that is only read; FUZZ_FORMAT names it. There is a program for
 * each.
 *
 * The input is the image without its long rows of zeros: the size of the file, then pieces of it,
 * each after its offset and length (pack_image.py makes it). The checksums are put right, as few
 * changes would come past them.
 */
#include <glib.h>
#include <string.h>

#include "disks/crc32c.h"
#include "disks/image_format.h"
#include "disks/io_context.h"
#include "disks/vhdx_log.h"
#include "tests/fakes/memory_file.h"
#include "tests/fuzz/fuzz.h"

#define MAX_FILE (16 * 1024 * 1024)
#define MAX_STEPS 64
#define VHDX_TABLE (64 * 1024)

static uint32_t take32(const uint8_t **data, size_t *size)
{
    uint32_t value = 0;

    if (*size < sizeof(value)) {
        *size = 0;
        return 0;
    }
    memcpy(&value, *data, sizeof(value));
    *data += sizeof(value);
    *size -= sizeof(value);
    return GUINT32_FROM_LE(value);
}

static struct memory_file *unpack(const uint8_t *data, size_t size)
{
    struct memory_file *memory = memory_file_new(take32(&data, &size) % MAX_FILE);

    while (size > 0) {
        uint32_t offset = take32(&data, &size), length = take32(&data, &size);

        length = MIN(length, size);
        if (offset < memory->size)
            memcpy(memory->data + offset, data, MIN(length, memory->size - offset));
        data += length;
        size -= length;
    }
    memory->file.read_only = true;
    /* Names in the image are relative to it, and lead nowhere. */
    g_free(memory->file.path);
    memory->file.path = g_strdup("/nonexistent/image");
    return memory;
}

static void fix_vhd(struct memory_file *memory, uint64_t offset, size_t size, size_t at)
{
    uint32_t sum = 0;

    if (offset > memory->size || size > memory->size - offset)
        return;
    memset(memory->data + offset + at, 0, sizeof(sum));
    for (size_t i = 0; i < size; i++)
        sum += memory->data[offset + i];
    sum = GUINT32_TO_BE(~sum);
    memcpy(memory->data + offset + at, &sum, sizeof(sum));
}

static void fix_vhdx(struct memory_file *memory, uint64_t offset, size_t size)
{
    uint32_t crc;

    if (offset + size > memory->size)
        return;
    memset(memory->data + offset + 4, 0, sizeof(crc));
    crc = GUINT32_TO_LE(crc32c(0, memory->data + offset, size));
    memcpy(memory->data + offset + 4, &crc, sizeof(crc));
}

/* The entries of the log, wherever it is said to be. */
static void fix_vhdx_log(struct memory_file *memory)
{
    for (uint64_t at = 0; at + VHDX_LOG_SECTOR <= memory->size; at += VHDX_LOG_SECTOR) {
        uint32_t length;

        memcpy(&length, memory->data + at + 8, sizeof(length));
        length = GUINT32_FROM_LE(length);
        if (memcmp(memory->data + at, "loge", 4) == 0 && length >= 8)
            fix_vhdx(memory, at, length);
    }
}

static void fix_checksums(struct memory_file *memory)
{
    if (strcmp(FUZZ_FORMAT, "vhd") == 0) {
        fix_vhd(memory, 0, 512, 64);
        fix_vhd(memory, 512, 1024, 36);
        if (memory->size >= 512)
            fix_vhd(memory, memory->size - 512, 512, 64);
    } else if (strcmp(FUZZ_FORMAT, "vhdx") == 0) {
        fix_vhdx(memory, 1 * VHDX_TABLE, 4096);
        fix_vhdx(memory, 3 * VHDX_TABLE, VHDX_TABLE);
        fix_vhdx_log(memory);
    }
}

static void use(struct image *image)
{
    static uint8_t buffer[64 * 1024];
    uint64_t at = 0, size = image_size(image);
    struct image_info info;

    g_assert_cmpuint(size, >, 0);
    g_assert_cmpuint(size % IMAGE_SECTOR_SIZE, ==, 0);
    for (unsigned step = 0; step < MAX_STEPS && at < size; step++) {
        struct block_status status;

        image_read(image, buffer, at, MIN(sizeof(buffer), size - at));
        if (!image_status(image, at, size - at, &status, NULL))
            break;
        g_assert_cmpuint(status.length, <=, size - at);
        at += (status.length + IMAGE_SECTOR_SIZE - 1) / IMAGE_SECTOR_SIZE * IMAGE_SECTOR_SIZE;
    }
    image_read(image, buffer, size - IMAGE_SECTOR_SIZE, IMAGE_SECTOR_SIZE);
    if (image_get_info(image, &info, NULL))
        image_info_clear(&info);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct image_options options = {.format = FUZZ_FORMAT, .read_only = true};
    struct memory_file *memory = unpack(data, size);
    struct io_context *io = io_context_new(1);
    g_autoptr(GError) error = NULL;
    struct image *image;

    fix_checksums(memory);
    image = image_open_file(&memory->file, &options, io, &error);
    if (image != NULL)
        use(image);
    else
        g_assert_nonnull(error);
    image_close(image);
    io_context_free(io);
    memory_file_free(memory);
    return 0;
}
