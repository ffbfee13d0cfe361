/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/disks/oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/seed.h"

#define IO_THREADS 4
#define READ_BYTES (1024 * 1024)

void oracle_init(struct oracle *oracle)
{
    oracle->seed = test_seed("ORACLE_SEED");
    oracle->rand = g_rand_new_with_seed(oracle->seed);
    oracle->folder = g_dir_make_tmp("vmdesk-oracle-XXXXXX", NULL);
    oracle->io = io_context_new(IO_THREADS);
    if (oracle->folder == NULL)
        oracle_fail(oracle, "no folder for the images");
    printf("seed %u\n", oracle->seed);
    fflush(stdout);
}

void oracle_remove_files(struct oracle *oracle)
{
    g_autoptr(GDir) dir = g_dir_open(oracle->folder, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = oracle_path(oracle, name);

        unlink(path);
    }
}

void oracle_finish(struct oracle *oracle)
{
    io_context_free(oracle->io);
    oracle_remove_files(oracle);
    rmdir(oracle->folder);
    g_free(oracle->folder);
    g_rand_free(oracle->rand);
}

char *oracle_path(struct oracle *oracle, const char *name)
{
    return g_build_filename(oracle->folder, name, NULL);
}

bool oracle_has_qemu_img(void)
{
    g_autofree char *found = g_find_program_in_path("qemu-img");

    return found != NULL;
}

uint32_t oracle_random(struct oracle *oracle, uint32_t below)
{
    return g_rand_int_range(oracle->rand, 0, below);
}

/* The files stay, to be looked at. */
void oracle_fail(struct oracle *oracle, const char *reason, ...)
{
    va_list ap;

    fflush(stdout);
    fprintf(stderr, "FAIL (ORACLE_SEED=%u, files in %s): ", oracle->seed, oracle->folder);
    va_start(ap, reason);
    vfprintf(stderr, reason, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

struct image *oracle_open(struct oracle *oracle, const char *path,
                          const struct image_options *options)
{
    g_autoptr(GError) error = NULL;
    struct image *image = image_open(path, options, oracle->io, &error);

    if (image == NULL)
        oracle_fail(oracle, "opening: %s", error->message);
    return image;
}

void oracle_create(struct oracle *oracle, const char *path,
                   const struct image_create_options *options)
{
    g_autoptr(GError) error = NULL;

    if (!image_create(path, options, NULL, &error))
        oracle_fail(oracle, "creating: %s", error->message);
}

void oracle_run(struct oracle *oracle, const char *command, ...)
{
    g_autofree char *line = NULL, *shell = NULL, *output = NULL;
    g_autofree char *log = oracle_path(oracle, "command.log");
    va_list ap;
    int status;

    va_start(ap, command);
    line = g_strdup_vprintf(command, ap);
    va_end(ap);
    shell = g_strdup_printf("cd '%s' && { %s; } >command.log 2>&1", oracle->folder, line);
    status = system(shell);
    if (status == 0)
        return;
    g_file_get_contents(log, &output, NULL, NULL);
    oracle_fail(oracle, "%s: status %d\n%s", line, status, output);
}

void oracle_qemu_check(struct oracle *oracle, const char *path)
{
    oracle_run(oracle, "qemu-img check -q -f qcow2 '%s'", path);
}

void oracle_check(struct oracle *oracle, const char *path, const char *format)
{
    const struct image_options options = {.format = format, .read_only = true};
    struct image *image = oracle_open(oracle, path, &options);
    struct image_check_result result;
    g_autoptr(GError) error = NULL;

    if (!image_check(image, 0, &result, NULL, &error))
        oracle_fail(oracle, "checking: %s", error->message);
    if (result.leaks + result.corruptions + result.errors > 0)
        oracle_fail(oracle, "%s: our check: %s", path,
                    result.messages->len > 0 ? (char *)result.messages->pdata[0] : "?");
    image_check_result_clear(&result);
    image_close(image);
}

void oracle_qemu_compare(struct oracle *oracle, const char *path, const uint8_t *data,
                         uint64_t size)
{
    g_autofree char *raw = oracle_path(oracle, "model.raw");
    FILE *file = fopen(raw, "w");

    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        oracle_fail(oracle, "cannot write %s", raw);
    oracle_run(oracle, "qemu-img compare -q -f qcow2 -F raw '%s' '%s'", path, raw);
    unlink(raw);
}

void oracle_compare(struct oracle *oracle, struct image *image, const uint8_t *data, uint64_t size)
{
    g_autofree uint8_t *buffer = g_malloc(READ_BYTES);

    if (image_size(image) != size)
        oracle_fail(oracle, "the size is %" G_GUINT64_FORMAT " and not %" G_GUINT64_FORMAT,
                    image_size(image), size);
    for (uint64_t at = 0; at < size; at += READ_BYTES) {
        uint64_t length = MIN(READ_BYTES, size - at);
        int error = image_read(image, buffer, at, length);

        if (error != 0)
            oracle_fail(oracle, "reading at %" G_GUINT64_FORMAT ": %s", at, g_strerror(error));
        for (uint64_t i = 0; i < length; i++)
            if (buffer[i] != data[at + i])
                oracle_fail(oracle, "byte %" G_GUINT64_FORMAT " reads as 0x%02x and not as 0x%02x",
                            at + i, buffer[i], data[at + i]);
    }
}
