/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The EDID: its fields, CVT's numbers, and edid-decode as a second opinion. */
#include <check.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "engine/bus/pci.h"
#include "engine/dev/edid.h"
#include "tests/suite.h"

START_TEST(header_checksum_and_name)
{
    static const uint8_t header[8] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    uint8_t edid[EDID_SIZE], sum = 0;

    edid_fill(edid, 1280, 800);
    ck_assert_mem_eq(edid, header, sizeof(header));
    ck_assert_uint_eq(edid[18], 1);
    ck_assert_uint_eq(edid[19], 4);
    ck_assert_mem_eq(edid + 90 + 5, "vmdesk\n", 7);
    for (unsigned i = 0; i < EDID_SIZE; i++)
        sum += edid[i];
    ck_assert_uint_eq(sum, 0);
}
END_TEST

/* Totals and clock in kHz, as VESA's CVT 1.1 computes them for reduced blanking at 60 Hz. */
static const struct {
    unsigned width, height, total_x, total_y, v_sync, clock_khz;
} timings[] = {
    {1280, 800, 1440, 823, 6, 71000},    {1440, 900, 1600, 926, 6, 88750},
    {1600, 1200, 1760, 1235, 4, 130250}, {1680, 1050, 1840, 1080, 6, 119000},
    {1920, 1080, 2080, 1111, 5, 138500}, {1920, 1200, 2080, 1235, 6, 154000},
    {2560, 1600, 2720, 1646, 6, 268500}, {640, 480, 800, 494, 4, 23500},
    {1280, 1024, 1440, 1054, 7, 91000},
};

START_TEST(preferred_timing_is_cvt)
{
    uint8_t edid[EDID_SIZE];
    const uint8_t *d = edid + 54;

    edid_fill(edid, timings[_i].width, timings[_i].height);
    ck_assert_uint_eq(pci_get16(d) * 10, timings[_i].clock_khz);
    ck_assert_uint_eq(d[2] | (d[4] & 0xf0) << 4, timings[_i].width);
    ck_assert_uint_eq(d[3] | (d[4] & 0x0f) << 8, timings[_i].total_x - timings[_i].width);
    ck_assert_uint_eq(d[5] | (d[7] & 0xf0) << 4, timings[_i].height);
    ck_assert_uint_eq(d[6] | (d[7] & 0x0f) << 8, timings[_i].total_y - timings[_i].height);
    ck_assert_uint_eq(d[10] & 15, timings[_i].v_sync);
}
END_TEST

START_TEST(sizes_out_of_range_are_moved_into_it)
{
    static const struct {
        unsigned width, height, expected_width, expected_height;
    } rows[] = {{0, 0, 640, 480}, {1, 100000, 640, 1600}, {UINT32_MAX, 1, 2560, 480}};
    uint8_t edid[EDID_SIZE];

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        edid_fill(edid, rows[i].width, rows[i].height);
        ck_assert_uint_eq(edid[54 + 2] | (edid[54 + 4] & 0xf0) << 4, rows[i].expected_width);
        ck_assert_uint_eq(edid[54 + 5] | (edid[54 + 7] & 0xf0) << 4, rows[i].expected_height);
    }
}
END_TEST

START_TEST(edid_decode_agrees)
{
    static const unsigned sizes[][2] = {{1280, 800}, {2560, 1600}, {1366, 768}, {640, 480}};
    g_autofree char *program = g_find_program_in_path("edid-decode");

    if (program == NULL) {
        fprintf(stderr, "edid_decode_agrees: left out: install edid-decode\n");
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GSubprocess) child =
            g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error,
                             program, "--check", NULL);
        uint8_t edid[EDID_SIZE];
        g_autoptr(GBytes) input = NULL, output = NULL;
        g_autofree char *text = NULL, *size = NULL;

        ck_assert_msg(child != NULL, "%s", error != NULL ? error->message : "");
        edid_fill(edid, sizes[i][0], sizes[i][1]);
        input = g_bytes_new(edid, sizeof(edid));
        ck_assert(g_subprocess_communicate(child, input, NULL, &output, NULL, &error));
        text = g_strndup(g_bytes_get_data(output, NULL), g_bytes_get_size(output));
        size = g_strdup_printf("DTD 1: %5ux%-5u", sizes[i][0], sizes[i][1]);
        ck_assert_msg(g_subprocess_get_successful(child), "%s", text);
        ck_assert_msg(strstr(text, size) != NULL, "%s", text);
        ck_assert_msg(strstr(text, "EDID conformity: PASS") != NULL, "%s", text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edid");
    TCase *tc = tcase_create("edid");

    tcase_add_test(tc, header_checksum_and_name);
    tcase_add_loop_test(tc, preferred_timing_is_cvt, 0, G_N_ELEMENTS(timings));
    tcase_add_test(tc, sizes_out_of_range_are_moved_into_it);
    tcase_add_test(tc, edid_decode_agrees);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
