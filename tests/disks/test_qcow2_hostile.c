/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images that lie: each is refused with a reason that names it, at once, and nothing else is
 * opened. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "disks/bytes.h"
#include "tests/disks/oracle.h"

#define SIZE (1024 * 1024)
#define MAX_SECONDS 20 /* which only a loop takes */

enum base { PLAIN, SNAPSHOT, OVERLAY, EXTERNAL };

struct patch {
    const char *name;
    enum base base;
    uint64_t offset; /* where, in the file */
    unsigned width;  /* bytes; 0: text */
    uint64_t value;
    const char *text;
    const char *reason; /* in the message; NULL: it opens, and then reading fails */
};

/* Offsets of the header, section "Header". */
enum {
    AT_VERSION = 4,
    AT_BACKING = 8,
    AT_BACKING_SIZE = 16,
    AT_CLUSTER_BITS = 20,
    AT_SIZE = 24,
    AT_CRYPT = 32,
    AT_L1_SIZE = 36,
    AT_L1 = 40,
    AT_REFTABLE = 48,
    AT_REFTABLE_CLUSTERS = 56,
    AT_SNAPSHOTS = 60,
    AT_SNAPSHOTS_OFFSET = 64,
    AT_INCOMPATIBLE = 72,
    AT_REFCOUNT_ORDER = 96,
    AT_HEADER_LENGTH = 100,
    AT_COMPRESSION = 104,
    AT_EXTENSION = 112,
};

static const struct patch patches[] = {
    {"magic", PLAIN, 0, 4, 0, NULL, "is no qcow2 image"},
    {"version 1", PLAIN, AT_VERSION, 4, 1, NULL, "version 1 of qcow2"},
    {"version 4", PLAIN, AT_VERSION, 4, 4, NULL, "version 4 of qcow2"},
    {"tiny clusters", PLAIN, AT_CLUSTER_BITS, 4, 8, NULL, "not between 512 bytes"},
    {"huge clusters", PLAIN, AT_CLUSTER_BITS, 4, 22, NULL, "not between 512 bytes"},
    {"clusters past 64 bits", PLAIN, AT_CLUSTER_BITS, 4, 0xffffffff, NULL, "not between 512"},
    {"odd size", PLAIN, AT_SIZE, 8, SIZE + 1, NULL, "size is not one"},
    {"endless size", PLAIN, AT_SIZE, 8, UINT64_MAX - 511, NULL, "size is not one"},
    {"L1 table too small", PLAIN, AT_SIZE, 8, 1ULL << 50, NULL, "too small for its size"},
    {"AES", PLAIN, AT_CRYPT, 4, 1, NULL, "encrypted with AES"},
    {"LUKS", PLAIN, AT_CRYPT, 4, 2, NULL, "encrypted with LUKS"},
    {"unknown encryption", PLAIN, AT_CRYPT, 4, 3, NULL, "no known kind"},
    {"huge L1 table", PLAIN, AT_L1_SIZE, 4, 0x7fffffff, NULL, "larger than can be"},
    {"L1 table past the file", PLAIN, AT_L1, 8, 1ULL << 40, NULL, "cut short"},
    {"L1 table past 63 bits", PLAIN, AT_L1, 8, ~0ULL << 16, NULL, "misplaced"},
    {"L1 table not aligned", PLAIN, AT_L1, 8, 0x30200, NULL, "misplaced"},
    {"L1 table on the header", PLAIN, AT_L1, 8, 0, NULL, "same place"},
    {"L1 table on the refcount table", PLAIN, AT_L1, 8, 0x10000, NULL, "same place"},
    {"no refcount table", PLAIN, AT_REFTABLE_CLUSTERS, 4, 0, NULL, "refcount table is missing"},
    {"huge refcount table", PLAIN, AT_REFTABLE_CLUSTERS, 4, 0xffffffff, NULL, "larger than can be"},
    {"refcount table on the header", PLAIN, AT_REFTABLE, 8, 0, NULL, "same place"},
    {"refcount table not aligned", PLAIN, AT_REFTABLE, 8, 0x10008, NULL, "misplaced"},
    {"many snapshots", PLAIN, AT_SNAPSHOTS, 4, 65537, NULL, "more snapshots than can be"},
    {"snapshots at 0", PLAIN, AT_SNAPSHOTS, 4, 1, NULL, "snapshots is misplaced"},
    {"snapshots not aligned", SNAPSHOT, AT_SNAPSHOTS_OFFSET, 8, 0x50008, NULL, "misplaced"},
    {"more snapshots than written", SNAPSHOT, AT_SNAPSHOTS, 4, 60000, NULL, "Cannot read the snap"},
    {"unknown feature", PLAIN, AT_INCOMPATIBLE, 8, 1ULL << 40, NULL, "incompatible feature 40"},
    {"corrupt", PLAIN, AT_INCOMPATIBLE, 8, 2, NULL, "marked as corrupt"},
    {"no data file", PLAIN, AT_INCOMPATIBLE, 8, 4, NULL, "does not say where its data file"},
    {"refcounts of 128 bits", PLAIN, AT_REFCOUNT_ORDER, 4, 7, NULL, "more than 64 bits"},
    {"short header", PLAIN, AT_HEADER_LENGTH, 4, 96, NULL, "no valid length"},
    {"long header", PLAIN, AT_HEADER_LENGTH, 4, 0x10008, NULL, "no valid length"},
    {"odd header", PLAIN, AT_HEADER_LENGTH, 4, 105, NULL, "no valid length"},
    {"unknown compression", PLAIN, AT_COMPRESSION, 1, 9, NULL, "compression is of no known kind"},
    {"unannounced compression", PLAIN, AT_COMPRESSION, 1, 1, NULL, "compression is of no known"},
    {"long extension", PLAIN, AT_EXTENSION + 4, 4, 0xfffffff0, NULL, "longer than the header"},
    {"backing name past the cluster", OVERLAY, AT_BACKING, 8, 1ULL << 33, NULL, "outside of the"},
    {"backing name in the header", OVERLAY, AT_BACKING, 8, 8, NULL, "outside of the header"},
    {"long backing name", OVERLAY, AT_BACKING_SIZE, 4, 1024, NULL, "too long"},
    {"backing name without end", OVERLAY, AT_BACKING_SIZE, 4, 0xffffffff, NULL, "outside of the"},
    {"L1 entry not aligned", PLAIN, 0x30000, 8, 1ULL << 63 | 0x40200, NULL, NULL},
    {"L1 entry past the file", PLAIN, 0x30000, 8, 1ULL << 63 | 1ULL << 50, NULL, NULL},
};

