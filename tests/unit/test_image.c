/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "disks/image.h"
#include "disks/image_format.h"
#include "disks/image_walk.h"
#include "disks/io_context.h"
#include "tests/fakes/memory_file.h"
#include "tests/suite.h"

#define SIZE (64 * 1024)

static const struct image_options writable = {.format = "raw"};
static const struct image_options read_only = {.format = "raw", .read_only = true};

static char *folder;
static struct io_context *io;

static void setup(void)
{
    folder = g_dir_make_tmp("vmdesk-image-XXXXXX", NULL);
    ck_assert_ptr_nonnull(folder);
    io = io_context_new(4);
}

static void teardown(void)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;

    io_context_free(io);
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        ck_assert_int_eq(remove(path), 0);
    }
    rmdir(folder);
    g_free(folder);
}

static char *make_file(const char *name, uint64_t size)
{
    char *path = g_build_filename(folder, name, NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, size), 0);
    close(fd);
    return path;
}

/* A request that can be waited for. */
struct wait {
    struct block_request request;
    struct iovec iov;
    GMutex lock;
    GCond changed;
    bool done;
    int error;
};

static void wake(struct block_request *request, int error)
{
    struct wait *wait = request->opaque;

    g_mutex_lock(&wait->lock);
    wait->done = true;
    wait->error = error;
    g_cond_signal(&wait->changed);
    g_mutex_unlock(&wait->lock);
}

static void start(struct wait *wait, struct image *image, enum block_op op, uint64_t offset,
                  void *buffer, uint64_t length)
{
    *wait = (struct wait){
        .request = {.op = op, .offset = offset, .length = length, .done = wake, .opaque = wait},
        .iov = {buffer, length},
    };
    g_mutex_init(&wait->lock);
    g_cond_init(&wait->changed);
    if (buffer != NULL) {
        wait->request.iov = &wait->iov;
        wait->request.iov_count = 1;
    }
    image_submit(image, &wait->request);
}

static int finish(struct wait *wait)
{
    g_mutex_lock(&wait->lock);
    while (!wait->done)
        g_cond_wait(&wait->changed, &wait->lock);
    g_mutex_unlock(&wait->lock);
    g_mutex_clear(&wait->lock);
    g_cond_clear(&wait->changed);
    return wait->error;
}

static int run(struct image *image, enum block_op op, uint64_t offset, void *buffer,
               uint64_t length)
{
    struct wait wait;

    start(&wait, image, op, offset, buffer, length);
    return finish(&wait);
}

static int run_iov(struct image *image, enum block_op op, uint64_t length, const struct iovec *iov,
                   unsigned count)
{
    struct wait wait = {
        .request = {.op = op, .length = length, .iov = iov, .iov_count = count, .done = wake}};

    wait.request.opaque = &wait;
    g_mutex_init(&wait.lock);
    g_cond_init(&wait.changed);
    image_submit(image, &wait.request);
    return finish(&wait);
}

static void assert_refused(const char *path, const struct image_options *options, int code,
                           const char *reason)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(image_open(path, options, io, &error));
    ck_assert_msg(g_error_matches(error, VMDESK_ERROR, code), "%d: %s", error->code,
                  error->message);
    ck_assert_msg(strstr(error->message, path) != NULL, "does not name the file: %s",
                  error->message);
    ck_assert_msg(strstr(error->message, reason) != NULL, "\"%s\" is not in: %s", reason,
                  error->message);
}

START_TEST(data_lands_in_the_file)
{
    g_autofree char *path = make_file("disk", SIZE), *contents = NULL;
    struct image *image = image_open(path, &writable, io, NULL);
    uint8_t out[1024], in[1024];
    struct iovec pieces[] = {{in, 6}, {in + 6, 0}, {in + 6, 1018}};

    ck_assert_ptr_nonnull(image);
    ck_assert_uint_eq(image_size(image), SIZE);
    ck_assert_str_eq(image_path(image), path);
    ck_assert(!image_read_only(image));
    for (unsigned i = 0; i < sizeof(out); i++)
        out[i] = i * 7;
    ck_assert_int_eq(run(image, BLOCK_WRITE, 0, out, 1024), 0);
    ck_assert_int_eq(run(image, BLOCK_WRITE, SIZE - 1024, out, 1024), 0);
    ck_assert_int_eq(run(image, BLOCK_FLUSH, 0, NULL, 0), 0);
    ck_assert_int_eq(run_iov(image, BLOCK_READ, 1024, pieces, 3), 0);
    ck_assert_mem_eq(in, out, 1024);
    image_close(image);
    image_close(NULL);
    ck_assert(g_file_get_contents(path, &contents, NULL, NULL));
    ck_assert_mem_eq(contents + SIZE - 1024, out, 1024);
}
END_TEST

