/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images that qemu-img makes, with every option: they read equal here, pass our check, and pass
 * qemu-img's after we have written to them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "tests/disks/oracle.h"

#define SIZE (6 * 1024 * 1024 + 512)

static const char *const options[] = {
    "compat=0.10",
    "compat=1.1",
    "compat=0.10,cluster_size=512",
    "cluster_size=512",
    "cluster_size=1024,refcount_bits=1",
    "cluster_size=2048,refcount_bits=2",
    "cluster_size=4096,refcount_bits=4",
    "cluster_size=8192,refcount_bits=8",
    "cluster_size=32k,refcount_bits=32",
    "cluster_size=128k,refcount_bits=64",
    "cluster_size=1M",
    "cluster_size=2M",
    "lazy_refcounts=on",
    "preallocation=metadata",
    "preallocation=falloc",
    "preallocation=full,cluster_size=4096",
    "extended_l2=on",
    "extended_l2=on,cluster_size=16k",
    "extended_l2=on,cluster_size=2M,preallocation=metadata",
    "compression_type=zstd",
    "data_file=external",
    "data_file=external,data_file_raw=on",
    "data_file=external,extended_l2=on",
};

/* What qemu-io does to each image besides. */
static const char writes[] =
    "-c 'write -P 17 0 3k' -c 'write -P 34 100k 200k' -c 'write -P 51 2M 1M' -c 'write -z 2500k "
    "64k' -c 'write -P 68 6291456 512' -c 'discard 2M 128k' -c 'write -z -u 3M 100k' -c 'write -P "
    "85 5000k 1k'";

static uint8_t *read_model(struct oracle *oracle, const char *from, uint64_t *ret_size)
{
    g_autofree char *raw = oracle_path(oracle, "converted.raw");
    char *data;
    gsize size;

    oracle_run(oracle, "qemu-img convert -f qcow2 -O raw %s converted.raw", from);
    if (!g_file_get_contents(raw, &data, &size, NULL))
        oracle_fail(oracle, "cannot read %s", raw);
    unlink(raw);
    *ret_size = size;
    return (uint8_t *)data;
}

/* Reads as qemu-img does, also after we have written. */
static void compare_both(struct oracle *oracle, const char *name)
{
    const struct image_options read_only = {.format = "qcow2", .read_only = true};
    const struct image_options writable = {.format = "qcow2"};
    g_autofree char *path = oracle_path(oracle, name);
    uint64_t size;
    g_autofree uint8_t *data = read_model(oracle, name, &size);
    struct image *image = oracle_open(oracle, path, &read_only);

    oracle_compare(oracle, image, data, size);
    image_close(image);
    oracle_check(oracle, path, "qcow2");
    image = oracle_open(oracle, path, &writable);
    for (unsigned i = 0; i < 40; i++) {
        uint64_t offset = oracle_random(oracle, size / 512) * 512ULL, length;

        length = (1 + oracle_random(oracle, 100)) * 512;
        length = MIN(length, size - offset);
        memset(data + offset, oracle_random(oracle, 256), length);
        if (image_write(image, data + offset, offset, length) != 0)
            oracle_fail(oracle, "cannot write to %s", path);
    }
    oracle_compare(oracle, image, data, size);
    image_close(image);
    oracle_check(oracle, path, "qcow2");
    oracle_qemu_check(oracle, path);
    oracle_qemu_compare(oracle, path, data, size);
}

