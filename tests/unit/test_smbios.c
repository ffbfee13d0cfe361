/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SMBIOS structures, walked as an operating system does. */
#include <check.h>
#include <string.h>

#include "engine/machine/smbios.h"
#include "tests/suite.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static const uint8_t uuid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

static uint64_t get(const uint8_t *p, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, p, size);
    return GUINT64_FROM_LE(value);
}

struct structure {
    const uint8_t *data;
    unsigned size; /* with its strings */
};

/* All structures of the type, in order; checks the form of the whole table on the way. */
static GArray *find_all(const struct smbios_blobs *blobs, uint8_t type)
{
    gsize size, anchor_size;
    const uint8_t *data = g_bytes_get_data(blobs->tables, &size);
    const uint8_t *anchor = g_bytes_get_data(blobs->anchor, &anchor_size);
    g_autoptr(GHashTable) handles = g_hash_table_new(NULL, NULL);
    GArray *found = g_array_new(FALSE, FALSE, sizeof(struct structure));
    unsigned count = 0, largest = 0;
    uint8_t last_type = 0;

    for (gsize i = 0; i < size;) {
        struct structure s = {data + i, 0};
        unsigned length = s.data[1];

        ck_assert_uint_le(i + length + 2, size);
        ck_assert(g_hash_table_add(handles, GUINT_TO_POINTER(get(s.data + 2, 2) + 1)));
        s.size = length;
        while (s.data[s.size] != 0 || s.data[s.size + 1] != 0) {
            s.size++;
            ck_assert_uint_le(i + s.size + 2, size);
        }
        s.size += 2;
        last_type = s.data[0];
        if (s.data[0] == type)
            g_array_append_val(found, s);
        largest = MAX(largest, s.size);
        count++;
        i += s.size;
    }
    ck_assert_uint_eq(last_type, 127);
    ck_assert_uint_eq(anchor_size, 0x1f);
    ck_assert_mem_eq(anchor, "_SM_", 4);
    ck_assert_mem_eq(anchor + 16, "_DMI_", 5);
    ck_assert_uint_eq(get(anchor + 8, 2), largest);
    ck_assert_uint_eq(get(anchor + 0x16, 2), size);
    ck_assert_uint_eq(get(anchor + 0x1c, 2), count);
    return found;
}

static const char *string(const struct structure *s, unsigned number)
{
    const char *text = (const char *)s->data + s->data[1];

    while (--number > 0)
        text += strlen(text) + 1;
    return text;
}

START_TEST(system_information)
{
    static const uint8_t encoded[16] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
                                        0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    struct smbios_blobs blobs;

    smbios_build(&blobs, 1, 512 * MIB, 0, uuid);
    g_autoptr(GArray) found = find_all(&blobs, 1);
    ck_assert_uint_eq(found->len, 1);
    const struct structure *s = &g_array_index(found, struct structure, 0);
    ck_assert_uint_eq(s->data[1], 0x1b);
    ck_assert_mem_eq(s->data + 8, encoded, 16);
    ck_assert_str_eq(string(s, s->data[4]), "vmdesk");
    smbios_blobs_finish(&blobs);
}
END_TEST

START_TEST(processors)
{
    struct smbios_blobs blobs;

    smbios_build(&blobs, 8, 512 * MIB, 0, uuid);
    g_autoptr(GArray) found = find_all(&blobs, 4);
    ck_assert_uint_eq(found->len, 8);
    for (unsigned i = 0; i < found->len; i++) {
        const struct structure *s = &g_array_index(found, struct structure, i);
        g_autofree char *socket = g_strdup_printf("CPU %u", i);

        ck_assert_uint_eq(s->data[1], 0x2a);
        ck_assert_str_eq(string(s, s->data[4]), socket);
    }
    smbios_blobs_finish(&blobs);
}
END_TEST

/* Sizes around the limits of the older, smaller fields. */
START_TEST(memory)
{
    static const struct {
        uint64_t low, high;
        uint16_t old_size;
    } sizes[] = {
        {1 * MIB, 0, 1},
        {2 * GIB, 0, 2048},
        {2 * GIB, 30 * GIB - MIB, 0x7fff},
        {2 * GIB, 1022 * GIB, 0x7fff},
    };
    struct smbios_blobs blobs;
    uint64_t total = sizes[_i].low + sizes[_i].high, mapped = 0;

    smbios_build(&blobs, 1, sizes[_i].low, sizes[_i].high, uuid);
    g_autoptr(GArray) devices = find_all(&blobs, 17);
    g_autoptr(GArray) ranges = find_all(&blobs, 19);
    ck_assert_uint_eq(devices->len, 1);
    const uint8_t *device = g_array_index(devices, struct structure, 0).data;
    ck_assert_uint_eq(device[1], 0x28);
    ck_assert_uint_eq(get(device + 0x0c, 2), sizes[_i].old_size);
    ck_assert_uint_eq(get(device + 0x1c, 4), total / MIB);
    ck_assert_uint_eq(ranges->len, sizes[_i].high > 0 ? 2 : 1);
    for (unsigned i = 0; i < ranges->len; i++) {
        const uint8_t *range = g_array_index(ranges, struct structure, i).data;

        ck_assert_uint_eq(range[1], 0x1f);
        ck_assert_uint_eq(get(range + 0x0f, 8), i == 0 ? 0 : 4 * GIB);
        mapped += get(range + 0x17, 8) + 1 - get(range + 0x0f, 8);
    }
    ck_assert_uint_eq(mapped, total);
    smbios_blobs_finish(&blobs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("smbios");
    TCase *tcase = tcase_create("structures");

    tcase_add_test(tcase, system_information);
    tcase_add_test(tcase, processors);
    tcase_add_loop_test(tcase, memory, 0, 4);
    suite_add_tcase(suite, tcase);

    return run_suite(suite);
}
