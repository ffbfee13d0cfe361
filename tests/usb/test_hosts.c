/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules, the broker and claims, with the scripted device: run by fuse_usbfs. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"
#include "tests/usb/host_fixture.h"
#include "usb/host/claim.h"
#include "usb/host/list.h"
#include "usb/host/hosts.h"

static struct {
    char *folder;
    struct usb_ports *ports;
    struct usb_port port[2];
    struct usb_hosts *hosts;
    GString *events; /* "attached 1-2;..." */
    char *message;   /* of the last event */
    bool answered;
    GError *error;
} fixture;

static void on_port(struct usb_port *port)
{
}

static const struct usb_port_ops port_ops = {.attached = on_port,
                                             .detached = on_port,
                                             .wakeup = on_port};

static void on_event(void *opaque, enum usb_hosts_event event, const char *host_port,
                     const char *message)
{
    static const char *const names[] = {"attached", "detached", "asked", "failed"};

    g_string_append_printf(fixture.events, "%s %s;", names[event], host_port);
    g_free(fixture.message);
    fixture.message = g_strdup(message);
}

static struct usb_hosts *new_hosts(const char *machine, const char *rules)
{
    const struct usb_hosts_options options = {
        .ports = fixture.ports,
        .machine = machine,
        .claims = fixture.folder,
        .broker = "./vmdesk-usb-broker",
        .rules = rules,
        .event = on_event,
    };
    struct usb_hosts *hosts = usb_hosts_new(&options, NULL);

    ck_assert_ptr_nonnull(hosts);
    return hosts;
}

static void setup(void)
{
    fixture.folder = temp_folder_new();
    fixture.ports = usb_ports_new();
    for (unsigned i = 0; i < 2; i++) {
        fixture.port[i] = (struct usb_port){
            .ops = &port_ops,
            .speeds = USB_SPEED_BIT(USB_SPEED_FULL) | USB_SPEED_BIT(USB_SPEED_HIGH),
        };
        snprintf(fixture.port[i].path, sizeof(fixture.port[i].path), "%u", i + 1);
        usb_ports_add(fixture.ports, &fixture.port[i]);
    }
    fixture.events = g_string_new(NULL);
}

static void teardown(void)
{
    usb_hosts_free(fixture.hosts);
    usb_ports_free(fixture.ports);
    ck_assert_ptr_null(fixture.port[0].device);
    g_string_free(fixture.events, TRUE);
    g_free(fixture.message);
    g_clear_error(&fixture.error);
    temp_folder_remove(fixture.folder);
    ck_assert_int_eq(script_state("files"), 0);
    ck_assert_int_eq(script_state("plugged") ? script_state("drivers") : 1, 1);
}

static void wait_for_events(const char *events)
{
    while (strcmp(fixture.events->str, events) != 0)
        g_main_context_iteration(NULL, TRUE);
}

/* The time in which something would happen that must not. */
static gboolean set_true(void *opaque)
{
    *(bool *)opaque = true;
    return G_SOURCE_REMOVE;
}

static void let_pass(unsigned ms)
{
    bool over = false;

    g_timeout_add(ms, set_true, &over);
    while (!over)
        g_main_context_iteration(NULL, TRUE);
}

static void on_attached(void *opaque, const GError *error)
{
    ck_assert(!fixture.answered);
    fixture.answered = true;
    fixture.error = error != NULL ? g_error_copy(error) : NULL;
}

/* NULL: it is attached. */
static const GError *attach(struct usb_hosts *hosts, const char *name, const char *port)
{
    fixture.answered = false;
    g_clear_error(&fixture.error);
    if (!usb_hosts_attach(hosts, name, port, on_attached, NULL, &fixture.error))
        return fixture.error;
    while (!fixture.answered)
        g_main_context_iteration(NULL, TRUE);
    return fixture.error;
}

START_TEST(test_attach_and_detach)
{
    g_autofree char *user = NULL;

    fixture.hosts = new_hosts("one", NULL);
    ck_assert_ptr_null(attach(fixture.hosts, "1-2", NULL));
    ck_assert_str_eq(fixture.events->str, "attached 1-2;");
    ck_assert_ptr_eq(usb_ports_device(fixture.ports, "usb-1-2"), fixture.port[0].device);
    user = usb_host_claim_query(fixture.folder, "1-2");
    ck_assert_str_eq(user, "one");
    ck_assert(g_error_matches(attach(fixture.hosts, "1234:0001", NULL), VMDESK_ERROR,
                              VMDESK_ERROR_EXISTS));
    ck_assert(usb_hosts_detach(fixture.hosts, "1234:0001", NULL));
    ck_assert_ptr_null(fixture.port[0].device);
    ck_assert_ptr_null(attach(fixture.hosts, "1234:0001:SN%20001", "2"));
    ck_assert_ptr_nonnull(fixture.port[1].device);
    ck_assert(usb_hosts_detach(fixture.hosts, "usb-1-2", NULL));
    ck_assert(!usb_hosts_detach(fixture.hosts, "usb-1-2", NULL));
    ck_assert_str_eq(fixture.events->str, "attached 1-2;detached 1-2;attached 1-2;detached 1-2;");
}
END_TEST

