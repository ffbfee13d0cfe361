/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Boot discs: what is read from images, good and hostile, and where they are looked for. */
#include <check.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/discs.h"
#include "core/error.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

#define SECTOR 2048
#define IMAGE_SECTORS 24

static char *folder;
static uint8_t image[IMAGE_SECTORS * SECTOR];

static void setup(void)
{
    folder = temp_folder_new();
    memset(image, 0, sizeof(image));
}

static void teardown(void)
{
    temp_folder_remove(folder);
}

static uint8_t *sector(unsigned number)
{
    return image + number * SECTOR;
}

static void put_descriptor(unsigned number, uint8_t type)
{
    sector(number)[0] = type;
    memcpy(sector(number) + 1, "CD001\001", 6);
}

static void put_label(const char *label)
{
    memset(sector(16) + 40, ' ', 32);
    memcpy(sector(16) + 40, label, strlen(label));
}

/* A disc with a label and an El Torito catalog in sector 20. */
static void put_disc(void)
{
    put_descriptor(16, 1);
    put_label("DEBIAN 12");
    put_descriptor(17, 0);
    memcpy(sector(17) + 7, "EL TORITO SPECIFICATION", 23);
    sector(17)[0x47] = 20;
    put_descriptor(18, 255);
    /* A validation entry whose sixteen words sum to 0: 1 + 0x55aa + 0xaa55 = 0x10000. */
    sector(20)[0] = 1;
    sector(20)[28] = 0xaa;
    sector(20)[29] = 0x55;
    sector(20)[30] = 0x55;
    sector(20)[31] = 0xaa;
    sector(20)[32] = 0x88;
}

static struct disc *probe(size_t size)
{
    g_autofree char *path = g_build_filename(folder, "a.iso", NULL);

    ck_assert(g_file_set_contents(path, (const char *)image, size, NULL));
    return disc_probe(path, NULL);
}

START_TEST(reads_a_boot_disc)
{
    struct disc *disc;

    put_disc();
    disc = probe(sizeof(image));
    ck_assert(disc->iso9660);
    ck_assert(disc->bootable);
    ck_assert_str_eq(disc->label, "DEBIAN 12");
    ck_assert_uint_eq(disc->size, sizeof(image));
    disc_free(disc);
}
END_TEST

START_TEST(hostile_discs_are_no_boot_discs)
{
    struct disc *disc;

    put_disc();
    memset(sector(17) + 0x47, 0xff, 4); /* a catalog far beyond the end */
    disc = probe(sizeof(image));
    ck_assert(disc->iso9660 && !disc->bootable);
    disc_free(disc);

    put_disc();
    sector(17)[0x47] = 20;
    memset(sector(17) + 0x48, 0, 3);
    sector(20)[5] = 1; /* a wrong checksum */
    disc = probe(sizeof(image));
    ck_assert(!disc->bootable);
    disc_free(disc);

    put_label("\033[2J\xff");
    disc = probe(sizeof(image));
    ck_assert_str_eq(disc->label, "\357\277\275[2J\357\277\275");
    disc_free(disc);

    /* Descriptors without an end, and images cut off anywhere. */
    for (unsigned i = 18; i < IMAGE_SECTORS; i++)
        put_descriptor(i, 2);
    for (size_t size = 0; size <= sizeof(image); size += 1024)
        disc_free(probe(size));
}
END_TEST

START_TEST(disk_images_show_by_their_signature)
{
    struct disc *disc;

    image[510] = 0x55;
    image[511] = 0xaa;
    disc = probe(1024);
    ck_assert(disc->bootable && !disc->iso9660);
    ck_assert_ptr_null(disc->label);
    disc_free(disc);
    disc = probe(511);
    ck_assert(!disc->bootable);
    disc_free(disc);
}
END_TEST

START_TEST(only_regular_files_are_probed)
{
    g_autofree char *fifo = g_build_filename(folder, "b.iso", NULL);
    g_autoptr(GError) none = NULL;
    g_autoptr(GError) pipe = NULL;
    g_autoptr(GError) directory = NULL;

    ck_assert_ptr_null(disc_probe("/nonexistent.iso", &none));
    ck_assert_int_eq(none->code, VMDESK_ERROR_NOT_FOUND);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_assert_ptr_null(disc_probe(fifo, &pipe));
    ck_assert_int_eq(pipe->code, VMDESK_ERROR_INVALID);
    ck_assert_ptr_null(disc_probe(folder, &directory));
}
END_TEST

START_TEST(finds_discs_once_and_bootable_first)
{
    g_autofree char *downloads = g_build_filename(folder, "Downloads", NULL);
    g_autofree char *deeper = g_build_filename(downloads, "deeper", NULL);
    g_autoptr(GPtrArray) discs = NULL;
    unsigned ours = 0;
    bool bootable = true;

    ck_assert_int_eq(mkdir(downloads, 0700), 0);
    ck_assert_int_eq(mkdir(deeper, 0700), 0);
    g_setenv("HOME", folder, TRUE);
    g_setenv("XDG_DOWNLOAD_DIR", downloads, TRUE);
    temp_folder_write(folder, "plain.img", "x");
    temp_folder_write(folder, "empty.iso", "");
    temp_folder_write(folder, "notes.txt", "x");
    temp_folder_write(deeper, "too-deep.iso", "x");
    put_disc();
    g_autofree char *boot = g_build_filename(downloads, "boot.ISO", NULL);
    ck_assert(g_file_set_contents(boot, (const char *)image, sizeof(image), NULL));
    discs = discs_find();
    for (unsigned i = 0; i < discs->len; i++) {
        const struct disc *disc = discs->pdata[i];

        ck_assert(bootable || !disc->bootable);
        bootable = disc->bootable;
        ours += g_str_has_prefix(disc->path, folder);
    }
    ck_assert_uint_eq(ours, 2);
}
END_TEST

START_TEST(number_of_discs_is_bounded)
{
    g_autoptr(GPtrArray) discs = NULL;

    g_setenv("HOME", folder, TRUE);
    g_unsetenv("XDG_DOWNLOAD_DIR");
    for (unsigned i = 0; i < DISCS_MAX + 50; i++) {
        g_autofree char *name = g_strdup_printf("%u.iso", i);
        temp_folder_write(folder, name, "x");
    }
    discs = discs_find();
    ck_assert_uint_le(discs->len, DISCS_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("discs");
    TCase *tcase = tcase_create("discs");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, reads_a_boot_disc);
    tcase_add_test(tcase, hostile_discs_are_no_boot_discs);
    tcase_add_test(tcase, disk_images_show_by_their_signature);
    tcase_add_test(tcase, only_regular_files_are_probed);
    tcase_add_test(tcase, finds_discs_once_and_bootable_first);
    tcase_add_test(tcase, number_of_discs_is_bounded);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