static void made_with_every_option(struct oracle *oracle)
{
    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        bool external = strstr(options[i], "data_file") != NULL;
        bool few_references = strstr(options[i], "refcount_bits=1") != NULL;

        printf("qemu-img create -o %s\n", options[i]);
        fflush(stdout);
        oracle_run(oracle, "qemu-img create -q -f qcow2 -o %s made.qcow2 %d", options[i], SIZE);
        oracle_run(oracle, "qemu-io -f qcow2 %s made.qcow2", writes);
        if (!external && !few_references)
            oracle_run(oracle,
                       "qemu-img snapshot -c one made.qcow2 && qemu-io -c 'write -P 99 100k 1M' "
                       "made.qcow2 && qemu-img snapshot -c two made.qcow2 && qemu-io -c 'write -P "
                       "3 2M 30k' made.qcow2");
        compare_both(oracle, "made.qcow2");
        if (!external) {
            oracle_run(oracle,
                       "qemu-img convert -c -f qcow2 -O qcow2 -o %s made.qcow2 packed.qcow2 "
                       "|| qemu-img convert -f qcow2 -O qcow2 made.qcow2 packed.qcow2",
                       strstr(options[i], "preallocation") != NULL ? "compat=1.1" : options[i]);
            compare_both(oracle, "packed.qcow2");
        }
        oracle_run(oracle, "qemu-img create -q -f qcow2 -b made.qcow2 -F qcow2 above.qcow2 7M && "
                           "qemu-io -c 'write -P 7 300k 5k' -c 'write -z 5000k 3k' above.qcow2");
        compare_both(oracle, "above.qcow2");
        oracle_remove_files(oracle);
    }
}

static void snapshots_are_listed(struct oracle *oracle)
{
    const struct image_options read_only = {.format = "qcow2", .read_only = true};
    g_autofree char *path = oracle_path(oracle, "made.qcow2");
    struct image *image;
    GPtrArray *list;

    oracle_run(oracle, "qemu-img create -q -f qcow2 made.qcow2 1M && qemu-img snapshot -c first "
                       "made.qcow2 && qemu-img snapshot -c 'the second' made.qcow2");
    image = oracle_open(oracle, path, &read_only);
    list = image_snapshots(image, NULL);
    if (list->len != 2 || strcmp(((struct image_snapshot *)list->pdata[0])->name, "first") != 0 ||
        strcmp(((struct image_snapshot *)list->pdata[1])->name, "the second") != 0 ||
        ((struct image_snapshot *)list->pdata[1])->virtual_size != 1024 * 1024)
        oracle_fail(oracle, "the snapshots are not those of qemu-img");
    g_ptr_array_unref(list);
    image_close(image);
    oracle_remove_files(oracle);
}

/* Bitmaps are not kept up, so that they are marked as out of date with the first write. */
static void bitmaps_are_left_alone(struct oracle *oracle)
{
    const struct image_options writable = {.format = "qcow2"};
    g_autofree char *path = oracle_path(oracle, "made.qcow2");
    struct image *image;
    char data[512] = "x";

    oracle_run(oracle, "qemu-img create -q -f qcow2 made.qcow2 64M && qemu-img bitmap --add "
                       "made.qcow2 b0 && qemu-io -c 'write 0 5M' made.qcow2");
    oracle_check(oracle, path, "qcow2");
    image = oracle_open(oracle, path, &writable);
    image_close(image);
    oracle_run(oracle, "qemu-img info made.qcow2 | grep -q 'name: b0'");
    image = oracle_open(oracle, path, &writable);
    if (image_write(image, data, 0, 512) != 0)
        oracle_fail(oracle, "cannot write to an image with bitmaps");
    image_close(image);
    oracle_run(oracle, "! qemu-img info made.qcow2 | grep -q 'name: b0'");
    oracle_run(oracle, "qemu-img check -q -r leaks made.qcow2");
    oracle_check(oracle, path, "qcow2");
    oracle_remove_files(oracle);
}

