/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logs of VHDX images that were not closed well, made by hand. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "disks/crc32c.h"
#include "disks/image.h"
#include "disks/io_context.h"
#include "disks/vhdx_log.h"
#include "tests/fakes/memory_file.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

#define SECTOR VHDX_LOG_SECTOR
#define MIB (1024 * 1024)
#define SIZE (4 * MIB)
#define LOG_OFFSET MIB
#define LOG_SECTORS 16
#define DATA 0x30000 /* where the entries of these tests write */

static const uint8_t id[VHDX_GUID_SIZE] = {1, 2, 3, 4};
static struct memory_file *memory;

static void setup(void)
{
    memory = memory_file_new(SIZE);
    memset(memory->data, 0xee, SIZE);
    memset(memory->data + LOG_OFFSET, 0, LOG_SECTORS * SECTOR);
}

static void teardown(void)
{
    memory_file_free(memory);
}

static void put32(uint8_t *to, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    memcpy(to, &value, sizeof(value));
}

static void put64(uint8_t *to, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    memcpy(to, &value, sizeof(value));
}

struct change {
    uint64_t offset;
    const uint8_t *sector; /* NULL: zeros */
    uint64_t zeros;
};

struct entry {
    uint64_t sequence;
    unsigned tail; /* sector of the log */
    uint64_t flushed, last;
    const struct change *changes;
    unsigned count;
};

/* As [MS-VHDX] 2.3.1 lays it out. Returns its sectors. */
static unsigned encode(const struct entry *entry, const uint8_t *log_id, uint8_t *to)
{
    unsigned sectors = 1;

    memset(to, 0, SECTOR);
    memcpy(to, "loge", 4);
    put32(to + 12, entry->tail * SECTOR);
    put64(to + 16, entry->sequence);
    put32(to + 24, entry->count);
    memcpy(to + 32, log_id, VHDX_GUID_SIZE);
    put64(to + 48, entry->flushed);
    put64(to + 56, entry->last);
    for (unsigned i = 0; i < entry->count; i++) {
        const struct change *change = &entry->changes[i];
        uint8_t *descriptor = to + 64 + i * 32, *data = to + sectors * SECTOR;

        memcpy(descriptor, change->sector != NULL ? "desc" : "zero", 4);
        put64(descriptor + 8, change->zeros);
        put64(descriptor + 16, change->offset);
        put64(descriptor + 24, entry->sequence);
        if (change->sector == NULL)
            continue;
        memcpy(descriptor + 4, change->sector + SECTOR - 4, 4);
        memcpy(descriptor + 8, change->sector, 8);
        memcpy(data, change->sector, SECTOR);
        memcpy(data, "data", 4);
        put32(data + 4, entry->sequence >> 32);
        put32(data + SECTOR - 4, entry->sequence);
        sectors++;
    }
    put32(to + 8, sectors * SECTOR);
    put32(to + 4, crc32c(0, to, sectors * SECTOR));
    return sectors;
}

/* Puts an entry at a sector of the log, around its end if need be. */
static unsigned add_entry(unsigned at, const struct entry *entry)
{
    static uint8_t bytes[LOG_SECTORS * SECTOR];
    unsigned sectors = encode(entry, id, bytes);

    for (unsigned i = 0; i < sectors; i++)
        memcpy(memory->data + LOG_OFFSET + (uint64_t)((at + i) % LOG_SECTORS) * SECTOR,
               bytes + i * SECTOR, SECTOR);
    return at + sectors;
}

/* An entry that fills the sector at DATA + n sectors with a byte. */
static unsigned add_fill(unsigned at, uint64_t sequence, unsigned tail, unsigned n, int byte)
{
    uint8_t sector[SECTOR];
    const struct change change = {.offset = DATA + (uint64_t)n * SECTOR, .sector = sector};

    memset(sector, byte, sizeof(sector));
    return add_entry(at, &(struct entry){sequence, tail, SIZE, SIZE, &change, 1});
}

static struct file *replay(void)
{
    g_autoptr(GError) error = NULL;
    struct file *file =
        vhdx_log_replay(&memory->file, LOG_OFFSET, LOG_SECTORS * SECTOR, id, &error);

