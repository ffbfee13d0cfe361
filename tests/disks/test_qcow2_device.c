/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2 images on a block device, whose end they cannot move, and which is full of something
 * before: a loop device, where there are some and this user may have one. It is filled until
 * nothing goes any more, which requests are told, and the image stays good: qemu-img says so too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "tests/disks/oracle.h"

#define SECTOR IMAGE_SECTOR_SIZE
#define MIB ((uint64_t)1 << 20)
#define DEVICE_SIZE (16 * MIB)
#define SIZE (24 * MIB) /* of the disk: more than there is room for */
#define USED (6 * MIB)  /* of it, before it is filled */
#define STEP (64 * 1024)
#define WRITES 60
#define MAX_WRITE (128 * 1024)

static const struct {
    const char *options; /* qemu-img's */
    enum image_cache cache;
} kinds[] = {
    {"cluster_size=64k", IMAGE_CACHE_WRITE_BACK},
    {"cluster_size=512", IMAGE_CACHE_WRITE_BACK},
    {"cluster_size=4k,lazy_refcounts=on", IMAGE_CACHE_DIRECT},
    {"extended_l2=on", IMAGE_CACHE_WRITE_THROUGH},
    {"compat=0.10,cluster_size=16k", IMAGE_CACHE_WRITE_BACK},
};

struct trial {
    struct oracle *oracle;
    char *device;
    struct image_options options;
    struct image *image;
    uint8_t *model;
};

/* The loop device is gone with the last who has it open. NULL: there is none to be had. */
static char *attach(struct oracle *oracle, int *ret_fd)
{
    g_autofree char *path = oracle_path(oracle, "device"), *output = NULL;
    g_autofree char *fill = g_malloc(DEVICE_SIZE);
    const char *command[] = {"losetup", "-f", "--show", path, NULL};

    memset(fill, 0xee, DEVICE_SIZE);
    if (!g_file_set_contents(path, fill, DEVICE_SIZE, NULL))
        oracle_fail(oracle, "cannot write %s", path);
    if (!g_spawn_sync(NULL, (char **)command, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &output, NULL,
                      NULL, NULL) ||
        !g_str_has_prefix(output, "/dev/"))
        return NULL;
    g_strstrip(output);
    *ret_fd = open(output, O_RDONLY | O_CLOEXEC);
    if (*ret_fd < 0)
        oracle_fail(oracle, "cannot open %s", output);
    oracle_run(oracle, "losetup -d %s", output);
    return g_steal_pointer(&output);
}

static void open_image(struct trial *trial)
{
    trial->image = oracle_open(trial->oracle, trial->device, &trial->options);
}

/* It is good, and reads as it must: for us, and for qemu-img. */
static void close_and_check(struct trial *trial)
{
    oracle_compare(trial->oracle, trial->image, trial->model, SIZE);
    image_close(trial->image);
    oracle_check(trial->oracle, trial->device, "qcow2");
    oracle_qemu_check(trial->oracle, trial->device);
    oracle_qemu_compare(trial->oracle, trial->device, trial->model, SIZE);
}

static void must(struct trial *trial, bool done, GError **error, const char *what)
{
    if (!done)
        oracle_fail(trial->oracle, "%s: %s", what, *error != NULL ? (*error)->message : "failed");
}

static void write_range(struct trial *trial, uint64_t offset, uint64_t length, uint8_t with)
{
    int error;

    memset(trial->model + offset, with, length);
    error = image_write(trial->image, trial->model + offset, offset, length);
    if (error != 0)
        oracle_fail(trial->oracle, "writing at %" G_GUINT64_FORMAT ": %s", offset,
                    g_strerror(error));
}

static void write_some(struct trial *trial)
{
    for (unsigned i = 0; i < WRITES; i++) {
        uint64_t offset = oracle_random(trial->oracle, USED / SECTOR) * (uint64_t)SECTOR;
        uint64_t length = (1 + oracle_random(trial->oracle, MAX_WRITE / SECTOR)) * (uint64_t)SECTOR;

        write_range(trial, offset, MIN(length, USED - offset),
                    1 + oracle_random(trial->oracle, 200));
    }
}

