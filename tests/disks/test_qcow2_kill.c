/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What SIGKILL leaves of a qcow2 image. This program runs itself as a writer, which does random
 * operations and notes in shared memory which it has begun and which were flushed, and kills it at
 * a random moment. Then the image must open and have leaks at worst, and each sector must be what
 * was flushed or what a later operation made of it. The next writer goes on with the same image.
 *
 * Each sector holds one number, eight bytes long and repeated, which says which write it is of.
 *
 * ORACLE_SEED repeats the operations, though not the moments; KILL_SECONDS is how long it goes on
 * (default 10).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/disks/oracle.h"

#define SECTOR IMAGE_SECTOR_SIZE
#define SECTORS 4096
#define MAX_COUNT 300
#define MAX_VALUES 24
#define MAX_SNAPSHOTS 4
#define ROUNDS 8 /* on the same image */
#define OPERATIONS 1000000
#define MAX_LIFE_USEC (100 * 1000)
#define DEFAULT_SECONDS 10

/* What the writer tells; atomic, and it outlives the writer. */
struct notes {
    gint begun, flushed; /* operations */
};

enum op_kind { OP_WRITE, OP_ZERO, OP_DISCARD, OP_FLUSH, OP_CREATE, OP_DELETE };

struct op {
    enum op_kind kind;
    uint64_t first, count; /* sectors */
};

/* All that a sector may hold. */
struct allowed {
    uint64_t values[MAX_VALUES];
    unsigned count; /* more than MAX_VALUES: anything */
};

static struct op draw(GRand *random)
{
    static const enum op_kind kinds[] = {OP_WRITE, OP_WRITE, OP_WRITE,  OP_WRITE,
                                         OP_WRITE, OP_WRITE, OP_ZERO,   OP_DISCARD,
                                         OP_FLUSH, OP_FLUSH, OP_CREATE, OP_DELETE};
    struct op op = {.kind = kinds[g_rand_int_range(random, 0, G_N_ELEMENTS(kinds))]};

    op.first = g_rand_int_range(random, 0, SECTORS);
    op.count = g_rand_int_range(random, 1, MAX_COUNT);
    op.count = MIN(op.count, SECTORS - op.first);
    return op;
}

/*
 * The writer.
 */

G_NORETURN static void writer_fail(const char *what, const char *why)
{
    fprintf(stderr, "writer: %s: %s\n", what, why);
    exit(1);
}

static void request(struct image *image, enum block_op op, const struct op *of, uint64_t *buffer)
{
    struct iovec iov = {buffer, of->count * SECTOR};
    struct block_request request = {.op = op, .iov = &iov, .iov_count = buffer != NULL};
    int error;

    if (op != BLOCK_FLUSH) {
        request.offset = of->first * SECTOR;
        request.length = of->count * SECTOR;
    }
    error = image_run(image, &request);
    if (error != 0)
        writer_fail("a request", g_strerror(error));
}

/* Whichever of the two there is room for. */
static void snapshot(struct image *image, bool create, uint64_t number)
{
    g_autofree char *name = g_strdup_printf("s%" G_GUINT64_FORMAT, number);
    const struct image_snapshot description = {.name = name, .icount = UINT64_MAX};
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) list = image_snapshots(image, &error);

    if (list == NULL)
        writer_fail("listing snapshots", error->message);
    if (create && list->len < MAX_SNAPSHOTS)
        image_snapshot_create(image, &description, &error);
    else if (list->len > 0)
        image_snapshot_delete(image, ((struct image_snapshot *)list->pdata[0])->id, &error);
    if (error != NULL)
        writer_fail("a snapshot", error->message);
}