START_TEST(test_what_cannot_be)
{
    fixture.hosts = new_hosts("one", NULL);
    ck_assert(
        g_error_matches(attach(fixture.hosts, "1-9", NULL), VMDESK_ERROR, VMDESK_ERROR_NOT_FOUND));
    ck_assert(
        g_error_matches(attach(fixture.hosts, "stick", NULL), VMDESK_ERROR, VMDESK_ERROR_INVALID));
    ck_assert(
        g_error_matches(attach(fixture.hosts, "1-2", "7"), VMDESK_ERROR, VMDESK_ERROR_NOT_FOUND));
    script("hold");
    ck_assert(g_error_matches(attach(fixture.hosts, "1-2", NULL), VMDESK_ERROR, VMDESK_ERROR_BUSY));
    script("free");
    ck_assert_str_eq(fixture.events->str, "");
}
END_TEST

START_TEST(test_permission)
{
    const GError *error;

    fixture.hosts = new_hosts("one", NULL);
    script("deny");
    error = attach(fixture.hosts, "1-2", NULL);
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_PERMISSION));
    ck_assert_ptr_nonnull(strstr(error->message, "/etc/udev/rules.d/70-vmdesk-usb.rules"));
    ck_assert_ptr_nonnull(strstr(error->message,
                                 "\nSUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", "
                                 "ATTR{idVendor}==\"1234\", ATTR{idProduct}==\"0001\", "
                                 "ATTR{serial}==\"SN 001\", OWNER=\""));
    script("allow");
    ck_assert_ptr_null(attach(fixture.hosts, "1-2", NULL));
}
END_TEST

START_TEST(test_two_machines)
{
    struct usb_hosts *other;
    const GError *error;

    fixture.hosts = new_hosts("one", NULL);
    other = new_hosts("two", NULL);
    ck_assert_ptr_null(attach(other, "1-2", NULL));
    error = attach(fixture.hosts, "1-2", NULL);
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_BUSY));
    ck_assert_ptr_nonnull(strstr(error->message, "the machine two"));
    usb_hosts_free(other);
    ck_assert_ptr_null(attach(fixture.hosts, "1-2", NULL));
}
END_TEST

START_TEST(test_replug_comes_back_by_rule)
{
    fixture.hosts = new_hosts("one", "dead:beef always, 1234:0001:SN%20001 always");
    wait_for_events("attached 1-2;");
    script("unplug");
    wait_for_events("attached 1-2;detached 1-2;");
    ck_assert_ptr_null(fixture.port[0].device);
    script("plug");
    wait_for_events("attached 1-2;detached 1-2;attached 1-2;");
    ck_assert_ptr_nonnull(fixture.port[0].device);
    /* Quicker than anybody looks. */
    script("unplug");
    script("plug");
    wait_for_events("attached 1-2;detached 1-2;attached 1-2;detached 1-2;attached 1-2;");
    /* The user's word counts until it is plugged in anew. */
    ck_assert(usb_hosts_detach(fixture.hosts, "1-2", NULL));
    g_string_truncate(fixture.events, 0);
    ck_assert(usb_hosts_set_rules(fixture.hosts, "1-2 always", NULL));
    let_pass(300);
    ck_assert_str_eq(fixture.events->str, "");
    script("unplug");
    script("plug");
    wait_for_events("attached 1-2;");
}
END_TEST

START_TEST(test_once)
{
    fixture.hosts = new_hosts("one", "1-2 once");
    wait_for_events("attached 1-2;");
    script("unplug");
    wait_for_events("attached 1-2;detached 1-2;");
    script("plug");
    let_pass(500);
    ck_assert_str_eq(fixture.events->str, "attached 1-2;detached 1-2;");
}
END_TEST

START_TEST(test_ask)
{
    fixture.hosts = new_hosts("one", "1234:0001 ask");
    wait_for_events("asked 1-2;");
    ck_assert_str_eq(fixture.message, "Scripted device");
    ck_assert(usb_hosts_set_rules(fixture.hosts, "1234:0001 ask", NULL));
    let_pass(300);
    ck_assert_str_eq(fixture.events->str, "asked 1-2;"); /* once */
    script("unplug");
    let_pass(300);
    script("plug");
    wait_for_events("asked 1-2;asked 1-2;");
}
END_TEST

