/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats that are only read: images that qemu-img makes must read as what it made them of, and
 * what is damaged or reaches out of its folder must be refused. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "disks/crc32c.h"
#include "disks/image.h"
#include "disks/io_context.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

#define MIB (1024 * 1024)
#define SIZE (12 * MIB)
#define SKIPPED 77 /* Automake: the test could not run */

static char *folder;
static struct io_context *io;
static uint8_t *disk; /* what all images hold */

static void fill(uint64_t offset, uint64_t length, unsigned seed)
{
    for (uint64_t i = 0; i < length; i++)
        disk[offset + i] = seed != 0 ? (i / 7 + seed) : i >> 4;
}

static char *in_folder(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

static void write_file(const char *path, const void *bytes, gsize size)
{
    ck_assert(g_file_set_contents(path, bytes, size, NULL));
}

static void setup(void)
{
    g_autofree char *raw = NULL;

    folder = temp_folder_new();
    io = io_context_new(4);
    disk = g_malloc0(SIZE);
    /* Data that starts and ends anywhere, and holes of several sizes. */
    fill(0, 700 * 512, 1);
    fill(3 * MIB - 512, 1024, 2);
    fill(5 * MIB + 64 * 1024, 2 * MIB, 0);
    fill(SIZE - 512, 512, 3);
    raw = in_folder("raw");
    write_file(raw, disk, SIZE);
}

static void teardown(void)
{
    io_context_free(io);
    g_free(disk);
    temp_folder_remove(folder);
}

static void run(const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *command = NULL;
    int status;
    va_list ap;

    va_start(ap, format);
    command = g_strdup_vprintf(format, ap);
    va_end(ap);
    ck_assert_msg(g_spawn_command_line_sync(command, NULL, NULL, &status, &error), "%s",
                  error != NULL ? error->message : "");
    ck_assert_msg(status == 0, "failed: %s", command);
}

/* Converts the raw image with qemu-img; the caller frees the path. */
static char *make(const char *format, const char *options)
{
    char *path = in_folder("image");

    run("qemu-img convert -f raw -O %s -o %s %s/raw %s", format, options, folder, path);
    return path;
}

static struct image *open_image(const char *path, const char *format)
{
    const struct image_options options = {.format = format, .read_only = true};
    g_autoptr(GError) error = NULL;
    struct image *image = image_open(path, &options, io, &error);

    ck_assert_msg(image != NULL, "%s", error != NULL ? error->message : "");
    return image;
}

static void assert_refused(const char *path, const char *format, int code, const char *reason)
{
    const struct image_options options = {.format = format, .read_only = true};
    g_autoptr(GError) error = NULL;
    struct image *image = image_open(path, &options, io, &error);

    ck_assert_msg(image == NULL, "opened, not refused for \"%s\"", reason);
    ck_assert_msg(strstr(error->message, reason) != NULL && strstr(error->message, path) != NULL,
                  "%s", error->message);
    ck_assert_int_eq(error->code, code);
}

/* Reads all in pieces of the given size, and compares. What lies past the data are zeros. */
static void assert_contents(struct image *image, uint64_t step)
{
    g_autofree uint8_t *buffer = g_malloc(step);

    for (uint64_t at = 0; at < image_size(image); at += step) {
        uint64_t length = MIN(step, image_size(image) - at);

        ck_assert_int_eq(image_read(image, buffer, at, length), 0);
        for (uint64_t i = 0; i < length; i++)
            if (buffer[i] != (at + i < SIZE ? disk[at + i] : 0))
                ck_abort_msg("byte %" G_GUINT64_FORMAT " is %02x", at + i, buffer[i]);
    }
}

/* Walks the status; what it calls zeros must be. Returns the bytes of data. */
static uint64_t walk_status(struct image *image)
{
    uint64_t data = 0, at = 0;

    while (at < image_size(image)) {
        struct block_status status;

        ck_assert(image_status(image, at, image_size(image) - at, &status, NULL));
        if (status.state == BLOCK_DATA || status.state == BLOCK_COMPRESSED)
            data += status.length;
        else
            for (uint64_t i = at; i < MIN(at + status.length, SIZE); i++)
                if (disk[i] != 0)
                    ck_abort_msg("byte %" G_GUINT64_FORMAT " is no zero", i);
        at += status.length;
    }
    return data;
}

static const struct {
    const char *format, *qemu_format, *options;
    bool sparse;
} kinds[] = {
    {"vdi", "vdi", "static=off", true},
    {"vdi", "vdi", "static=on", false},
    {"vhd", "vpc", "subformat=dynamic,force_size=on", true},
    {"vhd", "vpc", "subformat=fixed,force_size=on", false},
    {"vhd", "vpc", "subformat=dynamic", true},
    {"vhdx", "vhdx", "subformat=dynamic", false}, /* one block */
    {"vhdx", "vhdx", "subformat=dynamic,block_size=1M,block_state_zero=off", true},
    {"vhdx", "vhdx", "subformat=fixed", false},
    {"vmdk", "vmdk", "subformat=monolithicSparse", true},
    {"vmdk", "vmdk", "subformat=monolithicSparse,zeroed_grain=on", true},
    {"vmdk", "vmdk", "subformat=streamOptimized", true},
    {"vmdk", "vmdk", "subformat=monolithicFlat", false},
    {"vmdk", "vmdk", "subformat=twoGbMaxExtentSparse", true},
    {"vmdk", "vmdk", "subformat=twoGbMaxExtentFlat", false},
};

START_TEST(images_of_qemu_img_are_read)
{
    g_autofree char *path = make(kinds[_i].qemu_format, kinds[_i].options);
    struct image *image = open_image(path, kinds[_i].format);
    struct image_info info;

    ck_assert_uint_ge(image_size(image), SIZE);
    ck_assert_uint_lt(image_size(image), SIZE + 2 * MIB);
    ck_assert(image_read_only(image));
    assert_contents(image, SIZE + 4 * MIB);
    assert_contents(image, 1000 * 512);
    assert_contents(image, 512 * 7);
    if (kinds[_i].sparse)
        ck_assert_uint_lt(walk_status(image), SIZE - MIB);
    ck_assert(image_get_info(image, &info, NULL));
    ck_assert_str_eq(info.format, kinds[_i].format);
    image_info_clear(&info);
    image_close(image);
}
END_TEST

START_TEST(they_are_not_written)
{
    g_autofree char *path = make("vdi", "static=off");
    const struct image_options options = {.format = "vdi"};
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(image_open(path, &options, io, &error));
    ck_assert_int_eq(error->code, VMDESK_ERROR_UNSUPPORTED);
}
END_TEST

START_TEST(other_files_are_refused)
{
    static const char *const formats[] = {"vdi", "vhd", "vhdx", "vmdk"};
    g_autofree char *raw = in_folder("raw"), *small = in_folder("small");

    write_file(small, "KDM", 3);
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        assert_refused(raw, formats[i], VMDESK_ERROR_INVALID, "is no V");
        assert_refused(small, formats[i], VMDESK_ERROR_INVALID, "is no V");
    }
}
END_TEST