static char *make(struct oracle *oracle, enum base base)
{
    char *path = oracle_path(oracle, "image.qcow2");
    const struct image_options writable = {.format = "qcow2"};
    const struct image_snapshot description = {.name = (char *)"one"};
    struct image_create_options options = {.format = "qcow2", .size = SIZE};
    struct image *image;

    oracle_remove_files(oracle);
    if (base == OVERLAY) {
        g_autofree char *backing = oracle_path(oracle, "backing.raw");

        oracle_create(oracle, backing,
                      &(struct image_create_options){.format = "raw", .size = SIZE});
        options.backing = "backing.raw";
        options.backing_format = "raw";
    }
    if (base == EXTERNAL)
        options.data_file = "data";
    oracle_create(oracle, path, &options);
    image = oracle_open(oracle, path, &writable);
    if (image_write(image, memset(g_newa(char, 512), 1, 512), 0, 512) != 0)
        oracle_fail(oracle, "cannot write");
    if (base == SNAPSHOT && !image_snapshot_create(image, &description, NULL))
        oracle_fail(oracle, "no snapshot");
    image_close(image);
    return path;
}

static void write_at(struct oracle *oracle, const char *path, uint64_t offset, const void *data,
                     size_t size)
{
    FILE *file = fopen(path, "r+");

    if (file == NULL || fseeko(file, offset, SEEK_SET) != 0 ||
        fwrite(data, 1, size, file) != size || fclose(file) != 0)
        oracle_fail(oracle, "cannot patch %s", path);
}