/* What cannot be done is said once, and done when it can be. */
START_TEST(test_rule_that_fails)
{
    script("deny");
    fixture.hosts = new_hosts("one", "1-2 always");
    wait_for_events("failed 1-2;");
    ck_assert_ptr_nonnull(strstr(fixture.message, "OWNER="));
    ck_assert(usb_hosts_set_rules(fixture.hosts, "1-2 always", NULL));
    let_pass(300);
    ck_assert_str_eq(fixture.events->str, "failed 1-2;");
    script("allow");
    ck_assert(usb_hosts_set_rules(fixture.hosts, "1-2 always", NULL));
    wait_for_events("failed 1-2;attached 1-2;");
}
END_TEST

START_TEST(test_rule_for_what_is_not_there)
{
    script("unplug");
    fixture.hosts = new_hosts("one", "1-2 always");
    let_pass(200);
    ck_assert_str_eq(fixture.events->str, "");
    script("plug");
    wait_for_events("attached 1-2;");
}
END_TEST

/* It ends in the midst of everything. */
START_TEST(test_ends_at_once)
{
    for (unsigned i = 0; i < 8; i++) {
        fixture.hosts = new_hosts("one", "1-2 always");
        let_pass(i * 2);
        usb_hosts_stop(fixture.hosts);
        usb_hosts_free(fixture.hosts);
        fixture.hosts = NULL;
        g_string_truncate(fixture.events, 0);
        ck_assert_int_eq(script_state("files"), 0);
    }
}
END_TEST

static void on_configured(struct usb_request *request)
{
    if (request->status != USB_OK || write(*(int *)request->opaque, "x", 1) != 1)
        _exit(1);
}

/* What an engine does that never comes to give anything back: it chooses a configuration, or reads
 * from an endpoint. */
static void be_killed(int out, uint8_t configuration)
{
    uint8_t report[8];
    struct iovec part = {report, sizeof(report)};
    struct usb_request set = {.setup = {.request = 9, .value = configuration},
                              .done = on_configured,
                              .opaque = &out};
    struct usb_request read = {.endpoint = 0x83,
                               .length = sizeof(report),
                               .iov = &part,
                               .iov_count = 1};

    fixture.hosts = new_hosts("one", NULL);
    if (attach(fixture.hosts, "1-2", NULL) == NULL &&
        usb_device_submit(fixture.port[0].device, configuration != 0 ? &set : &read) ==
            USB_SUBMIT_PENDING &&
        (configuration != 0 || write(out, "x", 1) == 1))
        pause();
    _exit(1);
}

/* Up to where it waits. */
static pid_t start_engine(uint8_t configuration)
{
    pid_t engine;
    char byte;
    int out[2];

    ck_assert_int_eq(pipe(out), 0);
    engine = fork();
    if (engine == 0)
        be_killed(out[1], configuration);
    close(out[1]);
    ck_assert_int_eq(read(out[0], &byte, 1), 1);
    close(out[0]);
    return engine;
}

static void kill_engine(pid_t engine)
{
    kill(engine, SIGKILL);
    waitpid(engine, NULL, 0);
    while (script_state("files") > 0)
        g_usleep(1000);
}

START_TEST(test_killed)
{
    int resets = script_state("resets");
    pid_t engine = start_engine(0);

    ck_assert_int_eq(script_state("claimed"), 7);
    ck_assert_int_eq(script_state("drivers"), 0);
    ck_assert_int_eq(script_state("flying"), 1);
    kill_engine(engine);
    ck_assert_int_eq(script_state("drivers"), 1);
    ck_assert_int_eq(script_state("claimed"), 0);
    ck_assert_int_eq(script_state("flying"), 0);
    ck_assert_int_eq(script_state("resets"), resets + 1);
    /* The next one gets it. */
    fixture.hosts = new_hosts("two", NULL);
    ck_assert_ptr_null(attach(fixture.hosts, "1-2", NULL));
    usb_hosts_stop(fixture.hosts);
}
END_TEST

START_TEST(test_killed_in_another_configuration)
{
    pid_t engine = start_engine(2);

    ck_assert_int_eq(script_state("configuration"), 2);
    ck_assert_int_eq(script_state("claimed"), 1);
    kill_engine(engine);
    ck_assert_int_eq(script_state("configuration"), 1);
    ck_assert_int_eq(script_state("drivers"), 1);
    ck_assert_int_eq(script_state("claimed"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hosts");
    TCase *tests = tcase_create("rules");

    if (access(SCRIPT, W_OK) != 0) {
        fputs("test_hosts: run by fuse_usbfs\n", stderr);
        return 77;
    }
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_attach_and_detach);
    tcase_add_test(tests, test_what_cannot_be);
    tcase_add_test(tests, test_permission);
    tcase_add_test(tests, test_two_machines);
    tcase_add_test(tests, test_replug_comes_back_by_rule);
    tcase_add_test(tests, test_once);
    tcase_add_test(tests, test_ask);
    tcase_add_test(tests, test_rule_that_fails);
    tcase_add_test(tests, test_rule_for_what_is_not_there);
    tcase_add_test(tests, test_ends_at_once);
    tcase_add_test(tests, test_killed);
    tcase_add_test(tests, test_killed_in_another_configuration);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
