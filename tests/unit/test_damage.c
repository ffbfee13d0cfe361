/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <glib.h>
#include <string.h>

#include "display/damage.h"
#include "tests/suite.h"

#define SIDE 128

static bool covers(const struct damage *d, unsigned x, unsigned y)
{
    for (unsigned i = 0; i < d->count; i++) {
        const struct damage_rect *r = &d->rects[i];

        if (x >= r->x && x < r->x + r->width && y >= r->y && y < r->y + r->height)
            return true;
    }
    return false;
}

START_TEST(test_empty)
{
    struct damage d;

    damage_clear(&d);
    damage_add(&d, 5, 5, 0, 3);
    damage_add(&d, 5, 5, 3, 0);
    ck_assert(damage_is_empty(&d));
    damage_add(&d, 5, 5, 1, 1);
    ck_assert(!damage_is_empty(&d));
    damage_clear(&d);
    ck_assert(damage_is_empty(&d));
}
END_TEST

START_TEST(test_merge)
{
    struct damage d;

    damage_clear(&d);
    damage_add(&d, 10, 10, 20, 20);
    damage_add(&d, 15, 15, 2, 2); /* inside */
    ck_assert_uint_eq(d.count, 1);
    damage_add(&d, 10, 30, 20, 5); /* the rows below */
    ck_assert_uint_eq(d.count, 1);
    ck_assert_uint_eq(d.rects[0].height, 25);
    damage_add(&d, 100, 100, 4, 4); /* far away */
    ck_assert_uint_eq(d.count, 2);
    damage_add(&d, 0, 0, SIDE, SIDE); /* around both */
    ck_assert_uint_eq(d.count, 1);
}
END_TEST

START_TEST(test_rows_stay_one_rectangle)
{
    struct damage d;

    damage_clear(&d);
    for (unsigned y = 0; y < SIDE; y++)
        damage_add(&d, 3, y, 50, 1);
    ck_assert_uint_eq(d.count, 1);
    ck_assert_uint_eq(d.rects[0].height, SIDE);
}
END_TEST

START_TEST(test_never_lost)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(_i);
    bool marked[SIDE][SIDE];
    struct damage d;

    memset(marked, 0, sizeof(marked));
    damage_clear(&d);
    for (unsigned n = 0; n < 400; n++) {
        unsigned x = g_rand_int_range(rand, 0, SIDE), y = g_rand_int_range(rand, 0, SIDE);
        unsigned w = g_rand_int_range(rand, 0, MIN(6, SIDE - x) + 1);
        unsigned h = g_rand_int_range(rand, 0, MIN(6, SIDE - y) + 1);

        damage_add(&d, x, y, w, h);
        for (unsigned j = y; j < y + h; j++)
            memset(&marked[j][x], true, w);
        ck_assert_uint_le(d.count, DAMAGE_MAX_RECTS);
        for (unsigned i = 0; i < d.count; i++) {
            ck_assert_uint_le(d.rects[i].x + d.rects[i].width, SIDE);
            ck_assert_uint_le(d.rects[i].y + d.rects[i].height, SIDE);
        }
    }
    for (unsigned y = 0; y < SIDE; y++)
        for (unsigned x = 0; x < SIDE; x++)
            ck_assert(!marked[y][x] || covers(&d, x, y));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("damage");
    TCase *tc = tcase_create("damage");

    tcase_add_test(tc, test_empty);
    tcase_add_test(tc, test_merge);
    tcase_add_test(tc, test_rows_stay_one_rectangle);
    tcase_add_loop_test(tc, test_never_lost, 0, 10);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
