/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "engine/dev/flash.h"
#include "tests/fakes/fake_board.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

#define BASE 0xffc00000
#define SIZE (4 * FLASH_BLOCK_SIZE)

static struct fake_board fake;
static char *folder, *file;
static bool finished;

static uint8_t get(uint64_t offset)
{
    return fake_load(&fake, BASE + offset, 1);
}

static void put(uint64_t offset, uint8_t value)
{
    fake_store(&fake, BASE + offset, value, 1);
}

/* Whether the guest sees host memory. */
static bool is_mapped(void)
{
    const struct memory_section *section = memory_map_find(fake.board.memory, BASE);

    return section->region->host != NULL && section->region->readonly;
}

static struct flash *open_flash(bool read_only, GError **err)
{
    return flash_new(&fake.board, "flash0", BASE, file, SIZE, read_only, err);
}

static void write_file(size_t size)
{
    g_autofree char *bytes = g_malloc(size);

    for (size_t i = 0; i < size; i++)
        bytes[i] = 'A' + i / FLASH_BLOCK_SIZE;
    ck_assert(g_file_set_contents(file, bytes, size, NULL));
}

static char *read_file(void)
{
    char *bytes;
    gsize size;

    ck_assert(g_file_get_contents(file, &bytes, &size, NULL));
    ck_assert_uint_eq(size, SIZE);
    return bytes;
}

static void finish(void)
{
    if (!finished)
        fake_board_finish(&fake);
    finished = true;
}

static void setup(void)
{
    folder = temp_folder_new();
    file = g_build_filename(folder, "vars.fd", NULL);
    fake_board_init(&fake, 0);
    finished = false;
    write_file(SIZE);
}

static void setup_open(void)
{
    setup();
    ck_assert_ptr_nonnull(open_flash(false, NULL));
}

static void teardown(void)
{
    finish();
    g_free(file);
    temp_folder_remove(folder);
}

START_TEST(reads_as_memory)
{
    ck_assert(is_mapped());
    ck_assert_uint_eq(fake_load(&fake, BASE, 4), 0x41414141);
    ck_assert_uint_eq(get(SIZE - 1), 'D');
    ck_assert_uint_eq(fake_load(&fake, BASE + SIZE, 1), 0xff);
}
END_TEST

/* The steps by which OVMF finds out what is there, then writes and erases. */
START_TEST(ovmf_sequence)
{
    put(8, 0x50);
    ck_assert_uint_eq(get(8), 'A'); /* no RAM */
    put(8, 0x70);
    ck_assert_uint_eq(get(8), 0x00); /* a flash chip */
    ck_assert(!is_mapped());
    put(8, 0xff);
    ck_assert_uint_eq(get(8), 'A');
    ck_assert(is_mapped());

    for (unsigned i = 0; i < 3; i++) {
        put(8 + i, 0x10);
        put(8 + i, "\x40\x01\xff"[i]);
    }
    put(10, 0xff);
    ck_assert(is_mapped());
    ck_assert_uint_eq(get(8), 0x40);
    ck_assert_uint_eq(get(9), 0x01);
    ck_assert_uint_eq(get(10), 'A'); /* ones program nothing */

    put(FLASH_BLOCK_SIZE, 0x20);
    put(FLASH_BLOCK_SIZE, 0xd0);
    ck_assert_uint_eq(get(0), 0x80);
    put(0, 0xff);
    ck_assert_uint_eq(get(FLASH_BLOCK_SIZE - 1), 'A');
    ck_assert_uint_eq(get(FLASH_BLOCK_SIZE), 0xff);
    ck_assert_uint_eq(get(2 * FLASH_BLOCK_SIZE - 1), 0xff);
    ck_assert_uint_eq(get(2 * FLASH_BLOCK_SIZE), 'C');
    put(FLASH_BLOCK_SIZE, 0x40);
    put(FLASH_BLOCK_SIZE, 0x5a);
    put(0, 0xff);
    ck_assert_uint_eq(get(FLASH_BLOCK_SIZE), 0x5a);
}
END_TEST