/* The chain's content stays the same, whatever it comes to lie on. */
static void chains_change(struct oracle *oracle)
{
    const struct image_options writable = {.format = "qcow2"};
    g_autofree char *path = oracle_path(oracle, "top.qcow2");
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *data = NULL;
    struct image *image;
    uint64_t size;

    oracle_run(
        oracle,
        "qemu-img create -q -f qcow2 a.qcow2 4M && qemu-io -c 'write -P 1 0 1M' a.qcow2 && "
        "qemu-img create -q -f qcow2 -b a.qcow2 -F qcow2 b.qcow2 5M && qemu-io -c 'write -P "
        "2 512k 1M' -c 'write -z 100k 30k' b.qcow2 && qemu-img create -q -f qcow2 -b b.qcow2 "
        "-F qcow2 -o extended_l2=on top.qcow2 6M && qemu-io -c 'write -P 3 4M 70k' top.qcow2");
    data = read_model(oracle, "top.qcow2", &size);
    image = oracle_open(oracle, path, &writable);
    oracle_compare(oracle, image, data, size);
    if (!image_rebase(image, "a.qcow2", "qcow2", true, NULL, &error))
        oracle_fail(oracle, "rebasing: %s", error->message);
    oracle_compare(oracle, image, data, size);
    image_close(image);
    oracle_qemu_check(oracle, path);
    oracle_qemu_compare(oracle, path, data, size);
    oracle_run(oracle, "qemu-img info top.qcow2 | grep -q 'backing file: a.qcow2'");
    image = oracle_open(oracle, path, &writable);
    if (!image_commit(image, NULL, &error))
        oracle_fail(oracle, "committing: %s", error->message);
    oracle_compare(oracle, image, data, size);
    image_close(image);
    oracle_run(oracle, "qemu-img check -q a.qcow2");
    oracle_qemu_compare(oracle, path, data, size);
    image = oracle_open(oracle, path, &writable);
    if (!image_flatten(image, NULL, &error))
        oracle_fail(oracle, "flattening: %s", error->message);
    oracle_compare(oracle, image, data, size);
    image_close(image);
    oracle_run(oracle, "rm a.qcow2 b.qcow2");
    oracle_qemu_check(oracle, path);
    oracle_qemu_compare(oracle, path, data, size);
    oracle_remove_files(oracle);
}

/* Clones with snapshots that qemu-io has written to between them, of parts of clusters too. Each
 * reads the same without the base. */
static void clones_are_flattened(struct oracle *oracle)
{
    const struct image_options writable = {.format = "qcow2"};
    g_autofree char *path = oracle_path(oracle, "clone.qcow2");

    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        g_autoptr(GError) error = NULL;
        struct image *image;

        if (strstr(options[i], "data_file") != NULL ||
            strstr(options[i], "preallocation") != NULL ||
            strstr(options[i], "refcount_bits=1") != NULL)
            continue;
        oracle_run(
            oracle,
            "qemu-img create -q -f qcow2 base.qcow2 5M && qemu-io -c 'write -P 1 0 5M' -c 'write "
            "-z 1M 300k' base.qcow2 && qemu-img create -q -f qcow2 -o %s -b base.qcow2 -F qcow2 "
            "clone.qcow2 6M && qemu-img snapshot -c none clone.qcow2 && qemu-io -c 'write -P 3 "
            "100k 9k' -c 'write -b -P 9 0 128k' clone.qcow2 && qemu-img snapshot -c one "
            "clone.qcow2 && qemu-io -c 'write -z 102k 4k' -c 'discard 2M 128k' -c 'write -P 4 3M "
            "1k' clone.qcow2 && qemu-img snapshot -c two clone.qcow2 && qemu-io -c 'write -P 5 "
            "108k 1k' -c 'write -z 3M 512' clone.qcow2",
            options[i]);
        oracle_run(oracle, "for s in none one two; do qemu-img convert -l snapshot.name=$s -O raw "
                           "clone.qcow2 $s.raw || exit 1; done; qemu-img convert -O raw "
                           "clone.qcow2 now.raw");
        image = oracle_open(oracle, path, &writable);
        if (!image_flatten(image, NULL, &error))
            oracle_fail(oracle, "flattening: %s", error->message);
        image_close(image);
        oracle_check(oracle, path, "qcow2");
        oracle_run(oracle, "rm base.qcow2 && qemu-img check -q clone.qcow2 && qemu-img convert -O "
                           "raw clone.qcow2 seen.raw && cmp seen.raw now.raw && for s in none one "
                           "two; do qemu-img convert -l snapshot.name=$s -O raw clone.qcow2 "
                           "seen.raw && cmp seen.raw $s.raw || exit 1; done");
        oracle_remove_files(oracle);
        printf("ok a clone with %s is flattened\n", options[i]);
    }
}