static void carry_out(struct image *image, const struct op *op, uint64_t number)
{
    static uint64_t buffer[MAX_COUNT * SECTOR / 8];

    switch (op->kind) {
    case OP_WRITE:
        for (uint64_t i = 0; i < op->count * SECTOR / 8; i++)
            buffer[i] = number;
        request(image, BLOCK_WRITE, op, buffer);
        break;
    case OP_ZERO:
        request(image, BLOCK_WRITE_ZEROES, op, NULL);
        break;
    case OP_DISCARD:
        request(image, BLOCK_DISCARD, op, NULL);
        break;
    case OP_FLUSH:
        request(image, BLOCK_FLUSH, op, NULL);
        break;
    case OP_CREATE:
    case OP_DELETE:
        snapshot(image, op->kind == OP_CREATE, number);
        break;
    }
}

static struct notes *map_notes(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *notes = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, sizeof(struct notes)) == 0)
        notes = mmap(NULL, sizeof(struct notes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (notes == MAP_FAILED)
        writer_fail(path, "cannot be mapped");
    close(fd);
    return notes;
}

/* Until it is killed. */
static int be_writer(const char *path, const char *notes_path, uint64_t first, uint32_t seed)
{
    const struct image_options options = {.format = "qcow2"};
    struct notes *notes = map_notes(notes_path);
    struct io_context *io = io_context_new(2);
    GRand *random = g_rand_new_with_seed(seed);
    GError *error = NULL;
    struct image *image = image_open(path, &options, io, &error);

    if (image == NULL)
        writer_fail("opening", error->message);
    for (int i = 0; i < OPERATIONS; i++) {
        struct op op = draw(random);

        g_atomic_int_set(&notes->begun, i + 1);
        carry_out(image, &op, first + i);
        if (op.kind == OP_FLUSH)
            g_atomic_int_set(&notes->flushed, i + 1);
    }
    writer_fail(path, "was never killed");
}

/*
 * The judge.
 */

static void allow(struct allowed *allowed, uint64_t value)
{
    if (allowed->count < MAX_VALUES)
        allowed->values[allowed->count] = value;
    if (allowed->count <= MAX_VALUES)
        allowed->count++;
}

/* Until it was flushed an operation may or may not be there, and discards are free to do nothing.
 */
static void replay(struct allowed *sectors, const struct op *op, uint64_t number, bool flushed)
{
    bool changes = op->kind == OP_WRITE || op->kind == OP_ZERO || op->kind == OP_DISCARD;

    for (uint64_t i = op->first; changes && i < op->first + op->count; i++) {
        if (flushed && op->kind != OP_DISCARD)
            sectors[i].count = 0;
        allow(&sectors[i], op->kind == OP_WRITE ? number : 0);
    }
}

/* Leaves each sector with what it holds. */
static void judge(struct oracle *oracle, struct image *image, struct allowed *sectors)
{
    g_autofree uint64_t *data = g_malloc((gsize)SECTORS * SECTOR);

    if (image_read(image, data, 0, (uint64_t)SECTORS * SECTOR) != 0)
        oracle_fail(oracle, "the image cannot be read");
    for (unsigned i = 0; i < SECTORS; i++) {
        const uint64_t *sector = data + (size_t)i * SECTOR / 8;
        bool found = sectors[i].count > MAX_VALUES;

        for (unsigned n = 0; n < sectors[i].count && !found; n++)
            found = sectors[i].values[n] == sector[0];
        for (unsigned n = 1; n < SECTOR / 8; n++)
            found = found && sector[n] == sector[0];
        if (!found)
            oracle_fail(oracle, "sector %u holds %" G_GUINT64_FORMAT ", which it cannot", i,
                        sector[0]);
        sectors[i] = (struct allowed){.values = {sector[0]}, .count = 1};
    }
}

static void check(struct oracle *oracle, struct image *image, bool repair)
{
    struct image_check_result result;
    g_autoptr(GError) error = NULL;

    if (!image_check(image, repair ? IMAGE_REPAIR_LEAKS : 0, &result, NULL, &error))
        oracle_fail(oracle, "checking: %s", error->message);
    if (result.corruptions + result.errors > 0)
        oracle_fail(oracle, "the image is damaged: %s",
                    result.messages->len > 0 ? (char *)result.messages->pdata[0] : "?");
    image_check_result_clear(&result);
}

/* A writer, for a while. */
static void write_and_kill(struct oracle *oracle, const char *path, const char *notes_path,
                           struct notes *notes, uint64_t first, uint32_t seed)
{
    g_autofree char *first_text = g_strdup_printf("%" G_GUINT64_FORMAT, first);
    g_autofree char *seed_text = g_strdup_printf("%u", seed);
    const char *argv[] = {"/proc/self/exe", path, notes_path, first_text, seed_text, NULL};
    g_autoptr(GError) error = NULL;
    int status;
    GPid pid;

    *notes = (struct notes){0};
    if (!g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
                       &error))
        oracle_fail(oracle, "no writer: %s", error->message);
    while (g_atomic_int_get(&notes->begun) == 0 && waitpid(pid, &status, WNOHANG) == 0)
        g_usleep(500);
    g_usleep(oracle_random(oracle, MAX_LIFE_USEC));
    kill(pid, SIGKILL);
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
        oracle_fail(oracle, "the writer ended by itself");
}