    ck_assert_msg(file != NULL, "%s", error != NULL ? error->message : "");
    return file;
}

static void assert_damaged(void)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(
        vhdx_log_replay(&memory->file, LOG_OFFSET, LOG_SECTORS * SECTOR, id, &error));
    ck_assert_int_eq(error->code, VMDESK_ERROR_INVALID);
    ck_assert_ptr_nonnull(strstr(error->message, "log is damaged"));
}

/* All bytes of the sector at DATA + n sectors. */
static void assert_filled(struct file *file, unsigned n, int byte)
{
    uint8_t sector[SECTOR];

    ck_assert_int_eq(file_read_buffer(file, sector, SECTOR, DATA + (uint64_t)n * SECTOR), 0);
    for (unsigned i = 0; i < SECTOR; i++)
        if (sector[i] != byte)
            ck_abort_msg("byte %u of sector %u is %02x", i, n, sector[i]);
}

START_TEST(changes_are_read_in_their_places)
{
    uint8_t sector[SECTOR], read[6 * SECTOR];
    const struct change changes[] = {{DATA + SECTOR, sector, 0}, {DATA + 3 * SECTOR, NULL, 8192}};
    struct file *file;
    uint64_t size;

    for (unsigned i = 0; i < SECTOR; i++)
        sector[i] = i * 7;
    add_entry(5, &(struct entry){UINT64_C(0x700000009), 5, SIZE, SIZE + MIB, changes, 2});
    file = replay();
    ck_assert_int_eq(file->ops->size(file, &size), 0);
    ck_assert_uint_eq(size, SIZE + MIB);
    /* Across all of them, neither end at a sector. */
    ck_assert_int_eq(file_read_buffer(file, read, sizeof(read) - 20, DATA + 10), 0);
    for (unsigned i = 10; i < sizeof(read) - 10; i++) {
        int wanted = i / SECTOR == 1                      ? sector[i % SECTOR]
                     : i / SECTOR == 3 || i / SECTOR == 4 ? 0
                                                          : 0xee;
        if (read[i - 10] != wanted)
            ck_abort_msg("byte %u is %02x and not %02x", i, read[i - 10], wanted);
    }
    /* What the file is longer by reads as zeros. */
    ck_assert_int_eq(file_read_buffer(file, read, SECTOR, SIZE - 2), 0);
    ck_assert_int_eq(read[1], 0xee);
    ck_assert_int_eq(read[2], 0);
    ck_assert_int_eq(file_read_buffer(file, read, 2, SIZE + MIB - 1), -EIO);
    file_close(file);
    ck_assert_ptr_null(strchr(memory->log->str, 'w'));
}
END_TEST

START_TEST(later_entries_win)
{
    struct file *file;

    add_fill(add_fill(add_fill(0, 7, 0, 0, 1), 8, 0, 1, 2), 9, 0, 0, 3);
    file = replay();
    assert_filled(file, 0, 3);
    assert_filled(file, 1, 2);
    file_close(file);
}
END_TEST

START_TEST(a_torn_entry_is_not_there)
{
    unsigned next = add_fill(0, 7, 0, 0, 1);
    struct file *file;

    add_fill(next, 8, 0, 0, 2);
    memory->data[LOG_OFFSET + (next + 1) * SECTOR + 100] ^= 1;
    file = replay();
    assert_filled(file, 0, 1);
    file_close(file);
}
END_TEST

START_TEST(entries_go_around_the_end)
{
    struct file *file;

    /* The second is in the last sector and the first. */
    add_fill(add_fill(add_fill(LOG_SECTORS - 3, 7, LOG_SECTORS - 3, 0, 1), 8, LOG_SECTORS - 3, 1,
                      2),
             9, LOG_SECTORS - 3, 2, 3);
    file = replay();
    for (unsigned i = 0; i < 3; i++)
        assert_filled(file, i, i + 1);
    file_close(file);
}
END_TEST

START_TEST(what_an_older_sequence_left_does_not_count)
{
    struct file *file;

    add_fill(2, 3, 2, 1, 1);
    add_fill(8, 20, 8, 0, 2);
    add_fill(10, 5, 10, 2, 3); /* behind it, and not the next */
    file = replay();
    assert_filled(file, 0, 2);
    assert_filled(file, 1, 0xee);
    assert_filled(file, 2, 0xee);
    file_close(file);
}
END_TEST

