/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The definition of a machine: its table, reader and writer; and the text helpers under it. */
#include <check.h>
#include <string.h>

#include "core/config.h"
#include "core/error.h"
#include "core/text.h"
#include "tests/suite.h"

static struct machine_config *parse(const char *text, GError **err)
{
    return machine_config_parse("deb", text, strlen(text), "machine.conf", err);
}

static struct machine_config *parse_ok(const char *text)
{
    GError *err = NULL;
    struct machine_config *config = parse(text, &err);

    ck_assert_msg(config != NULL, "%s", err != NULL ? err->message : "");
    return config;
}

static void check_get(const struct machine_config *config, const char *path, const char *expected)
{
    g_autofree char *value = machine_config_get(config, path, NULL);

    ck_assert_str_eq(value, expected);
}

/* Every row's default is what a new machine has, and its own text form. */
START_TEST(defaults_agree_with_the_table)
{
    struct machine_config *config = machine_config_new("deb");
    const struct config_key *key;

    for (size_t i = 0; (key = config_key(i)) != NULL; i++) {
        bool disk = strcmp(key->group, "disk") == 0;
        g_autofree char *path = g_strdup_printf("%s%s.%s", key->group, disk ? "3" : "", key->key);

        check_get(config, path, key->default_text);
        ck_assert(machine_config_set(config, path, key->default_text, NULL));
        check_get(config, path, key->default_text);
    }
    ck_assert_uint_eq(config->cpus, 1);
    ck_assert_uint_eq(config->memory, UINT64_C(1) << 30);
    ck_assert_int_eq(config->boot_order[0], BOOT_DISK);
    ck_assert_int_eq(config->boot_order[1], BOOT_CDROM);
    ck_assert(config->cdrom_present);
    ck_assert_ptr_null(config->cdrom_file);
    ck_assert_ptr_null(config->disks[0].file);
    ck_assert_str_eq(config->disks[0].format, "raw");
    ck_assert_str_eq(config->usb_storage_format, "raw");
    ck_assert_str_eq(config->keyboard, "us");
    ck_assert(machine_config_validate(config, NULL));
    machine_config_free(config);
}
END_TEST

/* The enums are stored by their place in the table's choices. */
START_TEST(choices_have_the_order_of_their_enums)
{
    static const struct {
        const char *path, *value;
        size_t offset;
        unsigned expected;
    } rows[] = {
#define ROW(path, value, field, expected) \
    {path, value, offsetof(struct machine_config, field), expected}
        ROW("machine.accel", "auto", accel, ACCEL_AUTO),
        ROW("machine.accel", "kvm", accel, ACCEL_KVM),
        ROW("machine.firmware", "seabios", firmware, FIRMWARE_SEABIOS),
        ROW("machine.firmware", "ovmf", firmware, FIRMWARE_OVMF),
        ROW("machine.rtc", "utc", rtc, RTC_UTC),
        ROW("machine.rtc", "local", rtc, RTC_LOCAL),
        ROW("machine.on-crash", "pause", on_crash, CRASH_PAUSE),
        ROW("machine.on-crash", "stop", on_crash, CRASH_STOP),
        ROW("machine.on-crash", "reset", on_crash, CRASH_RESET),
        ROW("display.vnc", "unix", vnc, CONFIG_VNC_UNIX),
        ROW("display.vnc", "tcp", vnc, CONFIG_VNC_TCP),
        ROW("display.vnc", "off", vnc, CONFIG_VNC_OFF),
        ROW("serial.port", "socket", serial, CONFIG_SERIAL_SOCKET),
        ROW("serial.port", "file", serial, CONFIG_SERIAL_FILE),
        ROW("serial.port", "off", serial, CONFIG_SERIAL_OFF),
#undef ROW
    };
    struct machine_config *config = machine_config_new("deb");

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        ck_assert(machine_config_set(config, rows[i].path, rows[i].value, NULL));
        ck_assert_uint_eq(*(unsigned *)((char *)config + rows[i].offset), rows[i].expected);
        check_get(config, rows[i].path, rows[i].value);
    }
    machine_config_free(config);
}
END_TEST