static void expect(struct oracle *oracle, const char *what, const char *path,
                   const struct image_options *options, const char *reason)
{
    g_autoptr(GError) error = NULL;
    gint64 start = g_get_monotonic_time();
    struct image *image = image_open(path, options, oracle->io, &error);
    char sector[512];

    if (reason == NULL && image == NULL)
        oracle_fail(oracle, "%s: not opened: %s", what, error->message);
    if (reason == NULL && image_read(image, sector, 0, 512) == 0)
        oracle_fail(oracle, "%s: read without error", what);
    if (reason != NULL && image != NULL)
        oracle_fail(oracle, "%s: opened", what);
    if (reason != NULL &&
        (strstr(error->message, reason) == NULL || strstr(error->message, "image.qcow2") == NULL))
        oracle_fail(oracle, "%s: \"%s\" is not in: %s", what, reason, error->message);
    image_close(image);
    if (g_get_monotonic_time() - start > MAX_SECONDS * G_USEC_PER_SEC)
        oracle_fail(oracle, "%s: it took too long", what);
    printf("ok %s\n", what);
}

static void patched(struct oracle *oracle)
{
    const struct image_options writable = {.format = "qcow2"};

    for (size_t i = 0; i < G_N_ELEMENTS(patches); i++) {
        const struct patch *patch = &patches[i];
        g_autofree char *path = make(oracle, patch->base);
        uint8_t raw[8];

        put_be64(raw, patch->value << (8 - patch->width) * 8);
        write_at(oracle, path, patch->offset, raw, patch->width);
        expect(oracle, patch->name, path, &writable, patch->reason);
    }
}

static uint64_t read_at(struct oracle *oracle, const char *path, uint64_t offset)
{
    FILE *file = fopen(path, "r");
    uint8_t raw[8];

    if (file == NULL || fseeko(file, offset, SEEK_SET) != 0 || fread(raw, 1, 8, file) != 8)
        oracle_fail(oracle, "cannot read %s", path);
    fclose(file);
    return get_be64(raw);
}

/* The place of what an image can least do without. */
static uint64_t place_of(struct oracle *oracle, const char *path, const char *what)
{
    static const struct {
        const char *what;
        uint64_t at;
    } fields[] = {
        {"L1 table", AT_L1},
        {"refcount table", AT_REFTABLE},
        {"table of snapshots", AT_SNAPSHOTS_OFFSET},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        if (strcmp(what, fields[i].what) == 0)
            return read_at(oracle, path, fields[i].at);
    if (strcmp(what, "L2 table") == 0)
        return read_at(oracle, path, read_at(oracle, path, AT_L1)) & ~(1ULL << 63);
    if (strcmp(what, "refcount block") == 0)
        return read_at(oracle, path, read_at(oracle, path, AT_REFTABLE));
    if (strcmp(what, "L1 table of a snapshot") == 0)
        return read_at(oracle, path, read_at(oracle, path, AT_SNAPSHOTS_OFFSET));
    return 0;
}

/* A table is counted as free. Whatever needs a new cluster then must not take that. */
static void counted_as_free(struct oracle *oracle)
{
    static const char *const tables[] = {
        "header",
        "L1 table",
        "L2 table",
        "refcount table",
        "refcount block",
        "table of snapshots",
        "L1 table of a snapshot",
    };
    const struct image_options writable = {.format = "qcow2"},
                               readable = {.format = "qcow2", .read_only = true};
    g_autofree char *wanted = g_malloc(SIZE), *found = g_malloc(SIZE);

    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
        g_autofree char *path = make(oracle, SNAPSHOT);
        uint64_t block = place_of(oracle, path, "refcount block");
        uint64_t cluster = place_of(oracle, path, tables[i]) / 0x10000;
        struct image *image = oracle_open(oracle, path, &readable);
        int error = 0;

        if (image_read(image, wanted, 0, SIZE) != 0)
            oracle_fail(oracle, "cannot read the image");
        image_close(image);
        write_at(oracle, path, block + cluster * 2, "\0", 2);
        image = oracle_open(oracle, path, &writable);
        for (uint64_t at = 0x10000; at < SIZE && error == 0; at += 0x10000)
            error = image_write(image, wanted, at, 512);
        if (error != EIO)
            oracle_fail(oracle, "the %s was given away: %s", tables[i], g_strerror(error));
        image_close(image);
        image = oracle_open(oracle, path, &readable);
        if (image_read(image, found, 0, SIZE) != 0 || memcmp(wanted, found, 512) != 0)
            oracle_fail(oracle, "the image is lost with its %s", tables[i]);
        image_close(image);
        printf("ok %s counted as free\n", tables[i]);
    }
}