START_TEST(what_lies_before_the_tail_is_in_place_already)
{
    struct file *file;

    add_fill(add_fill(add_fill(0, 7, 0, 0, 1), 8, 2, 1, 2), 9, 2, 2, 3);
    file = replay();
    assert_filled(file, 0, 0xee);
    assert_filled(file, 1, 2);
    assert_filled(file, 2, 3);
    file_close(file);
}
END_TEST

START_TEST(damaged_logs)
{
    uint8_t sector[SECTOR] = {0};
    struct change change = {.offset = DATA, .sector = sector};
    struct entry entry = {9, 0, SIZE, SIZE, &change, 1};

    assert_damaged(); /* an empty one */
    entry.flushed = SIZE + 1;
    add_entry(0, &entry);
    assert_damaged();
    entry.flushed = SIZE;
    entry.last = UINT64_MAX;
    add_entry(0, &entry);
    assert_damaged();
    entry.last = SIZE;
    entry.tail = 5; /* where no entry is */
    add_entry(0, &entry);
    assert_damaged();
    entry.tail = 0;
    change.offset++;
    add_entry(0, &entry);
    assert_damaged();
    change = (struct change){.offset = DATA, .zeros = UINT64_MAX & ~(uint64_t)(SECTOR - 1)};
    add_entry(0, &entry);
    assert_damaged();
    change.zeros = SECTOR;
    entry.sequence = 0;
    add_entry(0, &entry);
    assert_damaged();
    entry.sequence = 1;
    add_entry(0, &entry);
    file_close(replay());
    put32(memory->data + LOG_OFFSET + 24, UINT32_MAX); /* descriptors */
    put32(memory->data + LOG_OFFSET + 4, 0);
    put32(memory->data + LOG_OFFSET + 4, crc32c(0, memory->data + LOG_OFFSET, SECTOR));
    assert_damaged();
}
END_TEST

START_TEST(places_of_logs)
{
    static const struct {
        uint64_t offset;
        uint32_t length;
    } places[] = {
        {LOG_OFFSET, 0},      {LOG_OFFSET, SECTOR + 1},          {SIZE - SECTOR, 2 * SECTOR},
        {UINT64_MAX, SECTOR}, {0, VHDX_LOG_MAX_LENGTH + SECTOR},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(
            vhdx_log_replay(&memory->file, places[i].offset, places[i].length, id, &error));
        ck_assert_int_eq(error->code, VMDESK_ERROR_INVALID);
    }
}
END_TEST

/* Each sector starts an entry as long as the log: not each is looked at to its end. */
START_TEST(entries_that_overlap_cost_no_more)
{
    memory_file_free(memory);
    memory = memory_file_new(VHDX_LOG_MAX_LENGTH);
    for (uint64_t at = 0; at < VHDX_LOG_MAX_LENGTH; at += SECTOR) {
        encode(&(struct entry){9, 0, 0, 0, NULL, 0}, id, memory->data + at);
        put32(memory->data + at + 8, VHDX_LOG_MAX_LENGTH);
    }
    ck_assert_ptr_null(vhdx_log_replay(&memory->file, 0, VHDX_LOG_MAX_LENGTH, id, NULL));
}
END_TEST

static char *read_all(const char *path, struct io_context *io, uint64_t *ret_size)
{
    const struct image_options options = {.format = "vhdx", .read_only = true};
    g_autoptr(GError) error = NULL;
    struct image *image = image_open(path, &options, io, &error);
    char *bytes;

    ck_assert_msg(image != NULL, "%s", error != NULL ? error->message : "");
    *ret_size = image_size(image);
    bytes = g_malloc(*ret_size);
    ck_assert_int_eq(image_read(image, bytes, 0, *ret_size), 0);
    image_close(image);
    return bytes;
}

static void run(const char *format, const char *path)
{
    g_autofree char *command = g_strdup_printf(format, path);
    int status;

    ck_assert(g_spawn_command_line_sync(command, NULL, NULL, &status, NULL));
    ck_assert_msg(status == 0, "failed: %s", command);
}