/* Overwrites bytes of a file. */
static void patch(const char *path, uint64_t offset, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "r+e");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, offset, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static void patch_le32(const char *path, uint64_t offset, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    patch(path, offset, &value, sizeof(value));
}

static void read_part(const char *path, uint64_t offset, void *bytes, size_t size)
{
    FILE *file = fopen(path, "re");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, offset, SEEK_SET), 0);
    ck_assert_uint_eq(fread(bytes, 1, size, file), size);
    fclose(file);
}

static uint64_t file_size(const char *path)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_size;
}

START_TEST(damaged_vdi_headers)
{
    g_autofree char *path = make("vdi", "static=off");
    uint8_t sector[512];

    read_part(path, 0, sector, sizeof(sector));
    patch_le32(path, 76, 4);
    assert_refused(path, "vdi", VMDESK_ERROR_UNSUPPORTED, "differencing");
    patch_le32(path, 76, 9);
    assert_refused(path, "vdi", VMDESK_ERROR_INVALID, "unknown type");
    patch(path, 0, sector, sizeof(sector));
    patch_le32(path, 68, 0x20000);
    assert_refused(path, "vdi", VMDESK_ERROR_UNSUPPORTED, "version 2.0");
    patch(path, 0, sector, sizeof(sector));
    patch_le32(path, 440, 1);
    assert_refused(path, "vdi", VMDESK_ERROR_UNSUPPORTED, "differencing");
    patch(path, 0, sector, sizeof(sector));
    patch_le32(path, 376, 0);
    assert_refused(path, "vdi", VMDESK_ERROR_INVALID, "damaged");
    patch(path, 0, sector, sizeof(sector));
    patch_le32(path, 384, 3);
    assert_refused(path, "vdi", VMDESK_ERROR_INVALID, "damaged");
}
END_TEST