/* An image from its creation through some writers. Returns how many operations there were. */
static uint64_t run_image(struct oracle *oracle)
{
    g_autofree struct allowed *sectors = g_new0(struct allowed, SECTORS);
    g_autofree char *path = oracle_path(oracle, "image"),
                    *notes_path = oracle_path(oracle, "notes");
    const struct image_options options = {.format = "qcow2"};
    struct image_create_options create = {
        .format = "qcow2",
        .size = (uint64_t)SECTORS * SECTOR,
        .cluster_size = 512ULL << oracle_random(oracle, 9),
        .refcount_bits = 8U << oracle_random(oracle, 3),
        .lazy_refcounts = oracle_random(oracle, 3) == 0,
    };
    struct notes *notes = map_notes(notes_path);
    uint64_t first = 1;

    create.extended_l2 = create.cluster_size >= 16384 && oracle_random(oracle, 3) == 0;
    oracle_create(oracle, path, &create);
    for (unsigned i = 0; i < SECTORS; i++)
        allow(&sectors[i], 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t seed = g_rand_int(oracle->rand);
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        bool repair = round == ROUNDS - 1 || oracle_random(oracle, 2) == 0;
        struct image *image;

        write_and_kill(oracle, path, notes_path, notes, first, seed);
        for (int i = 0; i < notes->begun; i++) {
            struct op op = draw(random);

            replay(sectors, &op, first + i, i < notes->flushed);
        }
        first += notes->begun;
        image = oracle_open(oracle, path, &options);
        judge(oracle, image, sectors);
        check(oracle, image, repair);
        image_close(image);
        if (repair && oracle_has_qemu_img())
            oracle_qemu_check(oracle, path);
    }
    munmap(notes, sizeof(*notes));
    oracle_remove_files(oracle);
    return first - 1;
}

int main(int argc, char **argv)
{
    const char *seconds = g_getenv("KILL_SECONDS");
    gint64 end = g_get_monotonic_time() +
                 (seconds != NULL ? atoll(seconds) : DEFAULT_SECONDS) * G_USEC_PER_SEC;
    uint64_t operations = 0;
    unsigned images = 0;
    struct oracle oracle;

    if (argc == 5)
        return be_writer(argv[1], argv[2], g_ascii_strtoull(argv[3], NULL, 10),
                         g_ascii_strtoull(argv[4], NULL, 10));
    oracle_init(&oracle);
    do {
        operations += run_image(&oracle);
        images++;
    } while (g_get_monotonic_time() < end);
    oracle_finish(&oracle);
    printf("%u images, %u kills, %" G_GUINT64_FORMAT " operations\n", images, images * ROUNDS,
           operations);
    return 0;
}