/* Takes the third block away by way of the log, and zeros a part of the second. */
static void make_dirty(char *contents, uint64_t size)
{
    uint8_t bat[SECTOR], log[4 * SECTOR];
    uint64_t log_offset, bat_offset = 0, block;
    struct change changes[2] = {{.sector = bat}, {.zeros = 16 * SECTOR}};
    struct entry entry = {1, 0, size, size, changes, 2};

    for (unsigned i = 0; i < 2; i++) {
        char *region = contents + 192 * 1024 + 16 + i * 32;

        if (memcmp(region, "\x66\x77\xc2\x2d", 4) == 0)
            memcpy(&bat_offset, region + 16, sizeof(bat_offset));
    }
    memcpy(bat, contents + bat_offset, SECTOR);
    memcpy(&block, bat + 8, sizeof(block));
    memset(bat + 16, 0, 8);
    changes[0].offset = bat_offset;
    changes[1].offset = (block >> 20) * MIB + 8 * SECTOR;
    for (uint64_t header = 64 * 1024; header <= 128 * 1024; header += 64 * 1024) {
        uint8_t *bytes = (uint8_t *)contents + header;

        memcpy(bytes + 48, id, sizeof(id));
        put32(bytes + 4, 0);
        put32(bytes + 4, crc32c(0, bytes, SECTOR));
        memcpy(&log_offset, bytes + 72, sizeof(log_offset));
    }
    memcpy(contents + log_offset, log, encode(&entry, id, log) * SECTOR);
}

START_TEST(qemu_img_replays_the_same)
{
    char *folder = temp_folder_new();
    struct io_context *io = io_context_new(2);
    g_autofree char *path = g_build_filename(folder, "image", NULL);
    g_autofree char *raw = g_build_filename(folder, "raw", NULL);
    g_autofree char *contents = g_malloc(SIZE), *clean = NULL, *ours = NULL, *theirs = NULL;
    g_autofree char *converted = g_strconcat(raw, " ", path, NULL);
    uint64_t clean_size, our_size, their_size;
    gsize size;

    memset(contents, 0x5a, SIZE);
    ck_assert(g_file_set_contents(raw, contents, SIZE, NULL));
    run("qemu-img convert -f raw -O vhdx -o subformat=dynamic,block_size=1M %s", converted);
    clean = read_all(path, io, &clean_size);
    g_clear_pointer(&contents, g_free);
    ck_assert(g_file_get_contents(path, &contents, &size, NULL));
    make_dirty(contents, size);
    ck_assert(g_file_set_contents(path, contents, size, NULL));
    ours = read_all(path, io, &our_size);
    run("qemu-img check -f vhdx -r all %s", path);
    theirs = read_all(path, io, &their_size);
    ck_assert_uint_eq(our_size, their_size);
    ck_assert_int_eq(memcmp(ours, theirs, our_size), 0);
    ck_assert_int_ne(memcmp(ours, clean, our_size), 0);
    ck_assert_int_eq(ours[MIB + 8 * SECTOR], 0);
    ck_assert_int_eq(ours[MIB + 8 * SECTOR - 1], 0x5a);
    ck_assert_int_eq(ours[2 * MIB], 0);
    io_context_free(io);
    temp_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vhdx_log");
    TCase *tc = tcase_create("vhdx_log");
    g_autofree char *qemu_img = g_find_program_in_path("qemu-img");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, changes_are_read_in_their_places);
    tcase_add_test(tc, later_entries_win);
    tcase_add_test(tc, a_torn_entry_is_not_there);
    tcase_add_test(tc, entries_go_around_the_end);
    tcase_add_test(tc, what_an_older_sequence_left_does_not_count);
    tcase_add_test(tc, what_lies_before_the_tail_is_in_place_already);
    tcase_add_test(tc, damaged_logs);
    tcase_add_test(tc, places_of_logs);
    tcase_add_test(tc, entries_that_overlap_cost_no_more);
    if (qemu_img != NULL)
        tcase_add_test(tc, qemu_img_replays_the_same);
    else
        printf("There is no qemu-img to compare with.\n");
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