/* A map that claims to be huge, or points outside, costs nothing but the request. */
START_TEST(hostile_vdi_maps)
{
    g_autofree char *path = make("vdi", "static=off");
    struct image *image;
    uint8_t sector[512];
    uint32_t map;

    read_part(path, 340, &map, sizeof(map));
    map = GUINT32_FROM_LE(map);
    patch_le32(path, map, 0xfffffff0);
    image = open_image(path, "vdi");
    ck_assert_int_eq(image_read(image, sector, 0, sizeof(sector)), EIO);
    image_close(image);
    patch_le32(path, 384, 0xffffffff); /* blocks */
    patch_le32(path, 372, 0x0000ffff); /* the high half of the disk's size */
    image = open_image(path, "vdi");
    ck_assert_int_eq(image_read(image, sector, image_size(image) - 512, sizeof(sector)), EIO);
    image_close(image);
}
END_TEST

/* Puts the checksum right, of bytes read from the file. */
static void fix_vhd_checksum(const char *path, uint64_t offset, size_t size, size_t at)
{
    g_autofree uint8_t *bytes = g_malloc(size);
    uint32_t sum = 0;

    read_part(path, offset, bytes, size);
    memset(bytes + at, 0, 4);
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
    sum = GUINT32_TO_BE(~sum);
    patch(path, offset + at, &sum, sizeof(sum));
}

START_TEST(damaged_vhd_headers)
{
    g_autofree char *path = make("vpc", "subformat=dynamic,force_size=on");
    uint64_t footer = file_size(path) - 512;
    struct image *image;

    /* The copy in front stands in for the footer. */
    patch_le32(path, footer + 100, 0x1234);
    image = open_image(path, "vhd");
    assert_contents(image, MIB);
    image_close(image);
    patch_le32(path, 60, GUINT32_SWAP_LE_BE(4));
    assert_refused(path, "vhd", VMDESK_ERROR_INVALID, "is no VHD");
    fix_vhd_checksum(path, 0, 512, 64);
    assert_refused(path, "vhd", VMDESK_ERROR_UNSUPPORTED, "differencing");
    patch_le32(path, 60, GUINT32_SWAP_LE_BE(3));
    patch_le32(path, 48, GUINT32_SWAP_LE_BE(0x7fffffff));
    fix_vhd_checksum(path, 0, 512, 64);
    assert_refused(path, "vhd", VMDESK_ERROR_INVALID, "says that its disk has");
    patch_le32(path, 48, 0);
    fix_vhd_checksum(path, 0, 512, 64);
    patch_le32(path, 512 + 28, GUINT32_SWAP_LE_BE(2)); /* table entries */
    assert_refused(path, "vhd", VMDESK_ERROR_INVALID, "is damaged");
    fix_vhd_checksum(path, 512, 1024, 36);
    assert_refused(path, "vhd", VMDESK_ERROR_INVALID, "2 blocks of");
}
END_TEST

START_TEST(a_short_fixed_vhd)
{
    g_autofree char *path = make("vpc", "subformat=fixed,force_size=on");
    g_autofree char *contents = NULL;
    gsize size;

    ck_assert(g_file_get_contents(path, &contents, &size, NULL));
    write_file(path, contents + 512, size - 512);
    assert_refused(path, "vhd", VMDESK_ERROR_INVALID, "cut short");
}
END_TEST

static void fix_vhdx_checksum(const char *path, uint64_t offset, size_t size)
{
    g_autofree uint8_t *bytes = g_malloc(size);
    uint32_t crc;

    read_part(path, offset, bytes, size);
    memset(bytes + 4, 0, 4);
    crc = crc32c(0, bytes, size);
    patch_le32(path, offset + 4, crc);
}

