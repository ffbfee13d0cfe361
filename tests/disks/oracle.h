/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images in a folder of their own, what they must read as, and qemu-img's opinion of them. */
#ifndef TESTS_DISKS_ORACLE_H
#define TESTS_DISKS_ORACLE_H

#include <glib.h>
#include <stdbool.h>

#include "disks/image.h"
#include "disks/io_context.h"

struct oracle {
    char *folder;
    struct io_context *io;
    GRand *rand;
    uint32_t seed;
};

/* ORACLE_SEED (seed.h), which is printed. */
void oracle_init(struct oracle *oracle);
void oracle_finish(struct oracle *oracle);
char *oracle_path(struct oracle *oracle, const char *name);
void oracle_remove_files(struct oracle *oracle);
bool oracle_has_qemu_img(void);
uint32_t oracle_random(struct oracle *oracle, uint32_t below);

/* Each ends the test with the seed and the reason if it fails. */
void oracle_fail(struct oracle *oracle, const char *reason, ...) G_GNUC_PRINTF(2, 3);
struct image *oracle_open(struct oracle *oracle, const char *path,
                          const struct image_options *options);
void oracle_create(struct oracle *oracle, const char *path,
                   const struct image_create_options *options);
/* Runs a command line of the shell; its output goes into the failure. */
void oracle_run(struct oracle *oracle, const char *command, ...) G_GNUC_PRINTF(2, 3);
/* "qemu-img check" is content; the image is closed. */
void oracle_qemu_check(struct oracle *oracle, const char *path);
/* So is our own check. */
void oracle_check(struct oracle *oracle, const char *path, const char *format);
/* qemu-img reads the image as these bytes. */
void oracle_qemu_compare(struct oracle *oracle, const char *path, const uint8_t *data,
                         uint64_t size);
/* So do we. */
void oracle_compare(struct oracle *oracle, struct image *image, const uint8_t *data, uint64_t size);

#endif