/* Each row: what is written (offset, value), then the status. */
START_TEST(state_machine)
{
    static const struct {
        const char *what;
        struct {
            uint16_t offset;
            uint8_t value;
        } writes[8];
        unsigned count;
        uint8_t status;
    } rows[] = {
        {"at start", {{0, 0x70}}, 1, 0x80},
        {"cleared", {{0, 0x70}, {0, 0x50}}, 2, 0x00},
        {"programmed", {{0, 0x50}, {0, 0x10}, {0, 0xff}}, 3, 0x80},
        {"erased", {{0, 0x50}, {0, 0x20}, {0, 0xd0}}, 3, 0x80},
        {"erase not confirmed", {{0, 0x20}, {0, 0xff}}, 2, 0xb0},
        {"error stays", {{0, 0x20}, {0, 0xff}, {0, 0x10}, {0, 0xff}}, 4, 0xb0},
        {"unlocked", {{0, 0x60}, {0, 0xd0}}, 2, 0x80},
        {"lock sequence", {{0, 0x60}, {0, 0x55}}, 2, 0xb0},
        {"buffer free", {{0, 0x50}, {0, 0xe8}}, 2, 0x80},
        {"buffered", {{0, 0xe8}, {0, 1}, {4, 0}, {5, 0}, {0, 0xd0}}, 5, 0x80},
        {"buffer not confirmed", {{0, 0xe8}, {0, 0}, {4, 0}, {0, 0x70}}, 4, 0xb0},
        {"buffer left", {{0, 0xe8}, {0, 1}, {255, 0}, {256, 0}, {0, 0x70}}, 5, 0xb0},
        {"unknown command", {{0, 0x70}, {0, 0x33}}, 2, 0x80},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fake_board_reset(&fake);
        for (unsigned n = 0; n < rows[i].count; n++)
            put(rows[i].writes[n].offset, rows[i].writes[n].value);
        ck_assert_msg(get(0) == rows[i].status, "%s: 0x%02x", rows[i].what, get(0));
    }
}
END_TEST

START_TEST(buffered_program)
{
    put(0x1000, 0x20);
    put(0x1000, 0xd0);
    put(0x1000, 0xe8);
    put(0x1000, 3);
    /* As a memcpy writes: wide, and from the middle of a buffer's place. */
    fake_store(&fake, BASE + 0x1104, 0x04030201, 4);
    put(0x1000, 0xd0);
    put(0x1000, 0xff);
    ck_assert_uint_eq(fake_load(&fake, BASE + 0x1100, 8), UINT64_C(0x04030201ffffffff));
    ck_assert_uint_eq(get(0x1108), 0xff);

    /* A whole buffer, at the end of the chip. */
    put(SIZE - 1, 0xe8);
    put(SIZE - 1, 0xff);
    for (unsigned i = 0; i < 256; i++)
        put(SIZE - 256 + i, 0x40);
    put(SIZE - 1, 0xd0);
    put(SIZE - 1, 0xff);
    ck_assert_uint_eq(get(SIZE - 257), 'D');
    ck_assert_uint_eq(get(SIZE - 256), 'D' & 0x40);
    ck_assert_uint_eq(get(SIZE - 1), 'D' & 0x40);
}
END_TEST

START_TEST(identification)
{
    put(0, 0x90);
    ck_assert_uint_eq(get(0), 0x89);
    ck_assert_uint_eq(get(FLASH_BLOCK_SIZE + 2), 0);
    put(0, 0x98);
    ck_assert_uint_eq(get(0x10), 'Q');
    ck_assert_uint_eq(get(0x11), 'R');
    ck_assert_uint_eq(get(0x12), 'Y');
    ck_assert_uint_eq(get(0x27), 14); /* 2^14 bytes */
    ck_assert_uint_eq(get(0x2d), 3);  /* 4 blocks */
    ck_assert_uint_eq(get(0x2f) | get(0x30) << 8, FLASH_BLOCK_SIZE / 256);
    ck_assert_uint_eq(get(SIZE - 1), 0);
    fake_board_reset(&fake);
    ck_assert_uint_eq(get(0x10), 'A');
    ck_assert(is_mapped());
}
END_TEST

