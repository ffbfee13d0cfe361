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
#include "tests/suite.h"

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

/* Starts many requests at once, in order, each continuing the one before. What the file does not
 * take is done when all are started. Returns how many it took. */
static unsigned run_batch(struct file *file, enum file_op op, uint8_t *memory, unsigned count,
                          size_t each, int *ret_error)
{
    g_autofree struct file_request *requests = g_new0(struct file_request, count);
    g_autofree struct iovec *iov = g_new(struct iovec, count);
    g_autofree bool *taken = g_new0(bool, count);
    struct batch batch = {.pending = count};
    unsigned sum = 0;

    g_mutex_init(&batch.lock);
    g_cond_init(&batch.changed);
    for (unsigned i = 0; i < count; i++) {
        iov[i] = (struct iovec){memory + i * each, each};
        requests[i] = (struct file_request){.op = op,
                                            .iov = &iov[i],
                                            .iov_count = 1,
                                            .offset = i * each,
                                            .done = finished,
                                            .opaque = &batch};
        taken[i] = file->ops->submit(file, &requests[i]);
        sum += taken[i];
    }
    for (unsigned i = 0; i < count; i++)
        if (!taken[i])
            finished(&requests[i], op == FILE_OP_READ ? file_read_all(file, &iov[i], 1, i * each)
                                                      : file_write_all(file, &iov[i], 1, i * each));
    g_mutex_lock(&batch.lock);
    while (batch.pending > 0)
        g_cond_wait(&batch.changed, &batch.lock);
    g_mutex_unlock(&batch.lock);
    g_mutex_clear(&batch.lock);
    g_cond_clear(&batch.changed);
    *ret_error = batch.error;
    return sum;
}

START_TEST(many_requests_in_flight)
{
    size_t each = 4096, all = REQUESTS * each;
    g_autofree uint8_t *memory = g_malloc(all + 4096), *contents = NULL;
    uint8_t *aligned = (uint8_t *)(((uintptr_t)memory + 4095) & ~(uintptr_t)4095);
    unsigned taken, taken_reads;
    struct file *file;
    gsize size;
    int error;

    if (_i == 1 && !has_direct())
        return;
    file = open_file(false, _i == 1, false);
    for (size_t i = 0; i < all; i++)
        aligned[i] = i / each + i;
    taken = run_batch(file, FILE_OP_WRITE, aligned, REQUESTS, each, &error);
    ck_assert_int_eq(error, 0);
    ck_assert(g_file_get_contents(path, (char **)&contents, &size, NULL));
    ck_assert_uint_eq(size, all);
    ck_assert_mem_eq(contents, aligned, all);
    memset(aligned, 0, all);
    taken_reads = run_batch(file, FILE_OP_READ, aligned, REQUESTS, each, &error);
    ck_assert_int_eq(error, 0);
    ck_assert_mem_eq(contents, aligned, all);
    /* Writes to the host's cache are for threads, and so is one past it that has no company. */
    ck_assert(taken_reads == 0 || taken_reads == REQUESTS);
    ck_assert_uint_lt(taken, REQUESTS);
    if (_i == 0 || taken_reads == 0)
        ck_assert_uint_eq(taken, 0);
    else
        ck_assert_uint_ge(taken, 1);
    /* The last one ends past the file. */
    ck_assert_int_eq(file->ops->truncate(file, all - 512), 0);
    run_batch(file, FILE_OP_READ, aligned, REQUESTS, each, &error);
    ck_assert_int_eq(error, -EIO);
    file_close(file);
}
END_TEST

/* Drops the file's pages in this range from the host's cache, if the file system has them
 * elsewhere. */
static void evict(uint64_t offset, uint64_t length)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fsync(fd), 0);
    ck_assert_int_eq(posix_fadvise(fd, offset, length, POSIX_FADV_DONTNEED), 0);
    close(fd);
}

static uint8_t *write_pattern(struct file *file)
{
    uint8_t *pattern = g_malloc(SIZE);

    for (size_t i = 0; i < SIZE; i++)
        pattern[i] = i / 512 + i;
    ck_assert_int_eq(file_write_buffer(file, pattern, SIZE, 0), 0);
    return pattern;
}

START_TEST(what_is_at_hand_is_read_at_once)
{
    struct file *file = open_file(false, false, _i == 1);
    g_autofree uint8_t *pattern = write_pattern(file), *buffer = g_malloc0(SIZE + 1);
    const struct iovec two[] = {{buffer, 700}, {buffer + 700, 4000}};
    const struct iovec all = {buffer, SIZE}, more = {buffer, SIZE + 1};

    if (file_read_now(file, two, 2, 300))
        ck_assert_mem_eq(buffer, pattern + 300, 4700);
    ck_assert(!file_read_now(file, &more, 1, 0));
    ck_assert(!file_read_now(file, &all, 1, SIZE));
    /* All of it or nothing, whatever is there. */
    evict(SIZE / 2, SIZE / 2);
    memset(buffer, 0, SIZE);
    if (file_read_now(file, &all, 1, 0))
        ck_assert_mem_eq(buffer, pattern, SIZE);
    ck_assert_int_eq(file_read_all(file, &all, 1, 0), 0);
    ck_assert_mem_eq(buffer, pattern, SIZE);
    file_close(file);
}
END_TEST