START_TEST(what_is_no_image_is_refused)
{
    g_autofree char *odd = make_file("odd", 1000), *empty = make_file("empty", 0);
    g_autofree char *missing = g_build_filename(folder, "missing", NULL);
    g_autofree char *fifo = g_build_filename(folder, "fifo", NULL);
    g_autofree char *below = g_build_filename(odd, "below", NULL);

    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    assert_refused(odd, &writable, VMDESK_ERROR_INVALID, "1000 bytes");
    assert_refused(odd, &read_only, VMDESK_ERROR_INVALID, "truncate -s %512");
    assert_refused(empty, &writable, VMDESK_ERROR_INVALID, "is empty");
    assert_refused(missing, &writable, VMDESK_ERROR_NOT_FOUND, "Check its name");
    assert_refused(below, &writable, VMDESK_ERROR_NOT_FOUND, "Check its name");
    assert_refused(folder, &read_only, VMDESK_ERROR_INVALID, "is a folder");
    assert_refused(fifo, &read_only, VMDESK_ERROR_INVALID, "is a FIFO");
    assert_refused(fifo, &writable, VMDESK_ERROR_INVALID, "is a FIFO");
    assert_refused("/dev/null", &writable, VMDESK_ERROR_INVALID, "is a character device");
}
END_TEST

START_TEST(an_unknown_format_is_refused)
{
    g_autofree char *path = make_file("disk", SIZE);
    const struct image_options other = {.format = "qed"}, none = {.format = NULL};

    assert_refused(path, &other, VMDESK_ERROR_UNSUPPORTED, "use one of: raw");
    assert_refused(path, &none, VMDESK_ERROR_UNSUPPORTED, "use one of: raw");
}
END_TEST

