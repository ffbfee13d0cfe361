/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What terminals send for keys, as keys of the guest. */
#include <check.h>
#include <glib.h>
#include <string.h>

#include "tests/suite.h"
#include "ui/console_keys.h"

/* A stroke as the numbers of the keys that go down, in hexadecimal. */
static char *pressed(const json_t *stroke)
{
    GString *text = g_string_new(NULL);
    json_t *event;
    size_t i;

    json_array_foreach(json_object_get(stroke, "events"), i, event)
    {
        const json_t *data = json_object_get(event, "data");

        if (json_is_true(json_object_get(data, "down")))
            g_string_append_printf(text, "%s%02x", text->len > 0 ? " " : "",
                                   (unsigned)json_integer_value(
                                       json_object_get(json_object_get(data, "key"), "data")));
    }
    return g_string_free(text, FALSE);
}

static const struct {
    const char *bytes;
    size_t used;
    const char *keys; /* "" : none */
} rows[] = {
    {"a", 1, "1e"},
    {"A", 1, "2a 1e"},
    {"ab", 1, "1e"},
    {"\r", 1, "1c"},
    {"\t", 1, "0f"},
    {"\177", 1, "0e"},
    {"\b", 1, "0e"},
    {"\003", 1, "1d 2e"},
    {"\033", 1, "01"},
    {"\033x", 2, "38 2d"},
    {"\033[A", 3, "c8"},
    {"\033OA", 3, "c8"},
    {"\033OP", 3, "3b"},
    {"\033[3~", 4, "d3"},
    {"\033[24~z", 5, "58"},
    {"\033[1;5C", 6, "1d cd"},
    {"\033[1;4D", 6, "38 2a cb"},
    {"\033[Z", 3, "2a 0f"},
    {"\303\274", 2, ""}, /* no key on a US keyboard */
    {"\377a", 1, ""},
    {"\033[99~", 5, ""},
    {"\033[200~", 6, ""},
    {"\033[<0;1;1M", 9, ""},
    {"\033[;;;;m", 7, ""},
};

START_TEST(keys_are_known)
{
    json_t *stroke;
    g_autofree char *keys = NULL;
    size_t used = console_keys_take(rows[_i].bytes, strlen(rows[_i].bytes), true, &stroke);

    ck_assert_uint_eq(used, rows[_i].used);
    keys = pressed(stroke);
    ck_assert_str_eq(keys, rows[_i].keys);
    json_decref(stroke);
}
END_TEST

START_TEST(unfinished_keys_wait)
{
    static const char *const unfinished[] = {"\033", "\033[", "\033[1;5", "\033O", "\303"};
    json_t *stroke;

    for (size_t i = 0; i < G_N_ELEMENTS(unfinished); i++) {
        size_t size = strlen(unfinished[i]);

        ck_assert_uint_eq(console_keys_take(unfinished[i], size, false, &stroke), 0);
        ck_assert_ptr_null(stroke);
        ck_assert_uint_gt(console_keys_take(unfinished[i], size, true, &stroke), 0);
        json_decref(stroke);
    }
}
END_TEST

/* Any bytes are taken to their end, a few at a time. */
START_TEST(garbage_is_taken)
{
    GRand *random = g_rand_new_with_seed(_i);
    char bytes[64];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = g_rand_boolean(random) ? "\033[O;1~"[g_rand_int_range(random, 0, 6)]
                                          : (char)g_rand_int(random);
    for (size_t at = 0; at < sizeof(bytes);) {
        json_t *stroke;
        size_t used = console_keys_take(bytes + at, sizeof(bytes) - at, true, &stroke);

        ck_assert_uint_gt(used, 0);
        ck_assert_uint_le(used, sizeof(bytes) - at);
        json_decref(stroke);
        at += used;
    }
    g_rand_free(random);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli_keys");
    TCase *tcase = tcase_create("cli_keys");

    tcase_add_loop_test(tcase, keys_are_known, 0, G_N_ELEMENTS(rows));
    tcase_add_test(tcase, unfinished_keys_wait);
    tcase_add_loop_test(tcase, garbage_is_taken, 0, 200);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