START_TEST(past_the_cache_nothing_is_at_hand)
{
    uint8_t *buffer = aligned_alloc(4096, 4096);
    const struct iovec iov = {buffer, 4096};
    struct file *file;

    if (has_direct()) {
        file = open_file(false, true, false);
        ck_assert(!file_read_now(file, &iov, 1, 0));
        ck_assert_int_eq(file_read_all(file, &iov, 1, 0), 0);
        file_close(file);
    }
    free(buffer);
}
END_TEST

/* As those of procfs do. */
START_TEST(a_file_system_that_refuses_to_read_at_once)
{
    const struct file_options options = {.read_only = true};
    struct file *file = file_open("/proc/self/status", &options, NULL);
    char buffer[4];
    const struct iovec iov = {buffer, sizeof(buffer)};

    if (file == NULL)
        return;
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(!file_read_now(file, &iov, 1, 0));
        ck_assert_int_eq(file_read_buffer(file, buffer, sizeof(buffer), 0), 0);
        ck_assert_mem_eq(buffer, "Name", 4);
    }
    file_close(file);
}
END_TEST

#define CHAINS 40
#define LINKS 300
#define PIECE 4096

/* Requests that each follow from the completion of one before. */
struct chains {
    struct batch batch;
    struct file *file;
    uint8_t *pattern;
    unsigned requests;
    bool inside; /* a completion, in which no other may run */
    bool close;  /* by the last completion */
};

struct chain {
    struct file_request request;
    struct iovec iov;
    struct chains *chains;
    unsigned links;
    uint8_t buffer[PIECE];
};

/* false: the file has no submit here. */
static bool next_link(struct chain *chain)
{
    struct chains *chains = chain->chains;

    chain->links++;
    chain->request.offset = (uint64_t)(chain->links * 7919 % (SIZE / PIECE)) * PIECE;
    /* Now and then one that fails. */
    if (chain->links % 50 == 0)
        chain->request.offset = SIZE - PIECE / 2;
    memset(chain->buffer, 0, PIECE);
    return chains->file->ops->submit(chains->file, &chain->request);
}

static void link_done(struct file_request *request, int error)
{
    struct chain *chain = request->opaque;
    struct chains *chains = chain->chains;
    struct file_request last = {.opaque = &chains->batch};

    ck_assert(!chains->inside);
    chains->inside = true;
    if (request->offset + PIECE > SIZE) {
        ck_assert_int_eq(error, -EIO);
    } else {
        ck_assert_int_eq(error, 0);
        ck_assert_mem_eq(chain->buffer, chains->pattern + request->offset, PIECE);
    }
    if (++chains->requests % 500 == 0)
        evict(0, SIZE);
    if (chain->links < LINKS)
        ck_assert(next_link(chain));
    else if (chains->close && chains->requests == CHAINS * LINKS)
        file_close(chains->file);
    chains->inside = false;
    finished(&last, 0);
}

START_TEST(requests_that_follow_from_completions)
{
    struct chains chains = {.file = open_file(false, false, false), .close = _i == 1};
    g_autofree struct chain *chain = g_new0(struct chain, CHAINS);
    bool taken = true;

    chains.pattern = write_pattern(chains.file);
    chains.batch.pending = CHAINS * LINKS;
    g_mutex_init(&chains.batch.lock);
    g_cond_init(&chains.batch.changed);
    for (unsigned i = 0; i < CHAINS && taken; i++) {
        chain[i].chains = &chains;
        chain[i].iov = (struct iovec){chain[i].buffer, PIECE};
        chain[i].request = (struct file_request){.op = FILE_OP_READ,
                                                 .iov = &chain[i].iov,
                                                 .iov_count = 1,
                                                 .done = link_done,
                                                 .opaque = &chain[i]};
        taken = next_link(&chain[i]);
        ck_assert(taken || i == 0);
    }
    g_mutex_lock(&chains.batch.lock);
    while (chains.batch.pending > 0 && taken)
        g_cond_wait(&chains.batch.changed, &chains.batch.lock);
    g_mutex_unlock(&chains.batch.lock);
    g_mutex_clear(&chains.batch.lock);
    g_cond_clear(&chains.batch.changed);
    if (!taken || !chains.close)
        file_close(chains.file);
    g_free(chains.pattern);
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

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, reads_and_writes_of_any_alignment, 0, 2);
    tcase_add_loop_test(tc, many_requests_in_flight, 0, 2);
    tcase_add_loop_test(tc, what_is_at_hand_is_read_at_once, 0, 2);
    tcase_add_test(tc, past_the_cache_nothing_is_at_hand);
    tcase_add_test(tc, a_file_system_that_refuses_to_read_at_once);
    tcase_add_loop_test(tc, requests_that_follow_from_completions, 0, 2);
    tcase_add_test(tc, without_a_ring_there_are_threads);
    tcase_add_test(tc, holes);
    tcase_add_test(tc, locks_between_programs);
    tcase_add_test(tc, other_programs_keep_us_out);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
