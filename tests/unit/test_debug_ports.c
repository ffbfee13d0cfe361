/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices of a port or two. */
#include <check.h>
#include <string.h>

#include "core/error.h"
#include "engine/dev/debug_exit.h"
#include "engine/dev/debugcon.h"
#include "engine/dev/fpu_error.h"
#include "engine/dev/port92.h"
#include "tests/fakes/fake_board.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

static struct fake_board fake;
static char *folder, *file;
static bool finished;

static void say(const char *text)
{
    for (; *text != '\0'; text++)
        fake_out8(&fake, DEBUGCON_PORT, *text);
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
    file = g_build_filename(folder, "debug.log", NULL);
    fake_board_init(&fake, 0);
    finished = false;
}

static void teardown(void)
{
    finish();
    g_free(file);
    temp_folder_remove(folder);
}

START_TEST(console_writes_lines)
{
    g_autofree char *text = NULL, *end = NULL;

    temp_folder_write(folder, "debug.log", "of an older run");
    ck_assert_ptr_nonnull(debugcon_new(&fake.board, DEBUGCON_PORT, file, NULL));
    ck_assert_uint_eq(fake_in8(&fake, DEBUGCON_PORT), 0xe9);
    say("first line\nsecond");
    for (unsigned i = 0; i < 500; i++) {
        g_free(text);
        text = temp_folder_read(folder, "debug.log");
        if (text[0] != '\0')
            break;
        g_usleep(10000);
    }
    ck_assert_str_eq(text, "first line\n");
    finish();
    end = temp_folder_read(folder, "debug.log");
    ck_assert_str_eq(end, "first line\nsecond");
}
END_TEST

START_TEST(console_is_bounded)
{
    g_autofree char *line = g_strnfill(64 * 1024, 'x');
    g_autofree char *text = NULL;
    const size_t end = strlen(line) - 1;

    ck_assert_ptr_nonnull(debugcon_new(&fake.board, DEBUGCON_PORT, file, NULL));
    line[end] = '\n';
    /* Twice what the file takes; the thread may or may not keep up. */
    for (unsigned i = 0; i < 2 * DEBUGCON_MAX_FILE / (64 * 1024); i++)
        say(line);
    finish();
    text = temp_folder_read(folder, "debug.log");
    ck_assert_uint_le(strlen(text), DEBUGCON_MAX_FILE + 64 * 1024);
    ck_assert_ptr_nonnull(strstr(text, "left out"));
}
END_TEST

START_TEST(console_without_file)
{
    ck_assert_ptr_nonnull(debugcon_new(&fake.board, DEBUGCON_PORT, NULL, NULL));
    ck_assert_uint_eq(fake_in8(&fake, DEBUGCON_PORT), 0xe9);
    say("nobody hears this\n");
}
END_TEST

START_TEST(console_errors)
{
    g_autofree char *missing = g_build_filename(folder, "no", "such", "folder", NULL);
    GError *err = NULL;

    ck_assert_ptr_null(debugcon_new(&fake.board, DEBUGCON_PORT, missing, &err));
    ck_assert(g_error_matches(err, VMDESK_ERROR, VMDESK_ERROR_NOT_FOUND));
    g_clear_error(&err);
    ck_assert_ptr_null(debugcon_new(&fake.board, DEBUGCON_PORT, folder, &err));
    ck_assert_ptr_nonnull(err);
    g_clear_error(&err);
    ck_assert_ptr_nonnull(debugcon_new(&fake.board, DEBUGCON_PORT, file, NULL));
    ck_assert_ptr_null(debugcon_new(&fake.board, DEBUGCON_PORT, NULL, &err));
    ck_assert(g_error_matches(err, VMDESK_ERROR, VMDESK_ERROR_BUSY));
    g_clear_error(&err);
    /* The disk is full. */
    ck_assert_ptr_nonnull(debugcon_new(&fake.board, 0x500, "/dev/full", NULL));
    fake_out8(&fake, 0x500, '\n');
}
END_TEST

START_TEST(exit_port)
{
    ck_assert_ptr_nonnull(debug_exit_new(&fake.board, 0xf4, NULL));
    ck_assert_uint_eq(fake_in8(&fake, 0xf4), 0);
    fake_out(&fake, 0xf4, 0x12345678, 4);
    ck_assert_uint_eq(fake.exit_code, 0x12345678);
    fake_out8(&fake, 0xf5, 0x23);
    ck_assert_uint_eq(fake.exit_code, 0x23);
    ck_assert_uint_eq(fake.exits, 2);
}
END_TEST

START_TEST(exit_port_is_taken)
{
    static const uint16_t ports[] = {0x8f, 0x92, 0xfffe};
    GError *err = NULL;

    port92_new(&fake.board);
    for (size_t i = 0; i < G_N_ELEMENTS(ports); i++) {
        ck_assert_ptr_null(debug_exit_new(&fake.board, ports[i], &err));
        ck_assert(g_error_matches(err, VMDESK_ERROR, VMDESK_ERROR_BUSY));
        g_clear_error(&err);
    }
}
END_TEST

START_TEST(fpu_error_is_acknowledged)
{
    fpu_error_new(&fake.board);
    irq_line_set(&fake.board.isa_irq[BOARD_FERR_IRQ], true);
    ck_assert(fake.irq_level[13]);
    ck_assert_uint_eq(fake_in8(&fake, 0xf0), 0xff);
    ck_assert(fake.irq_level[13]);
    fake_out8(&fake, 0xf0, 0);
    ck_assert(!fake.irq_level[13]);
    irq_line_set(&fake.board.isa_irq[BOARD_FERR_IRQ], true);
    board_reset_devices(&fake.board);
    ck_assert(!fake.irq_level[13]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("debug_ports");
    TCase *tc = tcase_create("debug_ports");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, console_writes_lines);
    tcase_add_test(tc, console_is_bounded);
    tcase_add_test(tc, console_without_file);
    tcase_add_test(tc, console_errors);
    tcase_add_test(tc, exit_port);
    tcase_add_test(tc, exit_port_is_taken);
    tcase_add_test(tc, fpu_error_is_acknowledged);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
