/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules for the host's USB devices, the list they choose from, and udev's rules. */
#include <check.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/usb_rules.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"
#include "usb/host/claim.h"
#include "usb/host/list.h"
#include "usb/ports.h"
#include "usb/host/udev_rule.h"

static char *folder;

static void setup(void)
{
    folder = temp_folder_new();
}

static void teardown(void)
{
    temp_folder_remove(folder);
}

static const struct {
    const char *text;
    bool valid;
} matches[] = {
    {"1234:abcd", true},
    {"1234:ABCD:SER.1-2_3", true},
    {"1234:abcd:a%20b%2C", true},
    {"1-2", true},
    {"3-1.4.2", true},
    {"", false},
    {"1234", false},
    {"1234:", false},
    {"123:abcd", false},
    {"12345:abcd", false},
    {"1234:abcd:", false},
    {"1234:abcd:a b", false},
    {"1234:abcd:a%0", false},
    {"1234:abcd:a%00b", false},
    {"1234:wxyz", false},
    {"1-", false},
    {"-2", false},
    {"1-2.", false},
    {"1-2..3", false},
    {"usb1", false},
};

START_TEST(test_match)
{
    struct usb_match match = {NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    struct usb_match again;

    if (!usb_match_parse(matches[_i].text, &match, &error)) {
        ck_assert_msg(!matches[_i].valid, "%s", matches[_i].text);
        ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_INVALID));
        return;
    }
    ck_assert_msg(matches[_i].valid, "%s", matches[_i].text);
    text = usb_match_format(&match);
    ck_assert_int_eq(g_ascii_strcasecmp(text, matches[_i].text), 0);
    ck_assert(usb_match_parse(text, &again, NULL));
    ck_assert_str_eq(again.serial != NULL ? again.serial : "",
                     match.serial != NULL ? match.serial : "");
    usb_match_finish(&again);
    usb_match_finish(&match);
}
END_TEST

START_TEST(test_rules)
{
    g_autoptr(GPtrArray) rules =
        usb_rules_parse("1234:0001 always, 1234:0001:A%20B ask,  1-2   once", NULL);
    g_autofree char *text = NULL;
    struct usb_match match = {.vendor = 0x1234, .product = 1};

    ck_assert_ptr_nonnull(rules);
    text = usb_rules_format(rules);
    ck_assert_str_eq(text, "1234:0001 always, 1234:0001:A%20B ask, 1-2 once");
    ck_assert_int_eq(usb_rules_find(rules, 0x1234, 1, "x", "1-1")->policy, USB_POLICY_ALWAYS);
    ck_assert_int_eq(usb_rules_find(rules, 0x1234, 1, "A B", "1-1")->policy, USB_POLICY_ASK);
    ck_assert_int_eq(usb_rules_find(rules, 0x1234, 1, "A B", "1-2")->policy, USB_POLICY_ONCE);
    ck_assert_int_eq(usb_rules_find(rules, 0x9999, 9, NULL, "1-2")->policy, USB_POLICY_ONCE);
    ck_assert_ptr_null(usb_rules_find(rules, 0x9999, 9, NULL, "1-3"));
    ck_assert(usb_rules_set(rules, &match, USB_POLICY_ASK, NULL));
    ck_assert_uint_eq(rules->len, 3);
    ck_assert(usb_rules_remove(rules, &match));
    ck_assert(!usb_rules_remove(rules, &match));
    ck_assert_uint_eq(rules->len, 2);
}
END_TEST

START_TEST(test_bad_rules)
{
    static const char *const bad[] = {"1234:0001", "1234:0001 never",   "always",
                                      ",",         "1234:0001 always,", "1234:0001 always ask"};
    g_autoptr(GString) many = g_string_new(NULL);
    g_autoptr(GPtrArray) none = usb_rules_parse(NULL, NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
        ck_assert_msg(usb_rules_parse(bad[i], NULL) == NULL, "%s", bad[i]);
    for (unsigned i = 0; i <= USB_MAX_RULES; i++)
        g_string_append_printf(many, "%s%04x:0001 ask", i > 0 ? ", " : "", i);
    ck_assert_ptr_null(usb_rules_parse(many->str, NULL));
    ck_assert_uint_eq(none->len, 0);
}
END_TEST

static void put(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);

    ck_assert_int_eq(g_mkdir_with_parents(parent, 0700), 0);
    ck_assert(g_file_set_contents(path, text, -1, NULL));
}

static void link_to(const char *target, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);

    ck_assert_int_eq(g_mkdir_with_parents(parent, 0700), 0);
    ck_assert_int_eq(symlink(target, path), 0);
}