START_TEST(permission_decides)
{
    enum { NOBODY = 65534 };
    g_autofree char *path = make_file("disk", SIZE);
    bool root = geteuid() == 0; /* whom no permission stops */
    struct image *image;

    if (root) {
        ck_assert_int_eq(chown(folder, NOBODY, NOBODY) | chown(path, NOBODY, NOBODY), 0);
        ck_assert_int_eq(seteuid(NOBODY), 0);
    }
    ck_assert_int_eq(chmod(path, 0400), 0);
    assert_refused(path, &writable, VMDESK_ERROR_PERMISSION, "read-only");
    image = image_open(path, &read_only, io, NULL);
    ck_assert_ptr_nonnull(image);
    image_close(image);
    ck_assert_int_eq(chmod(path, 0), 0);
    assert_refused(path, &read_only, VMDESK_ERROR_PERMISSION, "readable");
    if (root)
        ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(one_writer_or_many_readers)
{
    g_autofree char *path = make_file("disk", SIZE);
    struct image *one = image_open(path, &writable, io, NULL), *two;

    ck_assert_ptr_nonnull(one);
    assert_refused(path, &writable, VMDESK_ERROR_BUSY, "another running machine");
    assert_refused(path, &read_only, VMDESK_ERROR_BUSY, "for writing");
    image_close(one);
    one = image_open(path, &read_only, io, NULL);
    two = image_open(path, &read_only, io, NULL);
    ck_assert_ptr_nonnull(one);
    ck_assert_ptr_nonnull(two);
    assert_refused(path, &writable, VMDESK_ERROR_BUSY, "qemu-img");
    image_close(one);
    image_close(two);
    one = image_open(path, &writable, io, NULL);
    ck_assert_ptr_nonnull(one);
    image_close(one);
}
END_TEST

/* The exit status of a program with its output thrown away; -1: it is not installed. */
static int run_program(const char **argv)
{
    g_autofree char *program = g_find_program_in_path(argv[0]);
    int status;

    if (program == NULL)
        return -1;
    ck_assert(
        g_spawn_sync(NULL, (char **)argv, NULL,
                     G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                     NULL, NULL, NULL, NULL, &status, NULL));
    return status;
}

START_TEST(qemu_img_respects_the_lock)
{
    g_autofree char *path = make_file("disk", SIZE);
    const char *resize[] = {"qemu-img", "resize", "-f", "raw", path, "128K", NULL};
    const char *read[] = {"qemu-img", "compare", "-f", "raw", "-F", "raw", path, path, NULL};
    struct image *image;
    int status = run_program(read);

    if (status == -1) {
        fprintf(stderr, "qemu_img_respects_the_lock: skipped, qemu-img is not installed\n");
        return;
    }
    image = image_open(path, &writable, io, NULL);
    ck_assert_int_ne(run_program(resize), 0);
    image_close(image);
    image = image_open(path, &read_only, io, NULL);
    ck_assert_int_eq(run_program(read), 0);
    ck_assert_int_ne(run_program(resize), 0);
    image_close(image);
    ck_assert_int_eq(run_program(resize), 0);
}
END_TEST

/* Whether path can be opened, or cannot, within some seconds. */
static bool becomes(const char *path, bool openable)
{
    for (int i = 0; i < 100; i++) {
        struct image *image = image_open(path, &read_only, io, NULL);

        image_close(image);
        if ((image != NULL) == openable)
            return true;
        g_usleep(50 * 1000);
    }
    return false;
}

START_TEST(qemus_lock_is_respected)
{
    g_autofree char *path = make_file("disk", SIZE);
    g_autofree char *command = g_strdup_printf("exec qemu-io -f raw %s >/dev/null", path);
    g_autofree char *program = g_find_program_in_path("qemu-io");
    FILE *qemu;

    if (program == NULL) {
        fprintf(stderr, "qemus_lock_is_respected: skipped, qemu-io is not installed\n");
        return;
    }
    qemu = popen(command, "we");
    ck_assert(becomes(path, false));
    assert_refused(path, &read_only, VMDESK_ERROR_BUSY, "for writing");
    pclose(qemu);
    ck_assert(becomes(path, true));
}
END_TEST

START_TEST(qemu_img_reads_what_was_written)
{
    g_autofree char *path = make_file("disk", SIZE);
    g_autofree char *copy = g_build_filename(folder, "copy.qcow2", NULL);
    const char *convert[] = {"qemu-img", "convert", "-f", "raw", "-O", "qcow2", path, copy, NULL};
    const char *compare[] = {"qemu-img", "compare", "-f", "raw", "-F", "qcow2", path, copy, NULL};
    uint8_t sector[512];
    struct image *image;

    if (run_program(convert) == -1) {
        fprintf(stderr, "qemu_img_reads_what_was_written: skipped, qemu-img is not installed\n");
        return;
    }
    ck_assert_int_eq(run_program(compare), 0);
    image = image_open(path, &writable, io, NULL);
    memset(sector, 0x5a, sizeof(sector));
    ck_assert_int_eq(run(image, BLOCK_WRITE, 4096, sector, 512), 0);
    image_close(image);
    ck_assert_int_ne(run_program(compare), 0);
}
END_TEST

START_TEST(a_block_device_is_an_image)
{
    g_autofree char *path = make_file("disk", SIZE);
    const char *attach[] = {"losetup", "-f", "--show", path, NULL};
    const char *detach[] = {"losetup", "-d", NULL, NULL};
    g_autofree char *output = NULL;
    struct image *image;
    uint8_t data[512] = {0x5a};

    if (!g_spawn_sync(NULL, (char **)attach, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL,
                      NULL, NULL, &output, NULL, NULL, NULL) ||
        !g_str_has_prefix(output, "/dev/")) {
        fprintf(stderr, "a_block_device_is_an_image: skipped, no loop device to be had\n");
        return;
    }
    image = image_open(g_strstrip(output), &writable, io, NULL);
    ck_assert_ptr_nonnull(image);
    ck_assert_uint_eq(image_size(image), SIZE);
    assert_refused(output, &writable, VMDESK_ERROR_BUSY, "in use");
    ck_assert_int_eq(run(image, BLOCK_WRITE, SIZE - 512, data, 512), 0);
    ck_assert_int_eq(run(image, BLOCK_DISCARD, 0, NULL, 4096), 0);
    ck_assert_int_eq(run(image, BLOCK_FLUSH, 0, NULL, 0), 0);
    ck_assert_int_eq(run(image, BLOCK_READ, SIZE, data, 512), EINVAL);
    image_close(image);
    detach[2] = output;
    ck_assert_int_eq(run_program(detach), 0);
}
END_TEST

START_TEST(requests_outside_the_limits_are_refused)
{
    g_autofree char *path = make_file("disk", SIZE);
    struct image *image = image_open(path, &writable, io, NULL);
    static struct iovec many[IMAGE_REQUEST_MAX_IOV + 1];
    uint8_t data[1024] = {0};

    ck_assert_int_eq(run(image, BLOCK_READ, 1, data, 512), EINVAL);
    ck_assert_int_eq(run(image, BLOCK_READ, 0, data, 511), EINVAL);
    ck_assert_int_eq(run(image, BLOCK_READ, SIZE, data, 512), EINVAL);
    ck_assert_int_eq(run(image, BLOCK_READ, SIZE - 512, data, 1024), EINVAL);
    ck_assert_int_eq(run(image, BLOCK_WRITE, UINT64_MAX - 511, data, 512), EINVAL);
    ck_assert_int_eq(run(image, BLOCK_DISCARD, 512, NULL, UINT64_MAX - 511), EINVAL);
    ck_assert_int_eq(run(image, 99, 0, NULL, 0), EINVAL);
    many[0] = (struct iovec){data, 512};
    ck_assert_int_eq(run_iov(image, BLOCK_READ, 1024, many, 1), EINVAL);
    ck_assert_int_eq(run_iov(image, BLOCK_READ, 512, many, G_N_ELEMENTS(many)), EINVAL);
    many[1] = (struct iovec){data, SIZE_MAX};
    ck_assert_int_eq(run_iov(image, BLOCK_READ, 512, many, 2), EINVAL);
    many[1].iov_len = 0;
    ck_assert_int_eq(run_iov(image, BLOCK_READ, 512, many, IMAGE_REQUEST_MAX_IOV), 0);
    image_close(image);
    image = image_open(path, &read_only, io, NULL);
    ck_assert(image_read_only(image));
    ck_assert_int_eq(run(image, BLOCK_WRITE, 0, data, 512), EROFS);
    ck_assert_int_eq(run(image, BLOCK_DISCARD, 0, NULL, 512), EROFS);
    ck_assert_int_eq(run(image, BLOCK_FLUSH, 0, NULL, 0), 0);
    image_close(image);
}
END_TEST

START_TEST(a_file_that_shrinks_gives_eio)
{
    g_autofree char *path = make_file("disk", SIZE);
    struct image *image = image_open(path, &writable, io, NULL);
    uint8_t data[1024];

    ck_assert_int_eq(truncate(path, 1000), 0);
    ck_assert_int_eq(run(image, BLOCK_READ, 0, data, 512), 0);
    ck_assert_int_eq(run(image, BLOCK_READ, 512, data, 512), EIO);
    ck_assert_int_eq(run(image, BLOCK_READ, 4096, data, 512), EIO);
    image_close(image);
}
END_TEST

START_TEST(discard_punches_a_hole)
{
    g_autofree char *path = make_file("disk", SIZE);
    struct image *image = image_open(path, &writable, io, NULL);
    g_autofree uint8_t *data = g_malloc(SIZE);
    struct stat before, after;

    memset(data, 0xee, SIZE);
    ck_assert_int_eq(run(image, BLOCK_WRITE, 0, data, SIZE), 0);
    ck_assert_int_eq(run(image, BLOCK_FLUSH, 0, NULL, 0), 0);
    ck_assert_int_eq(stat(path, &before), 0);
    ck_assert_int_eq(run(image, BLOCK_DISCARD, 8192, NULL, 32768), 0);
    ck_assert_int_eq(run(image, BLOCK_DISCARD, 8192, NULL, 0), 0);
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_int_eq(after.st_size, SIZE);
    if (after.st_blocks == before.st_blocks) {
        fprintf(stderr, "discard_punches_a_hole: skipped, the file system has no holes\n");
    } else {
        ck_assert_int_eq(run(image, BLOCK_READ, 8192, data, 512), 0);
        ck_assert_uint_eq(data[0] | data[511], 0);
    }
    ck_assert_int_eq(run(image, BLOCK_READ, 8192 - 512, data, 512), 0);
    ck_assert_uint_eq(data[511], 0xee);
    image_close(image);
}
END_TEST

START_TEST(short_and_interrupted_calls_go_on)
{
    struct memory_file *memory = memory_file_new(SIZE);
    struct image *image = image_open_file(&memory->file, &writable, io, NULL);
    uint8_t out[2048], in[2048];
    struct iovec pieces[] = {{in, 100}, {in + 100, 412}, {in + 512, 1536}};

    memory->max_move = 70;
    memory->fail_call[FILE_WRITE] = 3;
    memory->fail_errno = EINTR;
    for (unsigned i = 0; i < sizeof(out); i++)
        out[i] = i ^ (i >> 8);
    ck_assert_int_eq(run(image, BLOCK_WRITE, 0, out, 2048), 0);
    ck_assert_int_eq(run_iov(image, BLOCK_READ, 2048, pieces, 3), 0);
    ck_assert_mem_eq(in, out, 2048);
    image_close(image);
    memory_file_free(memory);
}
END_TEST

/* Each call of a sequence fails in turn: its request reports it, the others do not. */
START_TEST(each_failing_call_is_reported_once)
{
    static const enum file_call calls[] = {FILE_WRITE, FILE_WRITE,   FILE_FLUSH,
                                           FILE_READ,  FILE_DISCARD, FILE_READ};
    static const enum block_op ops[] = {BLOCK_WRITE, BLOCK_WRITE,   BLOCK_FLUSH,
                                        BLOCK_READ,  BLOCK_DISCARD, BLOCK_READ};
    struct memory_file *memory = memory_file_new(SIZE);
    struct image *image = image_open_file(&memory->file, &writable, io, NULL);
    uint8_t data[512] = {0};

    memory->fail_errno = ENOSPC;
    for (unsigned n = 0; n < G_N_ELEMENTS(calls); n++) {
        memset(memory->calls, 0, sizeof(memory->calls));
        memset(memory->fail_call, 0, sizeof(memory->fail_call));
        for (unsigned i = 0; i <= n; i++)
            memory->fail_call[calls[n]] += calls[i] == calls[n];
        for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
            bool moves = ops[i] == BLOCK_READ || ops[i] == BLOCK_WRITE;

            ck_assert_int_eq(run(image, ops[i], 0, moves ? data : NULL,
                                 ops[i] == BLOCK_FLUSH ? 0 : 512),
                             i == n ? ENOSPC : 0);
        }
    }
    image_close(image);
    memory_file_free(memory);
}
END_TEST

