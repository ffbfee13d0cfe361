/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding stock firmware, and what the machine tells it through fw_cfg. */
#include <check.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "engine/dev/fw_cfg.h"
#include "engine/machine/firmware.h"
#include "engine/machine/firmware_tables.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

static char *folder;
static struct board board;
static struct fw_cfg *fw_cfg;

static void setup(void)
{
    folder = temp_folder_new();
    g_setenv("VMDESK_FIRMWARE_PATH", folder, TRUE);
    board_init(&board, NULL);
    fw_cfg = fw_cfg_new(&board);
}

static void teardown(void)
{
    board_finish(&board);
    temp_folder_remove(folder);
}

static void write_firmware(const char *name, gsize size)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *content = g_malloc(MAX(size, 1));

    memset(content, 'f', size);
    ck_assert(g_file_set_contents(path, content, size, NULL));
}

START_TEST(loads_from_the_given_path)
{
    write_firmware("bios-256k.bin", FIRMWARE_BIOS_SIZE);
    g_autoptr(GBytes) bios = firmware_load(FIRMWARE_FILE_BIOS, NULL);
    ck_assert_ptr_nonnull(bios);
    ck_assert_uint_eq(g_bytes_get_size(bios), FIRMWARE_BIOS_SIZE);
    ck_assert_int_eq(((const char *)g_bytes_get_data(bios, NULL))[0], 'f');
}
END_TEST

START_TEST(names_the_package)
{
    static const char *const packages[] = {
        [FIRMWARE_FILE_BIOS] = "seabios",
        [FIRMWARE_FILE_VGABIOS] = "seabios",
        [FIRMWARE_FILE_OVMF_CODE] = "ovmf",
        [FIRMWARE_FILE_OVMF_VARS] = "ovmf",
    };
    g_autoptr(GError) error = NULL;
    g_autofree char *command = g_strdup_printf("sudo apt-get install %s", packages[_i]);

    ck_assert_ptr_null(firmware_load(_i, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_MISSING));
    ck_assert_ptr_nonnull(strstr(error->message, command));
}
END_TEST

START_TEST(refuses_wrong_sizes)
{
    static const gsize sizes[] = {0, FIRMWARE_BIOS_SIZE - 1, FIRMWARE_BIOS_SIZE + 1};
    g_autoptr(GError) error = NULL;

    write_firmware("bios-256k.bin", sizes[_i]);
    ck_assert_ptr_null(firmware_load(FIRMWARE_FILE_BIOS, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_INVALID));
    ck_assert_ptr_nonnull(strstr(error->message, "bios-256k.bin"));
}
END_TEST

START_TEST(refuses_what_is_no_file)
{
    g_autofree char *path = g_build_filename(folder, "bios-256k.bin", NULL);
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_ptr_null(firmware_load(FIRMWARE_FILE_BIOS, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_INVALID));
}
END_TEST

START_TEST(copies_variables_once)
{
    g_autofree char *machine = g_build_filename(folder, "machine", NULL);
    g_autofree char *content = NULL;
    gsize size;

    ck_assert_int_eq(mkdir(machine, 0700), 0);
    write_firmware("OVMF_VARS_4M.fd", FIRMWARE_OVMF_VARS_SIZE);
    g_autofree char *path = firmware_ovmf_vars(machine, NULL);
    ck_assert_ptr_nonnull(path);

    /* What the guest changed stays. */
    ck_assert(g_file_get_contents(path, &content, &size, NULL));
    ck_assert_uint_eq(size, FIRMWARE_OVMF_VARS_SIZE);
    content[100] = 'x';
    ck_assert(g_file_set_contents(path, content, size, NULL));
    g_autofree char *again = firmware_ovmf_vars(machine, NULL);
    g_autofree char *kept = NULL;
    ck_assert_str_eq(again, path);
    ck_assert(g_file_get_contents(again, &kept, &size, NULL));
    ck_assert_int_eq(kept[100], 'x');
}
END_TEST

START_TEST(refuses_damaged_variables)
{
    g_autoptr(GError) error = NULL;

    temp_folder_write(folder, "ovmf-vars.fd", "short");
    ck_assert_ptr_null(firmware_ovmf_vars(folder, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_INVALID));
    ck_assert_ptr_nonnull(strstr(error->message, "Delete it"));
}
END_TEST

START_TEST(names_an_unwritable_folder)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *nowhere = g_build_filename(folder, "nowhere", NULL);

    write_firmware("OVMF_VARS_4M.fd", FIRMWARE_OVMF_VARS_SIZE);
    ck_assert_ptr_null(firmware_ovmf_vars(nowhere, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "nowhere"));
}
END_TEST

