/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <glib.h>

#include "display/scale.h"
#include "display/surface.h"
#include "tests/suite.h"

START_TEST(test_resize_limits)
{
    struct surface s;

    surface_init(&s);
    ck_assert(!surface_resize(&s, 0, 10));
    ck_assert(!surface_resize(&s, 10, 0));
    ck_assert(!surface_resize(&s, SURFACE_MAX_WIDTH + 1, 10));
    ck_assert(!surface_resize(&s, 10, SURFACE_MAX_HEIGHT + 1));
    ck_assert(!surface_resize(&s, UINT_MAX, UINT_MAX));
    ck_assert_ptr_null(s.pixels);
    ck_assert(surface_resize(&s, SURFACE_MAX_WIDTH, SURFACE_MAX_HEIGHT));
    ck_assert_uint_eq(s.width, SURFACE_MAX_WIDTH);
    surface_row(&s, s.height - 1)[s.width - 1] = 1;
    ck_assert(!surface_resize(&s, 0, 0));
    ck_assert_uint_eq(surface_row(&s, s.height - 1)[s.width - 1], 1);
    surface_finish(&s);
    ck_assert_ptr_null(s.pixels);
}
END_TEST

START_TEST(test_resize_is_black)
{
    struct surface s;

    surface_init(&s);
    ck_assert(surface_resize(&s, 7, 5));
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned y = 0; y < 5; y++)
            for (unsigned x = 0; x < 7; x++) {
                ck_assert_uint_eq(surface_row(&s, y)[x], 0);
                surface_row(&s, y)[x] = 0xabcdef;
            }
        ck_assert(surface_resize(&s, 7, 5));
    }
    surface_finish(&s);
}
END_TEST

static void check_fit(unsigned w, unsigned h, unsigned max_w, unsigned max_h, unsigned want_w,
                      unsigned want_h)
{
    struct surface s = {.width = w, .height = h};
    unsigned got_w, got_h;

    scale_fit(&s, max_w, max_h, &got_w, &got_h);
    ck_assert_uint_eq(got_w, want_w);
    ck_assert_uint_eq(got_h, want_h);
}

START_TEST(test_fit)
{
    check_fit(640, 480, 80, 48, 64, 48);
    check_fit(640, 480, 64, 1000, 64, 48);
    check_fit(640, 480, 1024, 1024, 640, 480); /* never enlarged */
    check_fit(2560, 1, 16, 16, 16, 1);
    check_fit(1, 1600, 16, 16, 1, 16);
}
END_TEST

START_TEST(test_box_mean)
{
    struct surface s;
    uint8_t rgb[2 * 3], small[5 * 3 * 3];

    surface_init(&s);
    ck_assert(surface_resize(&s, 4, 2));
    surface_row(&s, 0)[0] = 0xff0000;
    surface_row(&s, 1)[1] = 0x00ff00;
    for (unsigned y = 0; y < 2; y++)
        surface_row(&s, y)[2] = surface_row(&s, y)[3] = 0x102030;
    scale_to_rgb(&s, 2, 1, rgb);
    ck_assert_uint_eq(rgb[0], 63);
    ck_assert_uint_eq(rgb[1], 63);
    ck_assert_uint_eq(rgb[2], 0);
    ck_assert_uint_eq(rgb[3], 0x10);
    ck_assert_uint_eq(rgb[4], 0x20);
    ck_assert_uint_eq(rgb[5], 0x30);

    /* Sizes that do not divide: each target pixel still has a box, inside the surface. */
    ck_assert(surface_resize(&s, 7, 4));
    for (unsigned y = 0; y < 4; y++)
        for (unsigned x = 0; x < 7; x++)
            surface_row(&s, y)[x] = 0x0a141e;
    scale_to_rgb(&s, 5, 3, small);
    for (unsigned i = 0; i < 15; i++) {
        ck_assert_uint_eq(small[i * 3], 0x0a);
        ck_assert_uint_eq(small[i * 3 + 2], 0x1e);
    }
    surface_finish(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("surface");
    TCase *tc = tcase_create("surface");

    tcase_add_test(tc, test_resize_limits);
    tcase_add_test(tc, test_resize_is_black);
    tcase_add_test(tc, test_fit);
    tcase_add_test(tc, test_box_mean);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