static void put_device(const char *port, const char *product, const void *descriptors, size_t size)
{
    static const char *const files[][2] = {{"busnum", "1\n"},
                                           {"devnum", "7\n"},
                                           {"idVendor", "0951\n"},
                                           {"speed", "5000\n"}};
    g_autofree char *base = g_strdup_printf("devices/pci0/usb1/%s", port);
    g_autofree char *link = g_strdup_printf("bus/usb/devices/%s", port);
    g_autofree char *target = g_strdup_printf("../../../%s", base);
    g_autofree char *id = g_strdup_printf("%s/idProduct", base);
    g_autofree char *bytes = g_strdup_printf("%s/%s/descriptors", folder, base);

    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *name = g_strdup_printf("%s/%s", base, files[i][0]);

        put(name, files[i][1]);
    }
    put(id, product);
    ck_assert(g_file_set_contents(bytes, descriptors, size, NULL));
    link_to(target, link);
}

static const uint8_t stick[] = {18, 1,    0,  2, 0, 0, 0, 64, 0x51, 9, 0x66, 0x16,
                                0,  1,    1,  2, 3, 1, 9, 2,  18,   0, 1,    1,
                                0,  0x80, 50, 9, 4, 0, 0, 0,  8,    6, 0x50, 0};
static const uint8_t keyboard[] = {18, 1, 0,  2, 0, 0, 0, 8,    0x51, 9, 1, 0, 0, 1, 1, 2, 0, 1,
                                   9,  2, 18, 0, 1, 1, 0, 0xa0, 50,   9, 4, 0, 0, 0, 3, 1, 1, 0};

START_TEST(test_list)
{
    g_autofree char *mountinfo = g_build_filename(folder, "mountinfo", NULL);
    const struct usb_host_paths paths = {.sysfs = folder, .mountinfo = mountinfo, .claims = folder};
    struct usb_host_claim *claim = usb_host_claim_acquire(folder, "1-10", "deb", NULL);
    g_autoptr(GPtrArray) devices = NULL;
    g_autoptr(GError) error = NULL;
    struct usb_host_device *first, *second;

    put_device("1-10", "0001\n", keyboard, sizeof(keyboard));
    put_device("1-9", "1666\n", stick, sizeof(stick));
    link_to("../../drivers/usb-storage", "devices/pci0/usb1/1-9/1-9:1.0/driver");
    link_to("../../../devices/pci0/usb1/1-9/1-9:1.0", "bus/usb/devices/1-9:1.0");
    put("devices/pci0/usb1/1-9/1-9:1.0/host0/block/sdq/sdq1/dev", "8:241\n");
    put("devices/virtual/block/dm-3/dev", "253:3\n");
    link_to("../../../../../../../../../virtual/block/dm-3",
            "devices/pci0/usb1/1-9/1-9:1.0/host0/block/sdq/sdq1/holders/dm-3");
    link_to("../../devices/pci0/usb1/1-9/1-9:1.0/host0/block/sdq/sdq1", "class/block/sdq1");
    put("mountinfo", "36 35 253:3 / /media/my\\040stick rw - ext4 /dev/mapper/x rw\n"
                     "37 35 broken\n");
    devices = usb_host_list(&paths, &error);
    ck_assert_ptr_nonnull(devices);
    ck_assert_uint_eq(devices->len, 2);
    first = devices->pdata[0];
    second = devices->pdata[1];
    ck_assert_str_eq(first->port, "1-9");
    ck_assert_str_eq(first->speed, "5 Gbit/s");
    ck_assert_str_eq(first->driver, "usb-storage");
    ck_assert_str_eq(first->mounted, "/media/my stick");
    ck_assert(first->storage && !first->keyboard);
    ck_assert_ptr_null(first->user);
    ck_assert_str_eq(second->port, "1-10");
    ck_assert(second->keyboard && !second->mouse && !second->hub && !second->storage);
    ck_assert_str_eq(second->user, "deb");
    ck_assert_ptr_eq(usb_host_list_find(devices, "0951:1666", NULL), first);
    ck_assert_ptr_null(usb_host_list_find(devices, "0951:2222", &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_NOT_FOUND));
    usb_host_claim_release(claim);
}
END_TEST

START_TEST(test_two_of_a_kind)
{
    const struct usb_host_paths paths = {.sysfs = folder};
    g_autoptr(GPtrArray) devices = NULL;
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(usb_host_list(&paths, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_MISSING));
    g_clear_error(&error);
    put_device("1-1", "1666\n", stick, sizeof(stick));
    put_device("2-1.4", "1666\n", stick, sizeof(stick));
    put_device("3-1", "not a number\n", stick, sizeof(stick));
    devices = usb_host_list(&paths, NULL);
    ck_assert_uint_eq(devices->len, 2);
    ck_assert_ptr_null(usb_host_list_find(devices, "0951:1666", &error));
    ck_assert_ptr_nonnull(strstr(error->message, "1-1, 2-1.4"));
    ck_assert_ptr_nonnull(usb_host_list_find(devices, "2-1.4", NULL));
}
END_TEST