START_TEST(reads_a_whole_file)
{
    struct machine_config *config = parse_ok("# a comment\n"
                                             "\n"
                                             "[machine]\n"
                                             "  cpus=4\n"
                                             "memory = 1536M\n"
                                             "description = Grüße = all of it # too\n"
                                             "[boot]\n"
                                             "order = cdrom, disk\n"
                                             "menu = yes\n"
                                             "[disk2]\n"
                                             "file = /srv/a b.raw\n"
                                             "read-only = yes\n"
                                             "cache = direct\n"
                                             "[display]\n"
                                             "vnc = tcp\n"
                                             "vnc-port = 5999\n"
                                             "[debug]\n"
                                             "exit-port = 0xF4");

    ck_assert_uint_eq(config->cpus, 4);
    ck_assert_uint_eq(config->memory, UINT64_C(1536) << 20);
    ck_assert_str_eq(config->description, "Grüße = all of it # too");
    ck_assert_int_eq(config->boot_order[0], BOOT_CDROM);
    ck_assert_int_eq(config->boot_order[1], BOOT_DISK);
    ck_assert(config->boot_menu);
    ck_assert_str_eq(config->disks[2].file, "/srv/a b.raw");
    ck_assert(config->disks[2].read_only);
    ck_assert_int_eq(config->disks[2].cache, CACHE_DIRECT);
    ck_assert_int_eq(config->disks[1].cache, CACHE_WRITE_BACK);
    ck_assert_ptr_null(config->disks[1].file);
    ck_assert_uint_eq(config->vnc_port, 5999);
    ck_assert_uint_eq(config->debug_exit_port, 0xf4);
    check_get(config, "debug.exit-port", "0xf4");
    check_get(config, "boot.order", "cdrom,disk");
    machine_config_free(config);
}
END_TEST

static const struct {
    const char *text;
    const char *expected; /* part of the message */
} bad_files[] = {
    {"[machine]\ncpu = 1\n", "machine.conf:2: There is no key \"cpu\" in [machine]: did you mean "
                             "\"cpus\"?"},
    {"[machine]\nvnc-port = 1\n", ":2: There is no key \"vnc-port\" in [machine]: it belongs to "
                                  "[display]"},
    {"[machine]\nzzzzzzzzzzzz = 1\n", "see machine.conf(5) for the keys"},
    {"\n[machin]\n", ":2: There is no group [machin]: did you mean [machine]?"},
    {"[disk4]\n", "the disks are disk0 to disk3"},
    {"[disk]\n", "the disks are disk0 to disk3"},
    {"[]\n", "There is no group []"},
    {"[machine\n", ":1: This is neither"},
    {"hello\n", ":1: This is neither"},
    {"= 3\n", ":1: This is neither"},
    {"cpus = 1\n", ":1: This key is in no group"},
    {"[machine]\ncpus = 1\ncpus = 1\n", ":3: machine.cpus is here a second time, first on line 2"},
    {"[machine]\n[boot]\n[machine]\n", ":3: machine is here a second time, first on line 1"},
    {"[machine]\ncpus = 0\n", ":2: machine.cpus: \"0\" is not a number from 1 to 8"},
    {"[machine]\ncpus = 9\n", "from 1 to 8"},
    {"[machine]\ncpus = -1\n", "from 1 to 8"},
    {"[machine]\ncpus = 1x\n", "from 1 to 8"},
    {"[machine]\ncpus = 99999999999999999999\n", "from 1 to 8"},
    {"[machine]\nmemory = 1023K\n", "whole mebibytes from 1M to 1T"},
    {"[machine]\nmemory = 1048577\n", "whole mebibytes"},
    {"[machine]\nmemory = 2T\n", "from 1M to 1T"},
    {"[machine]\nmemory = 99999999999T\n", "is not a size"},
    {"[machine]\nmemory = lots\n", "is not a size"},
    {"[machine]\naccel = qemu\n", "use auto or kvm"},
    {"[boot]\norder = floppy\n", "boot.order: \"floppy\" is not possible"},
    {"[boot]\norder = disk,disk\n", "is not possible"},
    {"[boot]\norder = disk,cdrom,disk\n", "is not possible"},
    {"[boot]\norder = ,\n", "is not possible"},
    {"[boot]\nmenu = maybe\n", "use yes or no"},
    {"[disk0]\nformat = qed\n", "use raw"},
    {"[disk0]\nfile = ~/a.raw\n", "write the whole path"},
    {"[display]\nvnc-port = 65536\n", "from 0 to 65535"},
    {"[display]\nkeyboard = U S\n", "is not a layout"},
    {"[display]\nwidth = 2561\n", "from 320 to 2560"},
    {"[debug]\nexit-port = 0x10000\n", "not a port"},
    {"[machine]\ndescription = a\001b\n", ":2: This line has a control character"},
    {"[machine]\ndescription = a\302\205b\n", ":2: This line has a control character"},
    {"[machine]\ndescription = a\tb\n", "has a control character"},
    {"[machine]\ndescription = a\xff\n", ":2: This line is not valid UTF-8"},
    {"[machine]\r\n", ":1: This line ends with a carriage return"},
    {"[boot]\ninitrd = /i\n", "machine.conf: boot.initrd needs boot.kernel"},
    {"[boot]\ncmdline = quiet\n", "boot.cmdline needs boot.kernel"},
    {"[serial]\nport = file\n", "serial.file is not set"},
    {"[cdrom]\ndrive = no\nfile = /a.iso\n", "cdrom.file needs a drive"},
    {"[disk0]\nfile = a\n[disk3]\nfile = a\n", "disk0 and disk3 are the same file a"},
};