START_TEST(a_file_whose_size_is_unknown_is_refused)
{
    struct memory_file *memory = memory_file_new(SIZE);
    g_autoptr(GError) error = NULL;

    memory->fail_call[FILE_SIZE] = 1;
    memory->fail_errno = EIO;
    ck_assert_ptr_null(image_open_file(&memory->file, &writable, io, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_IO));
    ck_assert_str_eq(memory->log->str, "sc");
    memory_file_free(memory);
}
END_TEST

START_TEST(closing_flushes_what_may_have_been_written)
{
    struct memory_file *memory = memory_file_new(SIZE);
    uint8_t data[512] = {0};
    struct image *image = image_open_file(&memory->file, &writable, io, NULL);

    ck_assert_int_eq(run(image, BLOCK_WRITE, 0, data, 512), 0);
    image_close(image);
    ck_assert_str_eq(memory->log->str, "swfc");
    g_string_truncate(memory->log, 0);
    image_close(image_open_file(&memory->file, &read_only, io, NULL));
    ck_assert_str_eq(memory->log->str, "sc");
    memory_file_free(memory);
}
END_TEST

START_TEST(closing_with_requests_in_flight)
{
    struct memory_file *memory = memory_file_new(SIZE);
    struct image *image = image_open_file(&memory->file, &writable, io, NULL);
    uint8_t data[8][512] = {{0}};
    struct wait waits[8];

    memory_file_hold(memory);
    for (unsigned i = 0; i < 8; i++)
        start(&waits[i], image, BLOCK_WRITE, i * 512, data[i], 512);
    image_close(image);
    memory_file_release(memory);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_int_eq(finish(&waits[i]), 0);
    io_context_free(io);
    io = NULL;
    ck_assert_str_eq(memory->log->str, "swwwwwwwwfc");
    memory_file_free(memory);
}
END_TEST