START_TEST(test_claims)
{
    struct usb_host_claim *claim = usb_host_claim_acquire(folder, "1-2", "one", NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *user = usb_host_claim_query(folder, "1-2");

    ck_assert_str_eq(user, "one");
    ck_assert_ptr_null(usb_host_claim_query(folder, "1-3"));
    ck_assert_ptr_null(usb_host_claim_acquire(folder, "1-2", "two", &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_BUSY));
    ck_assert_ptr_nonnull(strstr(error->message, "the machine one"));
    usb_host_claim_release(claim);
    ck_assert_ptr_null(usb_host_claim_query(folder, "1-2"));
    claim = usb_host_claim_acquire(folder, "1-2", "a", NULL);
    g_free(user);
    user = usb_host_claim_query(folder, "1-2");
    ck_assert_str_eq(user, "a");
    usb_host_claim_release(claim);
}
END_TEST

START_TEST(test_udev_rule)
{
    g_autofree char *file = g_build_filename(folder, "70.rules", NULL);
    g_autofree char *rule = udev_rule_format(0x1234, 0xabcd, "S 1", "somebody");
    g_autofree char *plain = udev_rule_format(0x1234, 0xabcd, "bad\"*serial", "somebody");
    g_autofree char *text = NULL;
    bool added;

    ck_assert_str_eq(rule, "SUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", "
                           "ATTR{idVendor}==\"1234\", ATTR{idProduct}==\"abcd\", "
                           "ATTR{serial}==\"S 1\", OWNER=\"somebody\"");
    ck_assert_ptr_null(strstr(plain, "serial"));
    ck_assert_ptr_null(udev_rule_format(1, 2, NULL, "some\"body"));
    ck_assert_ptr_null(udev_rule_format(1, 2, NULL, ""));
    ck_assert(udev_rule_add(file, rule, &added, NULL) && added);
    ck_assert(udev_rule_add(file, rule, &added, NULL) && !added);
    ck_assert(udev_rule_add(file, plain, &added, NULL) && added);
    text = temp_folder_read(folder, "70.rules");
    ck_assert_ptr_nonnull(strstr(text, rule));
    ck_assert_ptr_nonnull(strstr(text, plain));
    ck_assert(g_str_has_suffix(text, "\n"));
}
END_TEST

static void on_port(struct usb_port *port)
{
}

static void no_free(struct usb_device *device)
{
}

START_TEST(test_ports)
{
    static const struct usb_port_ops port_ops = {.attached = on_port, .detached = on_port};
    static const struct usb_device_ops device_ops = {.name = "test", .free = no_free};
    struct usb_port port[2] = {
        {.ops = &port_ops, .path = "1", .speeds = USB_SPEED_BIT(USB_SPEED_SUPER)},
        {.ops = &port_ops, .path = "2", .speeds = USB_SPEED_BIT(USB_SPEED_HIGH)},
    };
    struct usb_ports *ports = usb_ports_new();
    struct usb_device fast, slow, other;
    g_autoptr(GError) error = NULL;

    usb_device_init(&fast, &device_ops, "fast",
                    USB_SPEED_BIT(USB_SPEED_SUPER) | USB_SPEED_BIT(USB_SPEED_HIGH));
    usb_device_init(&slow, &device_ops, "slow", USB_SPEED_BIT(USB_SPEED_HIGH));
    usb_device_init(&other, &device_ops, "slow", USB_SPEED_BIT(USB_SPEED_SUPER));
    ck_assert(!usb_ports_attach(ports, &slow, NULL, &error));
    g_clear_error(&error);
    usb_ports_add(ports, &port[1]);
    usb_ports_add(ports, &port[0]);
    ck_assert(usb_ports_attach(ports, &fast, NULL, NULL));
    ck_assert_ptr_eq(port[0].device, &fast);
    ck_assert(!usb_ports_attach(ports, &slow, "1", NULL));
    ck_assert(!usb_ports_attach(ports, &slow, "9", &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_NOT_FOUND));
    g_clear_error(&error);
    ck_assert(usb_ports_attach(ports, &slow, "2", NULL));
    ck_assert(!usb_ports_attach(ports, &other, NULL, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_EXISTS));
    ck_assert_ptr_eq(usb_ports_device(ports, "slow"), &slow);
    usb_port_detach(&port[0]);
    usb_port_detach(&port[1]);
    ck_assert_ptr_null(usb_ports_device(ports, "slow"));
    usb_device_unref(&fast);
    usb_device_unref(&slow);
    usb_device_unref(&other);
    usb_ports_free(ports);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("usb rules");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_match, 0, G_N_ELEMENTS(matches));
    tcase_add_test(tests, test_rules);
    tcase_add_test(tests, test_bad_rules);
    tcase_add_test(tests, test_list);
    tcase_add_test(tests, test_two_of_a_kind);
    tcase_add_test(tests, test_claims);
    tcase_add_test(tests, test_udev_rule);
    tcase_add_test(tests, test_ports);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