START_TEST(changes_reach_the_file)
{
    char *bytes = NULL;

    put(16, 0x40);
    put(16, 0x01);
    /* While the machine runs: soon, not at once. */
    for (unsigned i = 0; i < 500; i++) {
        g_free(bytes);
        bytes = read_file();
        if (bytes[16] == 0x01)
            break;
        g_usleep(10000);
    }
    ck_assert_int_eq(bytes[16], 0x01);
    ck_assert_int_eq(bytes[17], 'A');
    g_free(bytes);
    /* The last ones when it ends. */
    put(SIZE - 1, 0x20);
    put(SIZE - 1, 0xd0);
    finish();
    bytes = read_file();
    ck_assert_int_eq((uint8_t)bytes[SIZE - 1], 0xff);
    ck_assert_int_eq(bytes[16], 0x01);
    g_free(bytes);
}
END_TEST

START_TEST(unchanged_file_stays)
{
    struct stat before, after;

    ck_assert_int_eq(stat(file, &before), 0);
    put(0, 0x40);
    put(0, 0xff);
    finish();
    ck_assert_int_eq(stat(file, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
}
END_TEST

START_TEST(file_that_cannot_be_replaced)
{
    /* A folder in its place: the change is lost, the machine is not. */
    g_unlink(file);
    ck_assert_int_eq(g_mkdir(file, 0700), 0);
    put(0, 0x40);
    put(0, 0x00);
    put(0, 0xff);
    ck_assert_uint_eq(get(0), 0);
    g_usleep((FLASH_WRITE_DELAY_MS + 50) * 1000);
    finish();
    ck_assert(g_file_test(file, G_FILE_TEST_IS_DIR));
    g_rmdir(file);
}
END_TEST

START_TEST(read_only)
{
    ck_assert_ptr_nonnull(open_flash(true, NULL));
    put(0, 0x10);
    put(0, 0x00);
    ck_assert_uint_eq(get(0), 0x92);
    put(0, 0x50);
    put(0, 0x20);
    put(0, 0xd0);
    ck_assert_uint_eq(get(0), 0xa2);
    put(0, 0x50);
    put(0, 0xe8);
    put(0, 0);
    put(0, 0);
    put(0, 0xd0);
    ck_assert_uint_eq(get(0), 0x92);
    put(0, 0x90);
    ck_assert_uint_eq(get(2), 1);
    put(0, 0xff);
    ck_assert_uint_eq(get(0), 'A');
}
END_TEST

START_TEST(bad_files)
{
    GError *err = NULL;

    for (int i = 0; i < 2; i++) {
        write_file(SIZE - 1 + 2 * i);
        ck_assert_ptr_null(open_flash(i == 0, &err));
        ck_assert(g_error_matches(err, VMDESK_ERROR, VMDESK_ERROR_INVALID));
        ck_assert_ptr_nonnull(strstr(err->message, "vars.fd"));
        ck_assert_ptr_nonnull(strstr(err->message, "16384 bytes"));
        g_clear_error(&err);
    }
    g_unlink(file);
    ck_assert_ptr_null(open_flash(false, &err));
    ck_assert(g_error_matches(err, VMDESK_ERROR, VMDESK_ERROR_NOT_FOUND));
    g_clear_error(&err);
    ck_assert_int_eq(mkfifo(file, 0600), 0);
    ck_assert_ptr_null(open_flash(true, &err));
    ck_assert(g_error_matches(err, VMDESK_ERROR, VMDESK_ERROR_INVALID));
    g_clear_error(&err);
    ck_assert_ptr_null(memory_map_find(fake.board.memory, BASE));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flash");
    TCase *tc = tcase_create("chip"), *files = tcase_create("files");

    tcase_add_checked_fixture(tc, setup_open, teardown);
    tcase_add_test(tc, reads_as_memory);
    tcase_add_test(tc, ovmf_sequence);
    tcase_add_test(tc, state_machine);
    tcase_add_test(tc, buffered_program);
    tcase_add_test(tc, identification);
    tcase_add_test(tc, changes_reach_the_file);
    tcase_add_test(tc, unchanged_file_stays);
    tcase_add_test(tc, file_that_cannot_be_replaced);
    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(files, setup, teardown);
    tcase_add_test(files, read_only);
    tcase_add_test(files, bad_files);
    suite_add_tcase(suite, files);
    return run_suite(suite);
}