/* The item of a key, read by the ports; size bytes. */
static GBytes *read_item(uint16_t key, gsize size)
{
    uint8_t *data = g_malloc(size);

    pio_bus_write(board.pio, 0x510, key, 2);
    for (gsize i = 0; i < size; i++)
        data[i] = pio_bus_read(board.pio, 0x511, 1);
    return g_bytes_new_take(data, size);
}

/* A named file; the test ends when it is not in the directory. */
static GBytes *read_named(const char *name)
{
    g_autoptr(GBytes) head = read_item(FW_CFG_FILE_DIR, 4);
    const uint8_t *p = g_bytes_get_data(head, NULL);
    unsigned count = p[2] << 8 | p[3];
    g_autoptr(GBytes) directory = read_item(FW_CFG_FILE_DIR, 4 + 64 * count);

    p = g_bytes_get_data(directory, NULL);
    p += 4;
    for (unsigned i = 0; i < count; i++, p += 64)
        if (strcmp((const char *)p + 8, name) == 0)
            return read_item(p[4] << 8 | p[5], p[2] << 8 | p[3]);
    ck_abort_msg("there is no file %s", name);
}

START_TEST(boot_order)
{
    static const struct firmware_facts facts = {
        .cpus = 2,
        .low_ram = 1 << 30,
        .direct_boot = true,
        .boot_ports = {4, 0, FIRMWARE_BOOT_USB | 3},
        .boot_port_count = 3,
    };

    ck_assert(firmware_tables_add(fw_cfg, &facts, NULL));
    g_autoptr(GBytes) order = read_named("bootorder");
    ck_assert_str_eq(g_bytes_get_data(order, NULL), "/rom@genroms/vmdesk-boot.bin\n"
                                                    "/pci@i0cf8/pci8086,2922@1f,2/drive@4/disk@0\n"
                                                    "/pci@i0cf8/pci8086,2922@1f,2/drive@0/disk@0\n"
                                                    "/pci@i0cf8/usb@14/storage@3/channel@0/"
                                                    "disk@0,0");
}
END_TEST

START_TEST(no_boot_order)
{
    static const struct firmware_facts facts = {.cpus = 1, .low_ram = 1 << 30};

    ck_assert(firmware_tables_add(fw_cfg, &facts, NULL));
    g_autoptr(GBytes) order = read_named("bootorder");
    ck_assert_uint_eq(g_bytes_get_size(order), 1);
    ck_assert_str_eq(g_bytes_get_data(order, NULL), "");
}
END_TEST

START_TEST(memory_map)
{
    static const struct firmware_facts facts = {
        .cpus = 3,
        .low_ram = UINT64_C(0x80000000),
        .high_ram = UINT64_C(0x180000000),
    };
    static const uint8_t expected[40] = {
        [11] = 0x80, [16] = 1, [24] = 1, [31] = 0x80, [32] = 1, [36] = 1,
    };

    ck_assert(firmware_tables_add(fw_cfg, &facts, NULL));
    g_autoptr(GBytes) map = read_named("etc/e820");
    ck_assert_uint_eq(g_bytes_get_size(map), sizeof(expected));
    ck_assert_mem_eq(g_bytes_get_data(map, NULL), expected, sizeof(expected));

    g_autoptr(GBytes) cpus = read_item(FW_CFG_NB_CPUS, 2);
    ck_assert_mem_eq(g_bytes_get_data(cpus, NULL), "\3\0", 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("firmware");
    TCase *files = tcase_create("files");
    TCase *tables = tcase_create("tables");

    tcase_add_checked_fixture(files, setup, teardown);
    tcase_add_test(files, loads_from_the_given_path);
    tcase_add_loop_test(files, names_the_package, 0, 4);
    tcase_add_loop_test(files, refuses_wrong_sizes, 0, 3);
    tcase_add_test(files, refuses_what_is_no_file);
    tcase_add_test(files, copies_variables_once);
    tcase_add_test(files, refuses_damaged_variables);
    tcase_add_test(files, names_an_unwritable_folder);
    suite_add_tcase(suite, files);
    tcase_add_checked_fixture(tables, setup, teardown);
    tcase_add_test(tables, boot_order);
    tcase_add_test(tables, no_boot_order);
    tcase_add_test(tables, memory_map);
    suite_add_tcase(suite, tables);

    return run_suite(suite);
}