START_TEST(refuses_bad_files)
{
    GError *err = NULL;

    ck_assert_ptr_null(parse(bad_files[_i].text, &err));
    ck_assert_ptr_nonnull(err);
    ck_assert_msg(strstr(err->message, bad_files[_i].expected) != NULL, "\"%s\" is not in \"%s\"",
                  bad_files[_i].expected, err->message);
    g_error_free(err);
}
END_TEST

START_TEST(refuses_nul_and_size)
{
    static const char nul[] = "[machine]\ncpus = 1\0\n";
    g_autofree char *large = g_strnfill(CONFIG_MAX_BYTES + 1, '\n');
    g_autofree char *value = g_strnfill(5000, 'x');
    g_autofree char *text = g_strdup_printf("[machine]\ndescription = %s\n", value);
    g_autoptr(GError) nul_error = NULL;
    g_autoptr(GError) large_error = NULL;
    g_autoptr(GError) value_error = NULL;

    ck_assert_ptr_null(machine_config_parse("a", nul, sizeof(nul) - 1, "f", &nul_error));
    ck_assert_str_eq(nul_error->message, "f:2: This line has a NUL byte: remove it");
    ck_assert_ptr_null(machine_config_parse("a", large, CONFIG_MAX_BYTES + 1, "f", &large_error));
    ck_assert_ptr_nonnull(strstr(large_error->message, "larger than"));
    machine_config_free(machine_config_parse("a", large, CONFIG_MAX_BYTES, "f", NULL));
    ck_assert_ptr_null(parse(text, &value_error));
    ck_assert_ptr_nonnull(strstr(value_error->message, "longer than 4096 bytes"));
}
END_TEST

START_TEST(lists_every_problem_up_to_a_limit)
{
    g_autoptr(GString) text = g_string_new("[nonsense]\nkeys = here are passed over\n[machine]\n");
    g_autoptr(GError) two = NULL;
    g_autoptr(GError) many = NULL;

    ck_assert_ptr_null(parse("[machine]\ncpus = 9\nrtc = utc\nmemory = 0\n", &two));
    ck_assert_ptr_nonnull(strstr(two->message, "machine.conf:2:"));
    ck_assert_ptr_nonnull(strstr(two->message, "\nmachine.conf:4:"));
    ck_assert_ptr_null(strstr(two->message, ":3:"));
    for (int i = 0; i < 100; i++)
        g_string_append(text, "cpus = 0\n");
    ck_assert_ptr_null(parse(text->str, &many));
    ck_assert_ptr_nonnull(strstr(many->message, "machine.conf:1:"));
    ck_assert_ptr_null(strstr(many->message, "machine.conf:2:"));
    ck_assert_ptr_nonnull(strstr(many->message, "\nmachine.conf: and 81 more problems"));
}
END_TEST