START_TEST(many_requests_at_once)
{
    enum { COUNT = 500 };
    g_autofree char *path = make_file("disk", COUNT * 512);
    struct image *image = image_open(path, &writable, io, NULL);
    static struct wait waits[COUNT];
    static uint8_t data[COUNT][512];
    uint8_t sector[512];

    for (unsigned i = 0; i < COUNT; i++) {
        memset(data[i], i, 512);
        start(&waits[i], image, BLOCK_WRITE, i * 512, data[i], 512);
    }
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_int_eq(finish(&waits[i]), 0);
    for (unsigned i = 0; i < COUNT; i += 37) {
        ck_assert_int_eq(run(image, BLOCK_READ, i * 512, sector, 512), 0);
        ck_assert_mem_eq(sector, data[i], 512);
    }
    image_close(image);
}
END_TEST

START_TEST(no_space_has_a_way_out)
{
    g_autoptr(GError) error = NULL, other = NULL;

    vmdesk_error_from_errno(&error, ENOSPC, NULL, "Cannot write");
    ck_assert_ptr_nonnull(strstr(error->message, "Make room"));
    vmdesk_error_from_errno(&other, ENOSPC, "Take less", "Cannot write");
    ck_assert_ptr_null(strstr(other->message, "Make room"));
}
END_TEST