/* The check comes to its end, whatever it finds. */
static void expect_checked(struct oracle *oracle, const char *what, const char *path)
{
    const struct image_options as_it_is = {.format = "qcow2", .read_only = true, .as_it_is = true};
    gint64 start = g_get_monotonic_time();
    struct image *image = oracle_open(oracle, path, &as_it_is);
    struct image_check_result result;

    if (!image_check(image, 0, &result, NULL, NULL))
        oracle_fail(oracle, "%s: not checked", what);
    image_check_result_clear(&result);
    image_close(image);
    if (g_get_monotonic_time() - start > MAX_SECONDS * G_USEC_PER_SEC)
        oracle_fail(oracle, "%s: the check took too long", what);
    printf("ok %s\n", what);
}

/* An empty file of many clusters; and large tables of snapshots, each a cluster further than the
 * one before. */
static void long_checks(struct oracle *oracle)
{
    enum { SNAPSHOTS = 3000, ENTRY = 64, TABLE = 1 << 20, TABLES = 2 << 20, L1_BYTES = 32 << 20 };
    const struct image_create_options options = {.format = "qcow2",
                                                 .size = SIZE,
                                                 .cluster_size = 512};
    g_autofree char *path = oracle_path(oracle, "image.qcow2");
    g_autofree uint8_t *table = g_malloc0(SNAPSHOTS * ENTRY);
    uint8_t raw[12];

    oracle_remove_files(oracle);
    oracle_create(oracle, path, &options);
    /* Not every file system has files as long as that. */
    if (truncate(path, 8LL << 40) == 0)
        expect_checked(oracle, "a sparse file", path);
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        uint8_t *entry = table + i * ENTRY;

        put_be64(entry, TABLES + i * 512);
        put_be32(entry + 8, L1_BYTES / 8);
        put_be16(entry + 14, 8);
        put_be32(entry + 36, 16);
        put_be64(entry + 48, SIZE);
        memset(entry + 56, 'n', 8);
    }
    put_be32(raw, SNAPSHOTS);
    put_be64(raw + 4, TABLE);
    write_at(oracle, path, AT_SNAPSHOTS, raw, sizeof(raw));
    write_at(oracle, path, TABLE, table, SNAPSHOTS * ENTRY);
    if (truncate(path, TABLES + SNAPSHOTS * 512 + L1_BYTES) != 0)
        oracle_fail(oracle, "cannot truncate");
    expect_checked(oracle, "tables of snapshots over each other", path);
}

/* An overlay that names something else; the name is put in by an unsafe rebase of its bytes. */
static void names(struct oracle *oracle)
{
    static const struct {
        const char *name, *reason;
    } backings[] = {
        {"json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}", "description in JSON"},
        {"{\"driver\":\"nbd\"}", "description in JSON"},
        {"nbd:localhost:10809", "is a protocol"},
        {"nbd+unix:///x?socket=/tmp/s", "is a protocol"},
        {"https://example.org/x", "is a protocol"},
        {"fat:rw:/tmp", "is a protocol"},
        {"/dev/zero", "not a regular file"},
        {"/dev/null", "not a regular file"},
        {".", "not a regular file"},
        {"image.qcow2", "lies on that image itself"},
        {"missing", "needs its backing file"},
    };
    const struct image_options writable = {.format = "qcow2"};

    for (size_t i = 0; i < G_N_ELEMENTS(backings); i++) {
        g_autofree char *path = make(oracle, OVERLAY);
        uint8_t raw[12];

        put_be64(raw, 0x8000);
        put_be32(raw + 8, strlen(backings[i].name));
        write_at(oracle, path, AT_BACKING, raw, sizeof(raw));
        write_at(oracle, path, 0x8000, backings[i].name, strlen(backings[i].name));
        expect(oracle, backings[i].name, path, &writable, backings[i].reason);
    }
}