START_TEST(damaged_vhdx_headers)
{
    g_autofree char *path = make("vhdx", "subformat=dynamic");
    struct image *image;

    patch_le32(path, 64 * 1024 + 100, 1);
    image = open_image(path, "vhdx"); /* by the second header */
    assert_contents(image, MIB);
    image_close(image);
    patch_le32(path, 128 * 1024 + 48, 77); /* the log's identity */
    assert_refused(path, "vhdx", VMDESK_ERROR_INVALID, "header");
    fix_vhdx_checksum(path, 128 * 1024, 4096);
    assert_refused(path, "vhdx", VMDESK_ERROR_INVALID, "log is damaged");
    patch_le32(path, 128 * 1024 + 48, 0);
    fix_vhdx_checksum(path, 128 * 1024, 4096);
    patch_le32(path, 192 * 1024 + 8, 3000); /* entries of the region table; its copy is left */
    image = open_image(path, "vhdx");
    image_close(image);
    patch_le32(path, 256 * 1024 + 8, 3000);
    fix_vhdx_checksum(path, 256 * 1024, 64 * 1024);
    assert_refused(path, "vhdx", VMDESK_ERROR_INVALID, "region table");
}
END_TEST

/* As other programs write it: the directory is known at the end only. */
static void add_footer(const char *path)
{
    static const uint64_t at_end = UINT64_MAX;
    g_autofree uint8_t *end = g_malloc0(3 * 512);
    uint64_t size = (file_size(path) + 511) / 512 * 512;

    end[8] = 0; /* a marker: one sector of metadata... */
    end[0] = 1;
    end[12] = 3; /* ...which is a footer */
    read_part(path, 0, end + 512, 512);
    patch(path, 56, &at_end, sizeof(at_end));
    patch(path, size, end, 3 * 512);
}

START_TEST(a_vmdk_with_a_footer)
{
    g_autofree char *path = make("vmdk", "subformat=streamOptimized");
    struct image *image;

    add_footer(path);
    image = open_image(path, "vmdk");
    assert_contents(image, MIB + 512);
    image_close(image);
    ck_assert_int_eq(truncate(path, file_size(path) - 512), 0);
    assert_refused(path, "vmdk", VMDESK_ERROR_INVALID, "end is missing");
}
END_TEST

START_TEST(damaged_vmdk_headers)
{
    static const struct {
        uint64_t offset;
        uint32_t value;
        int code;
        const char *reason;
    } damages[] = {
        {4, 9, VMDESK_ERROR_UNSUPPORTED, "version 9"},
        {12 + 4, 0x100, VMDESK_ERROR_INVALID, "damaged"}, /* capacity, high half */
        {20, 3, VMDESK_ERROR_INVALID, "damaged"},         /* grain size */
        {20, 1 << 30, VMDESK_ERROR_INVALID, "damaged"},
        {44, 0, VMDESK_ERROR_INVALID, "damaged"}, /* entries of a table */
        {44, 1 << 30, VMDESK_ERROR_INVALID, "damaged"},
        {36, 1 << 30, VMDESK_ERROR_INVALID, "damaged"}, /* size of the description */
        {28, 0, VMDESK_ERROR_INVALID, "one extent"},    /* no description */
    };
    g_autofree char *path = make("vmdk", "subformat=monolithicSparse");
    uint8_t sector[512];

    read_part(path, 0, sector, sizeof(sector));
    for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
        patch_le32(path, damages[i].offset, damages[i].value);
        assert_refused(path, "vmdk", damages[i].code, damages[i].reason);
        patch(path, 0, sector, sizeof(sector));
    }
}
END_TEST

/* A grain that unpacks to more than a grain, or is no stream, fails its request. */
START_TEST(a_broken_compressed_grain)
{
    g_autofree char *path = make("vmdk", "subformat=streamOptimized");
    struct image *image = open_image(path, "vmdk");
    struct block_status status;
    uint8_t sector[512];
    uint32_t grain_marker[3];
    g_autofree char *contents = NULL;
    gsize size, at = 0;

    ck_assert(image_status(image, 0, 512, &status, NULL));
    ck_assert_int_eq(status.state, BLOCK_COMPRESSED);
    image_close(image);
    ck_assert(g_file_get_contents(path, &contents, &size, NULL));
    /* The first grain: a marker for sector 0 with a zlib header behind it. */
    for (at = 512; at + 16 < size; at += 512) {
        memcpy(grain_marker, contents + at, sizeof(grain_marker));
        if (grain_marker[0] == 0 && grain_marker[1] == 0 && grain_marker[2] != 0 &&
            contents[at + 12] == 0x78)
            break;
    }
    ck_assert_uint_lt(at + 16, size);
    patch_le32(path, at + 12, 0x12345678);
    image = open_image(path, "vmdk");
    ck_assert_int_eq(image_read(image, sector, 0, 512), EIO);
    image_close(image);
    patch_le32(path, at + 8, 0xffffffff);
    image = open_image(path, "vmdk");
    ck_assert_int_eq(image_read(image, sector, 0, 512), EIO);
    image_close(image);
}
END_TEST