START_TEST(set_changes_nothing_on_failure)
{
    static const char *const bad[][2] = {
        {"machine.cpus", "9"},
        {"machine.memory", "x"},
        {"machine.accel", "x"},
        {"boot.order", "disk,x"},
        {"boot.menu", "x"},
        {"disk0.file", "a\nb"},
        {"disk0.file", " a"},
        {"disk0.file", "\xff"},
        {"display.vnc-port", "65536"},
        {"machine.description", "\033[2J"},
        {"machine.nothing", "1"},
        {"machine", "1"},
        {"", ""},
        {".", "1"},
    };
    struct machine_config *config = machine_config_new("deb");
    g_autofree char *before = NULL, *after = NULL;

    ck_assert(machine_config_set(config, "disk0.file", "kept.raw", NULL));
    before = machine_config_format(config, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;

        ck_assert(!machine_config_set(config, bad[i][0], bad[i][1], &err));
        ck_assert_int_eq(err->code, VMDESK_ERROR_INVALID);
        ck_assert_ptr_null(strchr(err->message, '\033'));
    }
    after = machine_config_format(config, NULL);
    ck_assert_str_eq(before, after);
    ck_assert(machine_config_set(config, "disk0.file", "", NULL));
    ck_assert_ptr_null(config->disks[0].file);
    machine_config_free(config);
}
END_TEST

