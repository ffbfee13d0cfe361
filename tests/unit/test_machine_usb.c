/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plugging devices into a machine, and pulling them out. */
#include <check.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "engine/machine/machine_usb.h"
#include "tests/fakes/temp_folder.h"
#include "tests/fakes/xhci_driver.h"
#include "tests/suite.h"

#define STICK_SIZE 65536

static struct xhci_driver d;
static struct machine_usb usb;
static GMainContext *context;
static char *folder;

static void setup(void)
{
    g_autofree char *stick = NULL;

    xd_init(&d);
    context = g_main_context_new();
    folder = temp_folder_new();
    temp_folder_write(folder, "stick.img", "");
    stick = g_build_filename(folder, "stick.img", NULL);
    ck_assert_int_eq(truncate(stick, STICK_SIZE), 0);
    usb = (struct machine_usb){.xhci = d.xhci,
                               .io = io_context_new(2),
                               .context = context,
                               .folder = folder,
                               .runtime_folder = folder};
    machine_usb_init(&usb);
}

static void teardown(void)
{
    machine_usb_finish(&usb);
    xd_finish(&d);
    io_context_free(usb.io);
    g_main_context_unref(context);
    temp_folder_remove(folder);
}

static bool add(const char *driver, const char *id, const char *port, const char *file,
                GError **err)
{
    const struct machine_usb_options options = {.driver = driver,
                                                .id = id,
                                                .port = port,
                                                .file = file};

    return machine_usb_add(&usb, &options, err);
}

static void refused(const char *words, const char *driver, const char *id, const char *port,
                    const char *file)
{
    g_autoptr(GError) error = NULL;

    ck_assert(!add(driver, id, port, file, &error));
    ck_assert_msg(strstr(error->message, words) != NULL, "'%s' is not in '%s'", words,
                  error->message);
}

START_TEST(devices_take_ports)
{
    g_autoptr(GError) error = NULL;

    ck_assert(add("usb-tablet", "pointer", NULL, NULL, NULL));
    ck_assert(add("usb-storage", "stick", "4", "stick.img", NULL));
    ck_assert_str_eq(machine_usb_find(&usb, "pointer")->port->path, "1");
    ck_assert_str_eq(machine_usb_find(&usb, "stick")->port->path, "4");
    ck_assert(add("usb-kbd", "keys", NULL, NULL, NULL));
    ck_assert(machine_usb_remove(&usb, "stick", NULL));
    ck_assert_ptr_null(machine_usb_find(&usb, "stick"));
    ck_assert_msg(add("usb-storage", "stick", "4", "stick.img", &error), "it was not closed: %s",
                  error->message);
    ck_assert(machine_usb_remove(&usb, "pointer", NULL));
    ck_assert(add("usb-tablet", "pointer", NULL, NULL, NULL));
}
END_TEST

START_TEST(what_cannot_be_is_said)
{
    ck_assert(add("usb-tablet", "pointer", "1", NULL, NULL));
    refused("is taken", "usb-hub", "hub", "1", NULL);
    refused("has its tablet", "usb-tablet", "other", NULL, NULL);
    refused("already", "usb-hub", "pointer", NULL, NULL);
    refused("no driver", "usb-toaster", "toaster", NULL, NULL);
    refused("no USB port '5'", "usb-hub", "hub", "5", NULL);
    refused("no USB port '1.1'", "usb-hub", "hub", "1.1", NULL);
    refused("no USB port 'x'", "usb-hub", "hub", "x", NULL);
    refused("needs the file", "usb-storage", "stick", NULL, NULL);
    refused("has no file", "usb-hub", "hub", NULL, "stick.img");
    refused("nothing.img", "usb-storage", "stick", NULL, "nothing.img");
    refused("begin with a letter", "usb-hub", "../hub", NULL, NULL);
    refused("letters, digits", "usb-hub", "a/b", NULL, NULL);
    ck_assert(!machine_usb_remove(&usb, "nobody", NULL));
    for (unsigned i = 2; i <= XHCI_PORTS; i++) {
        g_autofree char *id = g_strdup_printf("hub%u", i);

        ck_assert(add("usb-hub", id, NULL, NULL, NULL));
    }
    refused("All USB ports", "usb-hub", "hub9", NULL, NULL);
}
END_TEST

START_TEST(a_hub_takes_its_devices_along)
{
    ck_assert(add("usb-hub", "outer", "2", NULL, NULL));
    ck_assert(add("usb-hub", "inner", "2.3", NULL, NULL));
    ck_assert(add("usb-kbd", "keys", "2.3.1", NULL, NULL));
    ck_assert(add("usb-serial", "line", "2.1", NULL, NULL));
    ck_assert(add("usb-tablet", "pointer", "1", NULL, NULL));
    ck_assert_ptr_nonnull(strstr(usb_plugged_socket(machine_usb_find(&usb, "line")), "usb-line"));
    ck_assert(machine_usb_remove(&usb, "inner", NULL));
    ck_assert_ptr_null(machine_usb_find(&usb, "keys"));
    ck_assert_ptr_nonnull(machine_usb_find(&usb, "line"));
    ck_assert(add("usb-kbd", "keys", "2.3", NULL, NULL));
    ck_assert(machine_usb_remove(&usb, "outer", NULL));
    ck_assert_uint_eq(usb.devices->len, 1);
    ck_assert_ptr_nonnull(machine_usb_find(&usb, "pointer"));
}
END_TEST

START_TEST(a_machine_without_usb_says_so)
{
    struct xhci *xhci = usb.xhci;

    usb.xhci = NULL;
    refused("usb.controller", "usb-hub", "hub", NULL, NULL);
    usb.xhci = xhci;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("machine_usb");
    TCase *tc = tcase_create("machine_usb");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, devices_take_ports);
    tcase_add_test(tc, what_cannot_be_is_said);
    tcase_add_test(tc, a_hub_takes_its_devices_along);
    tcase_add_test(tc, a_machine_without_usb_says_so);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