static bool skip_a_sector(void *opaque, uint64_t offset, uint64_t length, uint64_t *ret_skip,
                          GError **err)
{
    *ret_skip = IMAGE_SECTOR_SIZE;
    return true;
}

static bool never_work(void *opaque, uint64_t offset, uint64_t length, void *buffer, GError **err)
{
    ck_abort_msg("all is skipped");
}

static bool stop_at_once(void *opaque, uint64_t done, uint64_t total)
{
    return false;
}

/* As an image can be that has nothing in it, but says so for each sector. */
START_TEST(a_walk_that_only_skips_can_be_stopped)
{
    const struct image_walk walk = {
        .size = UINT64_C(1) << 60,
        .step = 4096,
        .skip = skip_a_sector,
        .work = never_work,
        .buffer_size = 4096,
    };
    const struct image_progress progress = {.step = stop_at_once};
    g_autoptr(GError) error = NULL;

    ck_assert(!image_walk(&walk, &progress, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_CANCELLED));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image");
    TCase *tc = tcase_create("image");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, data_lands_in_the_file);
    tcase_add_test(tc, what_is_no_image_is_refused);
    tcase_add_test(tc, an_unknown_format_is_refused);
    tcase_add_test(tc, permission_decides);
    tcase_add_test(tc, one_writer_or_many_readers);
    tcase_add_test(tc, qemu_img_respects_the_lock);
    tcase_add_test(tc, qemus_lock_is_respected);
    tcase_add_test(tc, qemu_img_reads_what_was_written);
    tcase_add_test(tc, a_block_device_is_an_image);
    tcase_add_test(tc, requests_outside_the_limits_are_refused);
    tcase_add_test(tc, a_file_that_shrinks_gives_eio);
    tcase_add_test(tc, discard_punches_a_hole);
    tcase_add_test(tc, short_and_interrupted_calls_go_on);
    tcase_add_test(tc, each_failing_call_is_reported_once);
    tcase_add_test(tc, a_file_whose_size_is_unknown_is_refused);
    tcase_add_test(tc, closing_flushes_what_may_have_been_written);
    tcase_add_test(tc, closing_with_requests_in_flight);
    tcase_add_test(tc, many_requests_at_once);
    tcase_add_test(tc, no_space_has_a_way_out);
    tcase_add_test(tc, a_walk_that_only_skips_can_be_stopped);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
