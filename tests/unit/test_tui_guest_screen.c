/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the interface makes of an engine's screen, the impossible ones included. */
#include <config.h>

#include <check.h>

#include "core/error.h"
#include "tests/suite.h"
#include "ui/tui/guest_screen.h"

static bool take(struct guest_screen *screen, const char *text)
{
    json_t *reply = json_loads(text, 0, NULL);
    g_autoptr(GError) error = NULL;
    bool taken;

    ck_assert_ptr_nonnull(reply);
    taken = guest_screen_take(screen, reply, &error);
    ck_assert(taken || g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_PROTOCOL));
    json_decref(reply);
    return taken;
}

START_TEST(text_is_taken)
{
    struct guest_screen screen = {0};

    ck_assert(take(&screen, "{\"generation\": 8, \"mode\": \"text\", \"columns\": 2, \"rows\": 2,"
                            "\"cursor\": {\"x\": 1, \"y\": 1},"
                            "\"text\": [\"a\\u00e9\", \" \\u001b\"],"
                            "\"attributes\": [\"071F\", \"ff00\"]}"));
    ck_assert_int_eq(screen.mode, GUEST_SCREEN_TEXT);
    ck_assert_int_eq(screen.generation, 8);
    ck_assert_uint_eq(screen.text[1], 0xe9);
    ck_assert_uint_eq(screen.attributes[1], 0x1f);
    ck_assert(screen.cursor_shown);
    ck_assert_uint_eq(screen.cursor_x, 1);
    guest_screen_finish(&screen);
}
END_TEST

START_TEST(unchanged_keeps_the_screen)
{
    struct guest_screen screen = {0};

    ck_assert(take(&screen,
                   "{\"generation\": 1, \"mode\": \"graphics\", \"width\": 1, \"height\": 2,"
                   "\"rgb\": \"AAAA////\"}"));
    ck_assert(take(&screen, "{\"generation\": 2, \"unchanged\": true}"));
    ck_assert_int_eq(screen.generation, 2);
    ck_assert_int_eq(screen.mode, GUEST_SCREEN_GRAPHICS);
    ck_assert_uint_eq(guest_screen_pixel(&screen, 0, 0, 1, 2), 0x000000);
    ck_assert_uint_eq(guest_screen_pixel(&screen, 0, 1, 1, 2), 0xffffff);
    ck_assert_uint_eq(guest_screen_pixel(&screen, 0, 0, 1, 1), 0x7f7f7f);
    ck_assert_uint_eq(guest_screen_pixel(&screen, 4, 9, 5, 10), 0xffffff);
    guest_screen_finish(&screen);
}
END_TEST

/* What cannot be is refused whole: the screen from before stays. */
static const char *const impossible[] = {
    "{}",
    "{\"mode\": 7}",
    "{\"mode\": \"hologram\"}",
    "{\"mode\": \"text\"}",
    "{\"mode\": \"text\", \"columns\": 1, \"rows\": 1, \"text\": [], \"attributes\": []}",
    "{\"mode\": \"text\", \"columns\": 513, \"rows\": 1, \"text\": [\"\"], \"attributes\": [\"\"]}",
    "{\"mode\": \"text\", \"columns\": 1, \"rows\": 257, \"text\": [\"a\"], \"attributes\": "
    "[\"07\"]}",
    "{\"mode\": \"text\", \"columns\": -1, \"rows\": 1, \"text\": [\"a\"], \"attributes\": "
    "[\"07\"]}",
    "{\"mode\": \"text\", \"columns\": 2, \"rows\": 1, \"text\": [\"a\"], \"attributes\": "
    "[\"0707\"]}",
    "{\"mode\": \"text\", \"columns\": 1, \"rows\": 1, \"text\": [\"ab\"], \"attributes\": "
    "[\"07\"]}",
    "{\"mode\": \"text\", \"columns\": 1, \"rows\": 1, \"text\": [\"a\"], \"attributes\": [\"7\"]}",
    "{\"mode\": \"text\", \"columns\": 1, \"rows\": 1, \"text\": [\"a\"], \"attributes\": "
    "[\"0g\"]}",
    "{\"mode\": \"text\", \"columns\": 1, \"rows\": 1, \"text\": [7], \"attributes\": [\"07\"]}",
    "{\"mode\": \"graphics\", \"rgb\": \"AAAA\"}",
    "{\"mode\": \"graphics\", \"width\": 2, \"height\": 1, \"rgb\": \"AAAA\"}",
    "{\"mode\": \"graphics\", \"width\": 1, \"height\": 1, \"rgb\": \"AAAAAAAA\"}",
    "{\"mode\": \"graphics\", \"width\": 1025, \"height\": 1, \"rgb\": \"AAAA\"}",
    "{\"mode\": \"graphics\", \"width\": 1, \"height\": 1, \"rgb\": \"\"}",
    "{\"mode\": \"graphics\", \"width\": 4294967297, \"height\": 1, \"rgb\": \"AAAA\"}",
};

START_TEST(impossible_is_refused)
{
    struct guest_screen screen = {0};

    ck_assert(take(&screen,
                   "{\"generation\": 1, \"mode\": \"graphics\", \"width\": 1, \"height\": 1,"
                   "\"rgb\": \"AAAA\"}"));
    ck_assert(!take(&screen, impossible[_i]));
    ck_assert_int_eq(screen.mode, GUEST_SCREEN_GRAPHICS);
    ck_assert_uint_eq(screen.width, 1);
    guest_screen_finish(&screen);
}
END_TEST

START_TEST(cursor_outside_is_brought_in)
{
    struct guest_screen screen = {0};

    ck_assert(take(&screen, "{\"mode\": \"text\", \"columns\": 1, \"rows\": 1, \"text\": [\"a\"],"
                            "\"attributes\": [\"07\"], \"cursor\": {\"x\": 99, \"y\": -3}}"));
    ck_assert_uint_eq(screen.cursor_x, 0);
    ck_assert_uint_eq(screen.cursor_y, 0);
    /* no picture was asked for: nothing is read */
    ck_assert(
        take(&screen, "{\"mode\": \"graphics\", \"guest-width\": 640, \"guest-height\": 480}"));
    ck_assert_uint_eq(guest_screen_pixel(&screen, 0, 0, 1, 1), 0);
    guest_screen_finish(&screen);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tui guest screen");
    TCase *test = tcase_create("all");

    tcase_add_test(test, text_is_taken);
    tcase_add_test(test, unchanged_keeps_the_screen);
    tcase_add_loop_test(test, impossible_is_refused, 0, G_N_ELEMENTS(impossible));
    tcase_add_test(test, cursor_outside_is_brought_in);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