static void write_descriptor(const char *path, const char *parent, const char *extents)
{
    g_autofree char *text = g_strdup_printf("# Disk DescriptorFile\nversion=1\nCID=1\n"
                                            "parentCID = %s\ncreateType=\"custom\"\n\n"
                                            "# Extent description\n%s\n",
                                            parent, extents);

    write_file(path, text, strlen(text));
}

START_TEST(described_extents)
{
    g_autofree char *path = in_folder("image"), *below = in_folder("below");
    struct image *image;

    /* The disk again, of three pieces, the middle one zeros. */
    memset(disk + 4096 * 512, 0, 2048 * 512);
    write_descriptor(path, "ffffffff",
                     "RW 4096 FLAT \"raw\" 0\nRW 2048 ZERO\r\n"
                     "RDONLY 18432 VMFS \"raw\" 6144");
    image = open_image(path, "vmdk");
    ck_assert_uint_eq(image_size(image), SIZE);
    assert_contents(image, MIB);
    image_close(image);

    ck_assert_int_eq(mkdir(below, 0700), 0);
    ck_assert_int_eq(rmdir(below), 0);
    ck_assert_int_eq(symlink("/etc/passwd", below), 0);
    static const struct {
        const char *parent, *extents;
        int code;
        const char *reason;
    } refusals[] = {
        {"ffffffff", "", VMDESK_ERROR_INVALID, "names no extents"},
        {"12345678", "RW 4096 FLAT \"raw\" 0", VMDESK_ERROR_UNSUPPORTED, "parent image"},
        {"ffffffff", "RW 4096 FLAT \"../raw\" 0", VMDESK_ERROR_INVALID, "own folder"},
        {"ffffffff", "RW 1 FLAT \"/etc/passwd\" 0", VMDESK_ERROR_INVALID, "own folder"},
        {"ffffffff", "RW 1 FLAT \"..\" 0", VMDESK_ERROR_INVALID, "own folder"},
        {"ffffffff", "RW 1 FLAT \"below\" 0", VMDESK_ERROR_UNSUPPORTED, "not a regular file"},
        {"ffffffff", "RW 1 FLAT \"gone\" 0", VMDESK_ERROR_NOT_FOUND, "needs the file"},
        {"ffffffff", "RW 1 FLAT", VMDESK_ERROR_INVALID, "own folder"},
        {"ffffffff", "RW -1 FLAT \"raw\" 0", VMDESK_ERROR_INVALID, "number of sectors"},
        {"ffffffff", "RW 99999999999999999 FLAT \"raw\" 0", VMDESK_ERROR_INVALID,
         "number of sectors"},
        {"ffffffff", "RW 24577 FLAT \"raw\" 0", VMDESK_ERROR_INVALID, "which has"},
        {"ffffffff", "RW 24576 FLAT \"raw\" 1", VMDESK_ERROR_INVALID, "which has"},
        {"ffffffff", "RW 1 VMFSSPARSE \"raw\"", VMDESK_ERROR_INVALID, "type that is not known"},
        {"ffffffff", "NOACCESS 1 FLAT \"raw\" 0", VMDESK_ERROR_INVALID, "must not be read"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
        write_descriptor(path, refusals[i].parent, refusals[i].extents);
        assert_refused(path, "vmdk", refusals[i].code, refusals[i].reason);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("formats");
    TCase *tc = tcase_create("formats");
    g_autofree char *qemu_img = g_find_program_in_path("qemu-img");

    if (qemu_img == NULL)
        return SKIPPED;
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, images_of_qemu_img_are_read, 0, G_N_ELEMENTS(kinds));
    tcase_add_test(tc, they_are_not_written);
    tcase_add_test(tc, other_files_are_refused);
    tcase_add_test(tc, damaged_vdi_headers);
    tcase_add_test(tc, hostile_vdi_maps);
    tcase_add_test(tc, damaged_vhd_headers);
    tcase_add_test(tc, a_short_fixed_vhd);
    tcase_add_test(tc, damaged_vhdx_headers);
    tcase_add_test(tc, a_vmdk_with_a_footer);
    tcase_add_test(tc, damaged_vmdk_headers);
    tcase_add_test(tc, a_broken_compressed_grain);
    tcase_add_test(tc, described_extents);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