static void write_at(struct oracle *oracle, const char *path, uint64_t offset, uint8_t byte,
                     size_t size)
{
    FILE *file = fopen(path, "r+");

    if (file == NULL || fseeko(file, offset, SEEK_SET) != 0)
        oracle_fail(oracle, "cannot patch %s", path);
    for (size_t i = 0; i < size; i++)
        fputc(byte, file);
    if (fclose(file) != 0)
        oracle_fail(oracle, "cannot patch %s", path);
}

static void repair(struct oracle *oracle, const char *path, bool leaks, bool corruptions)
{
    const struct image_options as_it_is = {.format = "qcow2", .as_it_is = true};
    struct image *image = oracle_open(oracle, path, &as_it_is);
    struct image_check_result found, left;
    g_autoptr(GError) error = NULL;

    if (!image_check(image, 0, &found, NULL, &error) ||
        !image_check(image, IMAGE_REPAIR_LEAKS | IMAGE_REPAIR_ERRORS, &left, NULL, &error))
        oracle_fail(oracle, "checking: %s", error->message);
    if ((found.leaks > 0) != leaks || (found.corruptions > 0) != corruptions || found.errors > 0)
        oracle_fail(oracle, "%" G_GUINT64_FORMAT " leaks, %" G_GUINT64_FORMAT " corruptions",
                    found.leaks, found.corruptions);
    if (left.leaks + left.corruptions > 0 || left.leaks_fixed + left.corruptions_fixed == 0)
        oracle_fail(oracle, "it was not repaired");
    image_check_result_clear(&found);
    image_check_result_clear(&left);
    image_close(image);
    oracle_check(oracle, path, "qcow2");
    oracle_qemu_check(oracle, path);
}

/* Damage of each kind; qemu-img agrees that it is gone. */
static void damage_is_repaired(struct oracle *oracle)
{
    static const struct {
        uint64_t offset;
        uint8_t byte;
        size_t size;
        bool leaks, corruptions, loses;
    } damages[] = {
        {0x20000 + 200, 0, 64, false, false, false}, /* what is free already: no damage */
        {0x20000 + 8, 0, 16, false, true, false},    /* refcounts in use */
        {0x20000 + 20, 1, 400, true, false, false},  /* leaks, and counted too often */
        {0x10000, 0, 8, false, true, false},         /* the refcount block is not found */
        {0x10000, 0xff, 8, false, true, false},      /* it is nowhere */
        {0x10000 + 8, 0x77, 8, false, true, false},  /* a second block is nowhere */
        {0x40000 + 8, 0xc3, 5, true, true, true},    /* an L2 entry is nowhere */
        {0x30000, 0x80, 1, false, false, false},     /* the flag as it was */
        {0x30000, 0, 1, true, false, false},         /* the flag of an L2 table is missing */
    };
    g_autofree char *path = oracle_path(oracle, "made.qcow2");

    for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
        g_autofree uint8_t *data = NULL;
        uint64_t size;

        oracle_run(oracle, "qemu-img create -q -f qcow2 made.qcow2 4M && qemu-io -c 'write -P 5 0 "
                           "1M' made.qcow2");
        data = read_model(oracle, "made.qcow2", &size);
        write_at(oracle, path, damages[i].offset, damages[i].byte, damages[i].size);
        if (damages[i].leaks || damages[i].corruptions)
            repair(oracle, path, damages[i].leaks, damages[i].corruptions);
        if (!damages[i].loses)
            oracle_qemu_compare(oracle, path, data, size);
        oracle_remove_files(oracle);
        printf("ok damage %zu is repaired\n", i);
    }
}

int main(void)
{
    struct oracle oracle;

    if (!oracle_has_qemu_img()) {
        printf("qemu-img is missing\n");
        return 77;
    }
    oracle_init(&oracle);
    made_with_every_option(&oracle);
    snapshots_are_listed(&oracle);
    bitmaps_are_left_alone(&oracle);
    chains_change(&oracle);
    clones_are_flattened(&oracle);
    damage_is_repaired(&oracle);
    oracle_finish(&oracle);
    return 0;
}
