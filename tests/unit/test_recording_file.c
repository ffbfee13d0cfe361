/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recording that crash tests stand on: it must permit all that a crash may do, and no more. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/fakes/recording_file.h"
#include "tests/suite.h"

#define SECTOR RECORDING_SECTOR_SIZE
#define ROUNDS 200

static struct recording *recording;
static struct file *file;
static GRand *rand_;

static void setup(void)
{
    recording = recording_new();
    recording_add(recording, "a", NULL, 4 * SECTOR);
    recording_add(recording, "b", "start", 5);
    file = recording_open(recording, "a", false);
    rand_ = g_rand_new_with_seed(1);
}

static void teardown(void)
{
    file_close(file);
    recording_free(recording);
    g_rand_free(rand_);
}

static int put(struct file *to, uint64_t offset, uint8_t value, size_t length)
{
    g_autofree uint8_t *data = g_malloc(length);
    struct iovec iov = {data, length};

    memset(data, value, length);
    return file_write_all(to, &iov, 1, offset);
}

/* The first byte of each sector after the crash, as digits; '.' is a zero. */
static char *crashed(const char *name, enum recording_loss loss)
{
    struct recording *after = recording_crash(recording, recording_count(recording), loss, rand_);
    g_autoptr(GBytes) bytes = recording_contents(after, name);
    GString *text = g_string_new(NULL);
    gsize size;
    const uint8_t *data = g_bytes_get_data(bytes, &size);

    for (gsize at = 0; at < size; at += SECTOR)
        g_string_append_c(text, data[at] == 0 ? '.' : '0' + data[at]);
    recording_free(after);
    return g_string_free(text, FALSE);
}

/* All that may come of a crash; the keys are the texts of crashed(). */
static GHashTable *outcomes(const char *name, enum recording_loss loss)
{
    GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (int i = 0; i < ROUNDS; i++)
        g_hash_table_add(seen, crashed(name, loss));
    return seen;
}

static void assert_outcomes(enum recording_loss loss, const char *const *expected)
{
    g_autoptr(GHashTable) seen = outcomes("a", loss);
    unsigned count = g_strv_length((char **)expected);

    for (unsigned i = 0; i < count; i++)
        ck_assert_msg(g_hash_table_contains(seen, expected[i]), "%s never comes", expected[i]);
    ck_assert_uint_eq(g_hash_table_size(seen), count);
}

START_TEST(what_is_written_is_read)
{
    char buffer[8] = "";
    struct iovec iov[] = {{buffer, 2}, {buffer + 2, 6}};
    struct file *other = recording_open(recording, "b", true);
    uint64_t size;

    ck_assert_ptr_null(recording_open(recording, "c", true));
    ck_assert_int_eq(other->ops->read(other, iov, 2, 0), 5);
    ck_assert_str_eq(buffer, "start");
    ck_assert_int_eq(put(other, 0, 1, 1), -EBADF);
    ck_assert_int_eq(other->ops->flush(other), 0);
    file_close(other);
    ck_assert_int_eq(put(file, 3 * SECTOR, 7, 2 * SECTOR), 0);
    ck_assert_int_eq(file->ops->size(file, &size), 0);
    ck_assert_uint_eq(size, 5 * SECTOR);
    ck_assert_int_eq(file->ops->truncate(file, 100), 0);
    ck_assert_int_eq(file->ops->truncate(file, 200), 0);
    ck_assert_int_eq(file->ops->discard(file, 50, 1000), 0);
    ck_assert_uint_eq(recording_count(recording), 4);
    ck_assert_int_eq(recording_event(recording, 0)->kind, RECORDED_WRITE);
    ck_assert_uint_eq(recording_event(recording, 0)->offset, 3 * SECTOR);
    ck_assert_uint_eq(recording_event(recording, 0)->length, 2 * SECTOR);
}
END_TEST

START_TEST(a_flush_keeps_what_was_before_it)
{
    g_autofree char *kept = NULL, *all = NULL;

    put(file, 0, 1, 2 * SECTOR);
    file->ops->flush(file);
    put(file, 2 * SECTOR, 2, SECTOR);
    kept = crashed("a", RECORDING_LOSE_ALL);
    ck_assert_str_eq(kept, "11..");
    all = crashed("a", RECORDING_LOSE_NOTHING);
    ck_assert_str_eq(all, "112.");
    assert_outcomes(RECORDING_LOSE_CALLS, (const char *const[]){"11..", "112.", NULL});
}
END_TEST

