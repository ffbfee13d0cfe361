/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the host: every way to read and write them gives the same contents, and one writer keeps
 * others out, across programs. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "disks/file.h"
#include "tests/fakes/temp_folder.h"

#define SIZE (256 * 1024)
#define REQUESTS 600

static char *folder, *path;

static void setup(void)
{
    folder = temp_folder_new();
    path = g_build_filename(folder, "file", NULL);
    ck_assert(g_file_set_contents(path, "", 0, NULL));
    ck_assert_int_eq(truncate(path, SIZE), 0);
}

static void teardown(void)
{
    g_free(path);
    temp_folder_remove(folder);
}

static struct file *open_file(bool read_only, bool direct, bool threads)
{
    const struct file_options options = {.read_only = read_only,
                                         .direct = direct,
                                         .threads = threads};
    g_autoptr(GError) error = NULL;
    struct file *file = file_open(path, &options, &error);

    ck_assert_msg(file != NULL, "%s", error != NULL ? error->message : "");
    return file;
}

/* Direct I/O is not everywhere, as on tmpfs. */
static bool has_direct(void)
{
    int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Ways of all sizes, aligned to nothing, against a model in memory. */
static void compare_with_model(struct file *file)
{
    g_autofree uint8_t *model = g_malloc0(SIZE + 8192), *buffer = g_malloc(SIZE);
    GRand *rand = g_rand_new_with_seed(7);
    uint64_t model_size = SIZE, size;

    for (int i = 0; i < 300; i++) {
        uint64_t offset = g_rand_int_range(rand, 0, SIZE);
        size_t length = g_rand_int_range(rand, 1, i % 3 == 0 ? 700 : 9000);
        size_t cut = g_rand_int_range(rand, 0, length);
        struct iovec iov[2] = {{buffer, cut}, {buffer + cut, length - cut}};

        if (i % 4 == 3) {
            length = MIN(length, SIZE - offset);
            ck_assert_int_eq(file_read_buffer(file, buffer, length, offset), 0);
            ck_assert_mem_eq(buffer, model + offset, length);
            continue;
        }
        length = MIN(length, SIZE + 8192 - offset);
        memset(buffer, i, length);
        iov[0].iov_len = MIN(cut, length);
        iov[1] = (struct iovec){buffer + iov[0].iov_len, length - iov[0].iov_len};
        ck_assert_int_eq(file_write_all(file, iov, 2, offset), 0);
        memset(model + offset, i, length);
        model_size = MAX(model_size, offset + length);
    }
    ck_assert_int_eq(file->ops->size(file, &size), 0);
    ck_assert_uint_eq(size, model_size);
    ck_assert_int_eq(file_read_buffer(file, buffer, SIZE, 0), 0);
    ck_assert_mem_eq(buffer, model, SIZE);
    ck_assert_int_eq(file_read_buffer(file, buffer, 1, model_size), -EIO);
    g_rand_free(rand);
}

START_TEST(reads_and_writes_of_any_alignment)
{
    struct file *file;

    if (_i == 1 && !has_direct())
        return;
    file = open_file(false, _i == 1, true);
    compare_with_model(file);
    file_close(file);
}
END_TEST

struct batch {
    GMutex lock;
    GCond changed;
    unsigned pending;
    int error;
};

static void finished(struct file_request *request, int error)
{
    struct batch *batch = request->opaque;

    g_mutex_lock(&batch->lock);
    batch->pending--;
    if (error != 0)
        batch->error = error;
    g_cond_signal(&batch->changed);
    g_mutex_unlock(&batch->lock);
}

/* Starts many requests at once, in order, each continuing the one before; false: the file has no
 * submit here. */
static bool run_batch(struct file *file, enum file_op op, uint8_t *memory, unsigned count,
                      size_t each, int *ret_error)
{
    g_autofree struct file_request *requests = g_new0(struct file_request, count);
    g_autofree struct iovec *iov = g_new(struct iovec, count);
    struct batch batch = {.pending = 0};
    bool taken = true;

    g_mutex_init(&batch.lock);
    g_cond_init(&batch.changed);
    for (unsigned i = 0; i < count && taken; i++) {
        iov[i] = (struct iovec){memory + i * each, each};
        requests[i] = (struct file_request){.op = op,
                                            .iov = &iov[i],
                                            .iov_count = 1,
                                            .offset = i * each,
                                            .done = finished,
                                            .opaque = &batch};
        g_mutex_lock(&batch.lock);
        batch.pending++;
        g_mutex_unlock(&batch.lock);
        taken = file->ops->submit(file, &requests[i]);
    }
    g_mutex_lock(&batch.lock);
    batch.pending -= !taken;
    while (batch.pending > 0)
        g_cond_wait(&batch.changed, &batch.lock);
    g_mutex_unlock(&batch.lock);
    g_mutex_clear(&batch.lock);
    g_cond_clear(&batch.changed);
    *ret_error = batch.error;
    return taken;
}

START_TEST(many_requests_in_flight)
{
    size_t each = 4096, all = REQUESTS * each;
    g_autofree uint8_t *memory = g_malloc(all + 4096), *contents = NULL;
    uint8_t *aligned = (uint8_t *)(((uintptr_t)memory + 4095) & ~(uintptr_t)4095);
    struct file *file;
    gsize size;
    int error;

    if (_i == 1 && !has_direct())
        return;
    file = open_file(false, _i == 1, false);
    for (size_t i = 0; i < all; i++)
        aligned[i] = i / each + i;
    /* Writes to the host's cache are for threads. */
    if (!run_batch(file, FILE_OP_WRITE, aligned, REQUESTS, each, &error))
        error = file_write_buffer(file, aligned, all, 0);
    ck_assert_int_eq(error, 0);
    if (run_batch(file, FILE_OP_READ, aligned, REQUESTS, each, &error)) {
        ck_assert_int_eq(error, 0);
        ck_assert(g_file_get_contents(path, (char **)&contents, &size, NULL));
        ck_assert_uint_eq(size, all);
        ck_assert_mem_eq(contents, aligned, all);
        memset(aligned, 0, all);
        ck_assert(run_batch(file, FILE_OP_READ, aligned, REQUESTS, each, &error));
        ck_assert_int_eq(error, 0);
        ck_assert_mem_eq(contents, aligned, all);
        /* The last one ends past the file. */
        ck_assert_int_eq(file->ops->truncate(file, all - 512), 0);
        ck_assert(run_batch(file, FILE_OP_READ, aligned, REQUESTS, each, &error));
        ck_assert_int_eq(error, -EIO);
    }
    file_close(file);
}
END_TEST

START_TEST(without_a_ring_there_are_threads)
{
    struct file *file = open_file(false, false, true);
    struct file_request request = {.op = FILE_OP_READ};

    ck_assert(!file->ops->submit(file, &request));
    file_close(file);
}
END_TEST

START_TEST(holes)
{
    struct file *file = open_file(false, false, false);
    g_autofree uint8_t *buffer = g_malloc(SIZE);
    uint64_t length;
    bool data;

    memset(buffer, 1, SIZE);
    ck_assert_int_eq(file_write_buffer(file, buffer, SIZE, 0), 0);
    ck_assert_int_eq(file_write_zeroes(file, 64 * 1024, 64 * 1024), 0);
    ck_assert_int_eq(file_write_zeroes(file, 100, 1000), 0);
    ck_assert_int_eq(file_read_buffer(file, buffer, SIZE, 0), 0);
    for (unsigned i = 0; i < SIZE; i++) {
        bool zero = (i >= 100 && i < 1100) || (i >= 64 * 1024 && i < 128 * 1024);

        if (buffer[i] != !zero)
            ck_abort_msg("byte %u is %u", i, buffer[i]);
    }
    for (uint64_t at = 0; at < SIZE; at += length) {
        ck_assert_int_eq(file_extent(file, at, &data, &length), 0);
        ck_assert_uint_gt(length, 0);
        for (uint64_t i = at; i < MIN(at + length, SIZE) && !data; i++)
            if (buffer[i] != 0)
                ck_abort_msg("data in a hole");
    }
    ck_assert_int_eq(file_allocate(file, SIZE, 4096), 0);
    ck_assert_int_eq(file->ops->size(file, &length), 0);
    ck_assert_uint_eq(length, SIZE + 4096);
    file_close(file);
}
END_TEST

/* Whether a program ends well. */
static bool program(const char *format)
{
    g_autofree char *command = g_strdup_printf(format, path), *output = NULL, *errors = NULL;
    int status;

    ck_assert(g_spawn_command_line_sync(command, &output, &errors, &status, NULL));
    return status == 0;
}

START_TEST(locks_between_programs)
{
    const struct file_options writer = {.read_only = false};
    g_autofree char *qemu_io = g_find_program_in_path("qemu-io");
    g_autoptr(GError) error = NULL;
    struct file *file, *second;

    if (qemu_io == NULL)
        return;
    file = open_file(false, false, false);
    ck_assert(!program("qemu-io -f raw -c 'write 0 512' %s"));
    ck_assert(!program("qemu-img convert -f raw -O raw %s /dev/null"));
    ck_assert_ptr_null(file_open(path, &writer, &error));
    ck_assert_int_eq(error->code, VMDESK_ERROR_BUSY);
    g_clear_error(&error);
    file_close(file);

    /* As a backing file in use: readers may join, writers may not. */
    file = open_file(true, false, false);
    ck_assert(!program("qemu-io -f raw -c 'write 0 512' %s"));
    ck_assert(program("qemu-io -r -f raw -c 'read 0 512' %s"));
    second = open_file(true, false, false);
    file_close(second);
    ck_assert_ptr_null(file_open(path, &writer, &error));
    ck_assert_int_eq(error->code, VMDESK_ERROR_BUSY);
    file_close(file);
    ck_assert(program("qemu-io -f raw -c 'write 0 512' %s"));
}
END_TEST

/* Starts qemu-io, and waits until it has the image open. */
static GPid start_qemu_io(int *ret_stdin)
{
    const char *argv[] = {"qemu-io", "-f", "raw", path, NULL};
    int output;
    GPid pid;
    char byte = '\0';

    ck_assert(g_spawn_async_with_pipes(NULL, (char **)argv, NULL,
                                       G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                       &pid, ret_stdin, &output, NULL, NULL));
    ck_assert_int_eq(write(*ret_stdin, "length\n", 7), 7);
    while (byte != '\n')
        ck_assert_int_eq(read(output, &byte, 1), 1);
    close(output);
    return pid;
}

START_TEST(other_programs_keep_us_out)
{
    const struct file_options writer = {.read_only = false};
    g_autofree char *qemu_io = g_find_program_in_path("qemu-io");
    g_autoptr(GError) error = NULL;
    int input;
    GPid pid;

    if (qemu_io == NULL)
        return;
    pid = start_qemu_io(&input);
    ck_assert_ptr_null(file_open(path, &writer, &error));
    ck_assert_int_eq(error->code, VMDESK_ERROR_BUSY);
    close(input);
    waitpid(pid, NULL, 0);
    file_close(open_file(false, false, false));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file");
    TCase *tc = tcase_create("file");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, reads_and_writes_of_any_alignment, 0, 2);
    tcase_add_loop_test(tc, many_requests_in_flight, 0, 2);
    tcase_add_test(tc, without_a_ring_there_are_threads);
    tcase_add_test(tc, holes);
    tcase_add_test(tc, locks_between_programs);
    tcase_add_test(tc, other_programs_keep_us_out);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
