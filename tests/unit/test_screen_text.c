/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an engine says of its screen: a broken or hostile one must not reach the terminal. */
#include <check.h>
#include <string.h>

#include "core/error.h"
#include "tests/suite.h"
#include "ui/screen_text.h"

static bool read_answer(const char *text, struct screen_text *screen, GError **err)
{
    json_t *answer = json_loads(text, 0, NULL);
    bool done;

    ck_assert_ptr_nonnull(answer);
    done = screen_text_init(screen, answer, err);
    json_decref(answer);
    return done;
}

START_TEST(text_is_read)
{
    struct screen_text screen;
    g_autofree char *first = NULL, *second = NULL;

    ck_assert(read_answer("{\"generation\": 7, \"mode\": \"text\", \"columns\": 5, \"rows\": 2,"
                          "\"cursor\": {\"x\": 4, \"y\": 1}, \"text\": [\"ab\\u2500  \", \"c\"],"
                          "\"attributes\": [\"071f074070\", \"07\"]}",
                          &screen, NULL));
    ck_assert_int_eq(screen.generation, 7);
    ck_assert(screen.cursor);
    ck_assert_uint_eq(screen.cursor_x, 4);
    first = screen_text_row(&screen, 0);
    second = screen_text_row(&screen, 1);
    ck_assert_str_eq(first, "ab\342\224\200");
    ck_assert_str_eq(second, "c");
    ck_assert_uint_eq(screen.attributes[1], 0x1f);
    ck_assert_uint_eq(screen.attributes[5], 0x07); /* too short a row: the default */
    screen_text_finish(&screen);
}
END_TEST

START_TEST(what_breaks_a_terminal_is_replaced)
{
    struct screen_text screen;
    g_autofree char *row = NULL;

    ck_assert(
        read_answer("{\"mode\": \"text\", \"columns\": 8, \"rows\": 1, \"cursor\": {\"x\": 99,"
                    "\"y\": 0}, \"text\": [\"\\u001b[a\\u0301\\u4e2d\\u202eb too long\"],"
                    "\"attributes\": [\"zzzzzzzzzzzzzzzz\"]}",
                    &screen, NULL));
    row = screen_text_row(&screen, 0);
    ck_assert_str_eq(row, "\357\277\275[a\357\277\275\357\277\275\357\277\275b");
    ck_assert(!screen.cursor);
    ck_assert_uint_eq(screen.attributes[0], 0x07);
    screen_text_finish(&screen);
}
END_TEST

static const char *const impossible[] = {
    "{\"mode\": \"text\"}",
    "{\"mode\": \"text\", \"columns\": 0, \"rows\": 25}",
    "{\"mode\": \"text\", \"columns\": 80, \"rows\": -1}",
    "{\"mode\": \"text\", \"columns\": 257, \"rows\": 25}",
    "{\"mode\": \"text\", \"columns\": 4294967297, \"rows\": 4294967297}",
};

START_TEST(impossible_screens_are_refused)
{
    struct screen_text screen;
    g_autoptr(GError) err = NULL;

    ck_assert(!read_answer(impossible[_i], &screen, &err));
    ck_assert_int_eq(err->code, VMDESK_ERROR_PROTOCOL);
    ck_assert_uint_eq(screen.rows, 0);
}
END_TEST

START_TEST(wrong_types_are_blank)
{
    static const char *const answers[] = {
        "{}",
        "[]",
        "{\"mode\": 1, \"generation\": \"x\"}",
        "{\"mode\": \"text\", \"columns\": 2, \"rows\": 2, \"text\": 1, \"attributes\": {}}",
        "{\"mode\": \"text\", \"columns\": 2, \"rows\": 2, \"text\": [1, []], \"cursor\": []}",
        "{\"mode\": \"graphics\", \"guest-width\": -1, \"guest-height\": 99999999999}",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        struct screen_text screen;

        ck_assert(read_answer(answers[i], &screen, NULL));
        for (unsigned y = 0; y < screen.rows; y++) {
            g_autofree char *row = screen_text_row(&screen, y);
            ck_assert_str_eq(row, "");
        }
        screen_text_finish(&screen);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screen_text");
    TCase *tcase = tcase_create("screen_text");

    tcase_add_test(tcase, text_is_read);
    tcase_add_test(tcase, what_breaks_a_terminal_is_replaced);
    tcase_add_loop_test(tcase, impossible_screens_are_refused, 0, G_N_ELEMENTS(impossible));
    tcase_add_test(tcase, wrong_types_are_blank);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