START_TEST(a_flush_is_of_one_file)
{
    struct file *other = recording_open(recording, "b", false);
    g_autofree char *lost = NULL;

    put(file, 0, 1, SECTOR);
    other->ops->flush(other);
    file_close(other);
    lost = crashed("a", RECORDING_LOSE_ALL);
    ck_assert_str_eq(lost, "....");
}
END_TEST

START_TEST(calls_are_lost_in_any_set)
{
    put(file, 0, 1, 2 * SECTOR);
    put(file, 3 * SECTOR, 2, SECTOR);
    assert_outcomes(RECORDING_LOSE_CALLS,
                    (const char *const[]){"....", "11..", "...2", "11.2", NULL});
}
END_TEST

START_TEST(sectors_are_torn)
{
    put(file, 0, 1, 2 * SECTOR);
    put(file, SECTOR, 2, SECTOR);
    assert_outcomes(RECORDING_LOSE_SECTORS,
                    (const char *const[]){"....", "1...", ".1..", "11..", ".2..", "12..", NULL});
}
END_TEST

START_TEST(a_size_comes_without_its_data)
{
    put(file, 4 * SECTOR, 1, SECTOR);
    assert_outcomes(RECORDING_LOSE_SECTORS, (const char *const[]){"....", ".....", "....1", NULL});
}
END_TEST

START_TEST(what_was_cut_off_does_not_come_back)
{
    put(file, 0, 1, 4 * SECTOR);
    file->ops->flush(file);
    file->ops->truncate(file, 3 * SECTOR);
    file->ops->truncate(file, 4 * SECTOR);
    assert_outcomes(RECORDING_LOSE_SECTORS, (const char *const[]){"1111", "111", "111.", NULL});
}
END_TEST

START_TEST(a_crash_is_at_any_moment)
{
    put(file, 0, 1, SECTOR);
    put(file, 0, 2, SECTOR);
    for (unsigned events = 0; events <= 2; events++) {
        struct recording *after = recording_crash(recording, events, RECORDING_LOSE_NOTHING, NULL);
        g_autoptr(GBytes) bytes = recording_contents(after, "a");

        ck_assert_uint_eq(*(const uint8_t *)g_bytes_get_data(bytes, NULL), events);
        recording_free(after);
    }
}
END_TEST

START_TEST(calls_fail_on_demand)
{
    uint8_t byte;
    struct iovec iov = {&byte, 1};

    recording_fail(recording, RECORDING_WRITES | RECORDING_FLUSHES, 2, ENOSPC, false);
    ck_assert_int_eq(put(file, 0, 1, SECTOR), 0);
    ck_assert_int_eq(file->ops->read(file, &iov, 1, 0), 1);
    ck_assert_uint_eq(recording_calls(recording), 1);
    ck_assert_int_eq(file->ops->flush(file), -ENOSPC);
    ck_assert_int_eq(file->ops->flush(file), 0);
    ck_assert_uint_eq(recording_calls(recording), 3);

    recording_fail(recording, RECORDING_CHANGES, 1, EIO, true);
    ck_assert_int_eq(put(file, 0, 2, 2 * SECTOR), -EIO);
    ck_assert_int_eq(file->ops->truncate(file, 0), -EIO);
    ck_assert_int_eq(file->ops->discard(file, 0, 1), -EIO);
    recording_fail(recording, RECORDING_CHANGES, 0, 0, false);
    ck_assert_int_eq(file->ops->flush(file), 0);
    ck_assert_uint_eq(recording_calls(recording), 1);

    recording_fail(recording, RECORDING_READS, 1, EIO, false);
    ck_assert_int_eq(file->ops->read(file, &iov, 1, 0), -EIO);
    ck_assert_int_eq(file->ops->read(file, &iov, 1, SECTOR), 1);
    ck_assert_uint_eq(byte, 0); /* the write that failed did half */
    ck_assert_int_eq(file->ops->read(file, &iov, 1, 0), 1);
    ck_assert_uint_eq(byte, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recording_file");
    TCase *tc = tcase_create("recording_file");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_written_is_read);
    tcase_add_test(tc, a_flush_keeps_what_was_before_it);
    tcase_add_test(tc, a_flush_is_of_one_file);
    tcase_add_test(tc, calls_are_lost_in_any_set);
    tcase_add_test(tc, sectors_are_torn);
    tcase_add_test(tc, a_size_comes_without_its_data);
    tcase_add_test(tc, what_was_cut_off_does_not_come_back);
    tcase_add_test(tc, a_crash_is_at_any_moment);
    tcase_add_test(tc, calls_fail_on_demand);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