/* A write that failed may have come to any of its sectors. */
static void learn(struct trial *trial, uint64_t offset, const uint8_t *data)
{
    g_autofree uint8_t *seen = g_malloc(STEP);

    if (image_read(trial->image, seen, offset, STEP) != 0)
        oracle_fail(trial->oracle, "what could not be written cannot be read either");
    for (uint64_t at = 0; at < STEP; at += SECTOR)
        if (memcmp(seen + at, data + at, SECTOR) != 0 &&
            memcmp(seen + at, trial->model + offset + at, SECTOR) != 0)
            oracle_fail(trial->oracle, "at %" G_GUINT64_FORMAT " is what nobody wrote",
                        offset + at);
    memcpy(trial->model + offset, seen, STEP);
}

/* Until the device is full; returns where that was. */
static uint64_t fill(struct trial *trial)
{
    g_autofree uint8_t *data = g_malloc(STEP);

    memset(data, 0xfa, STEP);
    for (uint64_t at = USED; at < SIZE; at += STEP) {
        int error = image_write(trial->image, data, at, STEP);

        if (error == 0) {
            memcpy(trial->model + at, data, STEP);
            continue;
        }
        if (error != ENOSPC)
            oracle_fail(trial->oracle, "a full device gives: %s", g_strerror(error));
        learn(trial, at, data);
        return at;
    }
    oracle_fail(trial->oracle, "the device takes more than it has");
    return 0;
}

static void check_snapshot(struct trial *trial, const uint8_t *data)
{
    g_autofree char *raw = oracle_path(trial->oracle, "snapshot.raw");

    if (!g_file_set_contents(raw, (const char *)data, SIZE, NULL))
        oracle_fail(trial->oracle, "cannot write %s", raw);
    oracle_run(trial->oracle,
               "qemu-img convert -f qcow2 -l snapshot.name=early -O raw '%s' seen.raw && "
               "cmp seen.raw snapshot.raw && rm seen.raw snapshot.raw",
               trial->device);
}

/* What is in its place can be written to, what needs one cannot. */
static void use_when_full(struct trial *trial, uint64_t full_at)
{
    const struct image_snapshot description = {.name = (char *)"late"};
    g_autofree uint8_t *data = g_malloc(STEP);

    memset(data, 0xfb, STEP);
    if (image_write(trial->image, data, SIZE - STEP, STEP) != ENOSPC)
        oracle_fail(trial->oracle, "the device was full, and takes more");
    learn(trial, SIZE - STEP, data);
    write_range(trial, full_at - STEP, STEP, 0xfc);
    image_snapshot_create(trial->image, &description, NULL);
    image_snapshot_delete(trial->image, "late", NULL);
    if (image_flush(trial->image) != 0)
        oracle_fail(trial->oracle, "what was written cannot be flushed");
}

static void try_kind(struct oracle *oracle, const char *device, unsigned kind)
{
    const struct image_snapshot description = {.name = (char *)"early"};
    struct trial trial = {.oracle = oracle,
                          .device = (char *)device,
                          .options = {.format = "qcow2", .cache = kinds[kind].cache},
                          .model = g_malloc0(SIZE)};
    g_autofree uint8_t *early = NULL;
    g_autoptr(GError) error = NULL;
    uint64_t full_at;

    oracle_run(oracle, "qemu-img create -q -f qcow2 -o %s '%s' %" G_GUINT64_FORMAT,
               kinds[kind].options, device, SIZE);
    open_image(&trial);
    close_and_check(&trial);
    open_image(&trial);
    write_some(&trial);
    must(&trial, image_snapshot_create(trial.image, &description, &error), &error, "a snapshot");
    early = g_memdup2(trial.model, SIZE);
    write_some(&trial);
    close_and_check(&trial);
    check_snapshot(&trial, early);

    open_image(&trial);
    full_at = fill(&trial);
    use_when_full(&trial, full_at);
    close_and_check(&trial);
    check_snapshot(&trial, early);

    /* What the snapshot had can be had again. */
    open_image(&trial);
    must(&trial, image_snapshot_delete(trial.image, "early", &error), &error, "deleting it");
    write_range(&trial, full_at, STEP, 0xfd);
    close_and_check(&trial);
    printf("kind %u: full with %" G_GUINT64_FORMAT " KiB\n", kind, full_at / 1024);
    g_free(trial.model);
}

int main(void)
{
    struct oracle oracle;
    g_autofree char *device = NULL;
    int fd;

    if (!oracle_has_qemu_img()) {
        printf("qemu-img is missing\n");
        return 77;
    }
    oracle_init(&oracle);
    device = attach(&oracle, &fd);
    if (device == NULL) {
        printf("there is no loop device to be had: they are root's\n");
        oracle_finish(&oracle);
        return 77;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
        try_kind(&oracle, device, i);
    close(fd);
    oracle_finish(&oracle);
    return 0;
}