START_TEST(fresh_file_shows_every_key_and_reads_back)
{
    struct machine_config *config = machine_config_new("deb");
    struct machine_config *again;
    const struct config_key *key;
    g_autofree char *text = NULL, *second = NULL;

    ck_assert(machine_config_set(config, "machine.memory", "2048M", NULL));
    ck_assert(machine_config_set(config, "disk0.file", "disk0.raw", NULL));
    ck_assert(machine_config_set(config, "disk3.file", "/d3", NULL));
    text = machine_config_format(config, NULL);
    for (size_t i = 0; (key = config_key(i)) != NULL; i++) {
        g_autofree char *line = g_strdup_printf("%s =", key->key);
        ck_assert_ptr_nonnull(strstr(text, line));
        ck_assert_ptr_nonnull(strstr(text, key->comment));
    }
    ck_assert_ptr_nonnull(strstr(text, "\nmemory = 2G\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n#cpus = 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "[disk3]"));
    ck_assert_ptr_null(strstr(text, "[disk1]"));
    again = parse_ok(text);
    second = machine_config_format(again, NULL);
    ck_assert_str_eq(text, second);
    machine_config_free(again);
    machine_config_free(config);
}
END_TEST

START_TEST(format_keeps_what_the_user_wrote)
{
    static const char old[] = "; mine\n"
                              "[display]\n"
                              "keyboard=de\n"
                              "\n"
                              "[machine]\n"
                              "# more is not better\n"
                              "  cpus   =   2\n"
                              "memory = 2048M\n"
                              "#rtc = utc\n"
                              "\n"
                              "# the end\n"
                              "[cdrom]\n"
                              "file = /a.iso\n";
    static const char expected[] = "; mine\n"
                                   "[display]\n"
                                   "keyboard=de\n"
                                   "\n"
                                   "[machine]\n"
                                   "# more is not better\n"
                                   "cpus = 3\n"
                                   "memory = 2048M\n"
                                   "#rtc = utc\n"
                                   "rtc = local\n"
                                   "\n"
                                   "# the end\n"
                                   "[cdrom]\n"
                                   "\n"
                                   "[disk1]\n"
                                   "file = b.raw\n"
                                   "read-only = yes\n";
    struct machine_config *config = parse_ok(old);
    g_autofree char *same = machine_config_format(config, old);
    g_autofree char *changed = NULL;

    ck_assert_str_eq(same, old);
    ck_assert(machine_config_set(config, "machine.cpus", "3", NULL));
    ck_assert(machine_config_set(config, "machine.rtc", "local", NULL));
    ck_assert(machine_config_set(config, "cdrom.file", "", NULL));
    ck_assert(machine_config_set(config, "disk1.file", "b.raw", NULL));
    ck_assert(machine_config_set(config, "disk1.read-only", "yes", NULL));
    changed = machine_config_format(config, old);
    ck_assert_str_eq(changed, expected);
    machine_config_free(config);
}
END_TEST

START_TEST(sizes_and_numbers)
{
    static const struct {
        const char *text;
        uint64_t size;
        const char *shown;
    } good[] = {
        {"0", 0, "0"},
        {"1000", 1000, "1000"},
        {"512m", UINT64_C(512) << 20, "512M"},
        {"2048MiB", UINT64_C(2) << 30, "2G"},
        {"3GB", UINT64_C(3) << 30, "3G"},
        {"7b", 7, "7"},
        {"16777215T", UINT64_C(16777215) << 40, "16777215T"},
    };
    static const char *const bad[] = {"",     "M",   "1.5G",      "-1",
                                      "+1",   "1 G", "1X",        "1MM",
                                      "0x10", " 1",  "16777216T", "18446744073709551616"};
    uint64_t value = 42;

    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char *shown = NULL;

        ck_assert(text_parse_size(good[i].text, &value, NULL));
        ck_assert_uint_eq(value, good[i].size);
        shown = text_format_size(value);
        ck_assert_str_eq(shown, good[i].shown);
    }
    value = 42;
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        ck_assert_msg(!text_parse_size(bad[i], &value, NULL), "%s is taken", bad[i]);
    ck_assert(!text_parse_number("11", 1, 10, &value, NULL));
    ck_assert(!text_parse_number("", 0, 10, &value, NULL));
    ck_assert_uint_eq(value, 42);
    ck_assert(text_parse_number("10", 1, 10, &value, NULL));
    ck_assert_uint_eq(value, 10);
}
END_TEST

START_TEST(sanitizes_foreign_text)
{
    static const char foreign[] = "a\033[2J\n\tb\xff\302\233z\342\200\256\0c";
    g_autofree char *one = text_sanitize(foreign, sizeof(foreign) - 1, false);
    g_autofree char *lines = text_sanitize("a\n\tb\r", -1, true);
    const char *candidates[] = {"start", "stop", "screenshot"};

    ck_assert_str_eq(one, "a\357\277\275[2J\357\277\275\357\277\275b\357\277\275\357\277\275z"
                          "\357\277\275\357\277\275c");
    ck_assert_str_eq(lines, "a\n\tb\357\277\275");
    ck_assert_str_eq(text_closest("strat", candidates, 3), "start");
    ck_assert_str_eq(text_closest("screenshoot", candidates, 3), "screenshot");
    ck_assert_ptr_null(text_closest("completely", candidates, 3));
    ck_assert_ptr_null(text_closest("x", candidates, 0));
}
END_TEST

START_TEST(resolves_files)
{
    g_autofree char *relative = machine_config_resolve("/m/deb", "disk0.raw");
    g_autofree char *absolute = machine_config_resolve("/m/deb", "/srv/a.raw");

    ck_assert_str_eq(relative, "/m/deb/disk0.raw");
    ck_assert_str_eq(absolute, "/srv/a.raw");
    ck_assert_ptr_null(machine_config_resolve("/m/deb", NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tcase = tcase_create("config");

    tcase_add_test(tcase, defaults_agree_with_the_table);
    tcase_add_test(tcase, choices_have_the_order_of_their_enums);
    tcase_add_test(tcase, reads_a_whole_file);
    tcase_add_loop_test(tcase, refuses_bad_files, 0, G_N_ELEMENTS(bad_files));
    tcase_add_test(tcase, refuses_nul_and_size);
    tcase_add_test(tcase, lists_every_problem_up_to_a_limit);
    tcase_add_test(tcase, set_changes_nothing_on_failure);
    tcase_add_test(tcase, fresh_file_shows_every_key_and_reads_back);
    tcase_add_test(tcase, format_keeps_what_the_user_wrote);
    tcase_add_test(tcase, sizes_and_numbers);
    tcase_add_test(tcase, sanitizes_foreign_text);
    tcase_add_test(tcase, resolves_files);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