static void no_format(struct oracle *oracle)
{
    const struct image_options writable = {.format = "qcow2"};
    g_autofree char *path = make(oracle, OVERLAY);

    /* The first extension is the backing file's format: now it is one that nobody knows. */
    write_at(oracle, path, AT_EXTENSION, "\x12\x34\x56\x78", 4);
    expect(oracle, "no stored format", path, &writable, "does not say which format");
}

static void loop_of_two(struct oracle *oracle)
{
    const struct image_options writable = {.format = "qcow2"};
    g_autofree char *path = oracle_path(oracle, "image.qcow2");

    oracle_remove_files(oracle);
    oracle_run(oracle,
               "qemu-img create -q -f qcow2 other.qcow2 1M && qemu-img create -q -f qcow2 -b "
               "other.qcow2 -F qcow2 image.qcow2 && qemu-img rebase -u -f qcow2 -b "
               "image.qcow2 -F qcow2 other.qcow2");
    expect(oracle, "a loop of two", path, &writable, "lies on that image itself");
}

static void data_file_elsewhere(struct oracle *oracle)
{
    const struct image_options writable = {.format = "qcow2"};
    const struct image_options anywhere = {.format = "qcow2", .data_file_anywhere = true};
    g_autofree char *path = make(oracle, EXTERNAL), *data = oracle_path(oracle, "data");
    g_autofree char *target = oracle_path(oracle, "target");

    /* "data" becomes a link to what is not the image's. */
    if (rename(data, target) != 0 || symlink("target", data) != 0)
        oracle_fail(oracle, "cannot link");
    expect(oracle, "a linked data file", path, &writable, "not a regular file");
    image_close(oracle_open(oracle, path, &anywhere));
    oracle_run(oracle, "rm -f data image.qcow2 && qemu-img create -q -f qcow2 -o "
                       "data_file=$PWD/target2 image.qcow2 1M");
    expect(oracle, "an absolute data file", path, &writable, "not in its own folder");
    image_close(oracle_open(oracle, path, &anywhere));
}

static void deep_chain(struct oracle *oracle)
{
    const struct image_options read_only = {.format = "qcow2", .read_only = true};
    g_autofree char *path = oracle_path(oracle, "image.qcow2");
    char sector[512];
    struct image *image;

    oracle_remove_files(oracle);
    for (unsigned i = 0; i < IMAGE_MAX_DEPTH + 2; i++) {
        g_autofree char *name = g_strdup_printf("image.qcow2-%u", i);
        g_autofree char *at = oracle_path(oracle, name);
        g_autofree char *below = g_strdup_printf("image.qcow2-%u", i - 1);
        struct image_create_options options = {.format = "qcow2",
                                               .size = SIZE,
                                               .cluster_size = 512};
        g_autoptr(GError) error = NULL;

        if (i > 0) {
            options.backing = below;
            options.backing_format = "qcow2";
        }
        if (image_create(at, &options, NULL, &error)) {
            image = oracle_open(oracle, at, &read_only);
            if (image_read(image, sector, 0, 512) != 0)
                oracle_fail(oracle, "cannot read through %u images", i);
            image_close(image);
            continue;
        }
        if (i < IMAGE_MAX_DEPTH - 2 || strstr(error->message, "of a chain") == NULL)
            oracle_fail(oracle, "at %u: %s", i, error->message);
        printf("ok a chain of %u is too deep\n", i);
        return;
    }
    oracle_fail(oracle, "a chain has no end at %s", path);
}

int main(void)
{
    struct oracle oracle;

    oracle_init(&oracle);
    patched(&oracle);
    counted_as_free(&oracle);
    long_checks(&oracle);
    names(&oracle);
    no_format(&oracle);
    if (oracle_has_qemu_img()) {
        loop_of_two(&oracle);
        data_file_elsewhere(&oracle);
    }
    deep_chain(&oracle);
    oracle_finish(&oracle);
    return 0;
}
