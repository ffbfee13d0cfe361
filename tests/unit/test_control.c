/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control server before a machine without a guest: commands and events. */
#include <check.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "engine/dev/serial_backend.h"
#include "tests/suite.h"
#include "tests/unit/control_fixture.h"

START_TEST(test_negotiation)
{
    struct user *user = connect_raw();

    json_decref(take(user));
    assert_error(ask(user, "{\"execute\":\"query-status\"}"), "CommandNotFound", "first");
    assert_error(ask(user,
                     "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}"),
                 "GenericError", "enable");
    machine_reset(machine, NULL); /* no event yet */
    assert_took(ask(user, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[]}}"),
                "{\"return\":{}}");
    assert_error(ask(user, "{\"execute\":\"qmp_capabilities\"}"), "CommandNotFound", "once");
    leave(user);
}
END_TEST

START_TEST(test_ids)
{
    struct user *user = connect_user();

    assert_took(ask(user, "{\"execute\":\"cont\",\"id\":{\"a\":[1,\"x\"]}}"),
                "{\"id\":{\"a\":[1,\"x\"]},\"return\":{}}");
    assert_took(ask(user, "{\"execute\":\"cont\",\"id\":null}"), "{\"id\":null,\"return\":{}}");
    assert_took(ask(user, "{\"execute\":\"nope\",\"id\":7}"),
                "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"There is no command 'nope': "
                "query-commands lists them.\"},\"id\":7}");
    leave(user);
}
END_TEST

static const struct {
    const char *line, *class, *words;
} bad_lines[] = {
    {"hello", "GenericError", "not JSON"},
    {"\xff\xfe\x01", "GenericError", "UTF-8"},
    {"[]", "GenericError", "not a JSON object"},
    {"{}", "GenericError", "execute"},
    {"{\"execute\":1}", "GenericError", "execute"},
    {"{\"execute\":\"stop\",\"arguments\":[]}", "GenericError", "must be an object"},
    {"{\"execute\":\"stop\",\"control\":{}}", "GenericError", "no members"},
    {"{\"execute\":\"stop\",\"arguments\":{\"x\":1}}", "GenericError", "does not have"},
    {"{\"execute\":\"STOP\"}", "CommandNotFound", "STOP"},
    {"{\"execute\":\"eject\"}", "GenericError", "'device' is missing"},
    {"{\"execute\":\"eject\",\"arguments\":{\"device\":\"fd0\"}}", "DeviceNotFound", "fd0"},
    {"{\"execute\":\"eject\",\"arguments\":{\"device\":1}}", "GenericError", "type string"},
    {"{\"execute\":\"blockdev-change-medium\",\"arguments\":{\"device\":\"cd0\"}}", "GenericError",
     "'filename' is missing"},
    {"{\"execute\":\"blockdev-change-medium\",\"arguments\":{\"device\":\"cd0\",\"filename\":"
     "\"x.iso\"}}",
     "GenericError", "absolute"},
    {"{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"x.png\"}}", "GenericError",
     "absolute"},
    {"{\"execute\":\"query-screen\",\"arguments\":{\"wait\":60001}}", "GenericError", "0 to 60000"},
    {"{\"execute\":\"query-screen\",\"arguments\":{\"width\":1025}}", "GenericError", "0 to 1024"},
    {"{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[1]}}", "GenericError", "type"},
};

START_TEST(test_bad_line_and_on)
{
    struct user *user = connect_user();

    assert_error(ask(user, bad_lines[_i].line), bad_lines[_i].class, bad_lines[_i].words);
    assert_took(ask(user, "\n\r\n{\"execute\":\"stop\",\"id\":1}"), "{\"event\":\"STOP\"}");
    assert_took(take(user), "{\"id\":1,\"return\":{}}");
    leave(user);
}
END_TEST

START_TEST(test_every_command_has_a_handler)
{
    size_t count;
    const struct protocol_command *commands = protocol_commands(&count);

    for (size_t i = 0; i < count; i++)
        ck_assert_msg(control_find_handler(commands[i].name) != NULL, "%s", commands[i].name);
}
END_TEST

START_TEST(test_run_commands_and_events)
{
    struct user *user = connect_user(), *other = connect_user();

    assert_took(ask(user, "{\"execute\":\"stop\"}"), "{\"event\":\"STOP\"}");
    assert_took(take(user), "{\"return\":{}}");
    assert_took(ask(user, "{\"execute\":\"stop\"}"), "{\"return\":{}}");
    assert_took(ask(user, "{\"execute\":\"cont\"}"), "{\"event\":\"RESUME\"}");
    assert_took(take(user), "{\"return\":{}}");
    assert_took(ask(user, "{\"execute\":\"system_reset\"}"),
                "{\"data\":{\"guest\":false},\"event\":\"RESET\"}");
    assert_took(take(user), "{\"return\":{}}");
    assert_took(ask(user, "{\"execute\":\"system_powerdown\"}"), "{\"event\":\"POWERDOWN\"}");
    assert_took(take(user), "{\"return\":{}}");
    ck_assert_str_eq(machine->log->str, "pause;resume;reset;power;");

    machine->state = MACHINE_INTERNAL_ERROR;
    machine->detail = "bytes \xff";
    control_server_state_changed(server, machine->state, machine->detail);
    assert_took(take(user),
                "{\"data\":{\"detail\":\"bytes \xef\xbf\xbd\"},\"event\":\"INTERNAL_ERROR\"}");
    assert_error(ask(user, "{\"execute\":\"cont\"}"), "DeviceNotActive", "reset it");
    assert_took(ask(user, "{\"execute\":\"query-status\"}"),
                "{\"return\":{\"accel\":\"kvm\",\"accel-reason\":\"software CPU: it is a "
                "test\",\"detail\":\"bytes \xef\xbf\xbd\",\"running\":"
                "false,\"status\":\"internal-error\"}}");
    machine->fails = "not now";
    assert_error(ask(user, "{\"execute\":\"stop\"}"), "DeviceNotActive", "not now");
    assert_error(ask(user, "{\"execute\":\"system_reset\"}"), "DeviceNotActive", "not now");
    assert_error(ask(user, "{\"execute\":\"system_powerdown\"}"), "DeviceNotActive", "not now");

    /* The answer to quit comes before the end. */
    assert_took(ask(user, "{\"execute\":\"quit\"}"), "{\"return\":{}}");
    assert_took(take(user),
                "{\"data\":{\"exit-code\":0,\"reason\":\"asked to\"},\"event\":\"SHUTDOWN\"}");
    assert_took(take(other), "{\"event\":\"STOP\"}");
    leave(user);
    leave(other);
}
END_TEST

START_TEST(test_queries)
{
    g_autofree char *serial_path = g_build_filename(folder, "serial.sock", NULL);
    g_autofree char *serial_reply =
        g_strdup_printf("{\"return\":{\"enabled\":true,\"path\":\"%s\"}}", serial_path);
    struct vnc_viewer_info viewer = {(char *)"unix", true};
    struct user *user = connect_user();
    json_t *reply;

    assert_took(ask(user, "{\"execute\":\"query-stats\"}"),
                "{\"return\":{\"engine-pss\":0,\"guest-time-ns\":5,\"memory\":1048576,"
                "\"memory-resident\":0,\"start-to-first-exit-ns\":0,\"vcpus\":[{\"cpu-time-ns\":0,"
                "\"exits\":{\"io\":0,\"mmio\":0}},{\"cpu-time-ns\":0,\"exits\":{\"io\":7,"
                "\"mmio\":0}}]}}");
    assert_took(ask(user, "{\"execute\":\"query-vnc\"}"), "{\"return\":{\"enabled\":false}}");
    assert_took(ask(user, "{\"execute\":\"query-serial\"}"), "{\"return\":{\"enabled\":false}}");
    machine->serial = serial_backend_new(context, serial_path, NULL, NULL);
    assert_took(ask(user, "{\"execute\":\"query-serial\"}"), serial_reply);
    serial_backend_free(machine->serial);

    machine->vnc_on = true;
    machine->vnc = (struct vnc_info){.listen = VNC_TCP,
                                     .address = (char *)"127.0.0.1",
                                     .port = 5901,
                                     .password = true,
                                     .viewers = g_array_new(FALSE, FALSE, sizeof(viewer))};
    g_array_append_val(machine->vnc.viewers, viewer);
    assert_took(ask(user, "{\"execute\":\"query-vnc\"}"),
                "{\"return\":{\"auth\":\"vnc\",\"clients\":[{\"authenticated\":true,\"host\":"
                "\"unix\"}],\"enabled\":true,\"family\":\"ipv4\",\"host\":\"127.0.0.1\","
                "\"service\":\"5901\"}}");
    machine->vnc.listen = VNC_UNIX;
    machine->vnc.address = (char *)"/a";
    g_array_set_size(machine->vnc.viewers, 0);
    assert_took(ask(user, "{\"execute\":\"query-vnc\"}"),
                "{\"return\":{\"auth\":\"vnc\",\"clients\":[],\"enabled\":true,\"family\":\"unix\","
                "\"host\":\"\",\"service\":\"/a\"}}");
    g_array_unref(machine->vnc.viewers);

    reply = ask(user, "{\"execute\":\"query-commands\"}");
    ck_assert_uint_gt(json_array_size(json_object_get(reply, "return")), 15);
    json_decref(reply);
    reply = ask(user, "{\"execute\":\"query-version\"}");
    ck_assert(json_is_string(json_object_get(json_object_get(reply, "return"), "package")));
    json_decref(reply);
    leave(user);
}
END_TEST

START_TEST(test_cd)
{
    struct user *user = connect_user();

    config.disks[1].file = (char *)"/d.img";
    config.disks[1].format = (char *)"raw";
    assert_took(ask(user, "{\"execute\":\"query-block\"}"),
                "{\"return\":[{\"device\":\"disk1\",\"inserted\":{\"drv\":\"raw\",\"file\":"
                "\"/d.img\",\"ro\":false},\"locked\":false,\"removable\":false},{\"device\":"
                "\"cd0\",\"locked\":false,\"removable\":true}]}");
    assert_took(ask(user, "{\"execute\":\"blockdev-change-medium\",\"arguments\":{\"device\":"
                          "\"cd0\",\"filename\":\"/x.iso\"}}"),
                "{\"data\":{\"device\":\"cd0\",\"tray-open\":false},\"event\":"
                "\"DEVICE_TRAY_MOVED\"}");
    assert_took(take(user), "{\"return\":{}}");
    config.disks[1].file = NULL;
    machine->cd_locked = true;
    assert_took(ask(user, "{\"execute\":\"query-block\"}"),
                "{\"return\":[{\"device\":\"cd0\",\"inserted\":{\"drv\":\"raw\",\"file\":"
                "\"/x.iso\",\"ro\":true},\"locked\":true,\"removable\":true}]}");
    assert_error(ask(user, "{\"execute\":\"eject\",\"arguments\":{\"device\":\"cd0\"}}"),
                 "DeviceNotActive", "locked");
    assert_took(ask(user, "{\"execute\":\"eject\",\"arguments\":{\"device\":\"cd0\",\"force\":"
                          "true}}"),
                "{\"data\":{\"device\":\"cd0\",\"tray-open\":true},\"event\":"
                "\"DEVICE_TRAY_MOVED\"}");
    assert_took(take(user), "{\"return\":{}}");
    ck_assert_ptr_null(machine->cd);
    machine->cd_drive = false;
    assert_took(ask(user, "{\"execute\":\"query-block\"}"), "{\"return\":[]}");
    assert_error(ask(user, "{\"execute\":\"eject\",\"arguments\":{\"device\":\"cd0\"}}"),
                 "DeviceNotFound", "no CD drive");
    leave(user);
}
END_TEST

START_TEST(test_usb)
{
    struct user *user = connect_user();

    assert_took(ask(user, "{\"execute\":\"query-usb\"}"), "{\"return\":[]}");
    assert_took(ask(user, "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"usb-storage\","
                          "\"id\":\"s\",\"file\":\"/s.img\",\"read-only\":true}}"),
                "{\"data\":{\"device\":\"s\"},\"event\":\"DEVICE_ADDED\"}");
    assert_took(take(user), "{\"return\":{}}");
    ck_assert_str_eq(machine->log->str, "plug;usb-storage at any with /s.img, read-only;");
    assert_took(ask(user, "{\"execute\":\"query-usb\"}"),
                "{\"return\":[{\"driver\":\"usb-storage\",\"id\":\"s\",\"port\":\"1.2\","
                "\"speed\":\"high\"}]}");
    assert_error(ask(user, "{\"execute\":\"device_add\",\"arguments\":{\"driver\":"
                           "\"usb-storage\",\"id\":\"t\",\"file\":\"t.img\"}}"),
                 "GenericError", "absolute");
    assert_took(ask(user, "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"s\"}}"),
                "{\"data\":{\"device\":\"s\"},\"event\":\"DEVICE_DELETED\"}");
    assert_took(take(user), "{\"return\":{}}");
    machine->fails = "No.";
    assert_error(ask(user, "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"s\"}}"),
                 "DeviceNotActive", "No.");
    leave(user);
}
END_TEST

#define EVENTS(events) "{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[" events "]}}"
#define KEY(down, name)                                                                          \
    "{\"type\":\"key\",\"data\":{\"down\":" down ",\"key\":{\"type\":\"qcode\",\"data\":\"" name \
    "\"}}}"
#define AXIS(type, axis, value) \
    "{\"type\":\"" type "\",\"data\":{\"axis\":\"" axis "\",\"value\":" value "}}"
#define BUTTON(down, name) "{\"type\":\"btn\",\"data\":{\"down\":" down ",\"button\":\"" name "\"}}"
#define NUMBER(value) \
    "{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"number\",\"data\":" value "}}}"

START_TEST(test_input)
{
    struct user *user = connect_user();

    assert_took(ask(user, EVENTS(KEY("true", "shift") "," KEY("true", "a") "," KEY("false", "a"))),
                "{\"return\":{}}");
    assert_took(ask(user, EVENTS(NUMBER("211"))), "{\"return\":{}}");
    ck_assert_str_eq(machine->log->str, "key 2a down;key 1e down;key 1e up;key d3 down;");
    g_string_truncate(machine->log, 0);
    assert_took(ask(user, EVENTS(AXIS("abs", "x", "100") "," AXIS("abs", "y", "32767") "," BUTTON(
                              "true", "left") "," BUTTON("false", "left"))),
                "{\"return\":{}}");
    assert_took(
        ask(user,
            EVENTS(AXIS("rel", "x", "-5") "," AXIS("rel", "y", "6") "," BUTTON(
                "true",
                "right") "," BUTTON("true",
                                    "wheel-up") "," BUTTON("false",
                                                           "wheel-up") "," BUTTON("true",
                                                                                  "wheel-down"))),
        "{\"return\":{}}");
    ck_assert_str_eq(machine->log->str,
                     "pointer 100,32767 of 640x480 buttons 0;pointer 100,32767 of 640x480 buttons "
                     "1;pointer 100,32767 of 640x480 buttons 0;motion -5,6 buttons 0;motion 0,0 "
                     "buttons 2;wheel 1;wheel -1;");
    g_string_truncate(machine->log, 0);
    leave(user);
    /* Nothing stays down when its client goes. */
    ck_assert_str_eq(machine->log->str, "key 2a up;key d3 up;motion 0,0 buttons 0;");
}
END_TEST

static const struct {
    const char *event, *words;
} bad_events[] = {
    {"{\"type\":\"mtt\",\"data\":{}}", "key, btn, rel or abs"},
    {"{\"type\":\"key\"}", "'down'"},
    {KEY("1", "a"), "'down'"},
    {KEY("true", "nokey"), "nokey"},
    {"{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\",\"data\":1}}}",
     "qcode"},
    {NUMBER("0"), "1 to 255"},
    {NUMBER("256"), "1 to 255"},
    {BUTTON("true", "fourth"), "wheel-down"},
    {BUTTON("0", "left"), "'down'"},
    {AXIS("abs", "z", "1"), "x or y"},
    {AXIS("abs", "x", "32768"), "0 to 32767"},
    {AXIS("abs", "x", "-1"), "0 to 32767"},
    {AXIS("rel", "x", "1.5"), "integer"},
    {AXIS("rel", "x", "-32768"), "-32767 to 32767"},
};

START_TEST(test_bad_input_sends_nothing)
{
    g_autofree char *command =
        g_strdup_printf(EVENTS("%s,%s"), KEY("true", "a"), bad_events[_i].event);
    struct user *user = connect_user();

    assert_error(ask(user, command), "GenericError", bad_events[_i].words);
    leave(user);
    ck_assert_str_eq(machine->log->str, "");
}
END_TEST

START_TEST(test_text_screen)
{
    g_autofree struct text_screen *text = g_new0(struct text_screen, 1);
    struct screen_answer answer = {.generation = 9,
                                   .mode = DISPLAY_TEXT,
                                   .guest_width = 720,
                                   .guest_height = 400,
                                   .text = text};
    struct user *user = connect_user();
    const struct fake_query *query;

    *text = (struct text_screen){.columns = 3, .rows = 2, .cursor_visible = true, .cursor_x = 2};
    memcpy(text->cells,
           (struct text_cell[]){{'A', 7}, {0, 0x1f}, {0xdb, 0xff}, {1, 1}, {0x82, 2}, {0x7f, 3}},
           6 * sizeof(struct text_cell));
    ck_assert_ptr_null(ask(user, "{\"execute\":\"query-screen\",\"arguments\":{\"since\":8,"
                                 "\"wait\":1000,\"width\":20,\"height\":10},\"id\":1}"));
    query = g_queue_peek_head(&machine->queries);
    ck_assert(query->query.since == 8 && query->query.wait_ms == 1000 && query->query.width == 20 &&
              query->query.height == 10);
    /* Meanwhile others are served. */
    assert_took(ask(user, "{\"execute\":\"cont\",\"id\":2}"), "{\"id\":2,\"return\":{}}");
    fake_machine_answer(machine, &answer);
    assert_took(take(user), "{\"id\":1,\"return\":{\"attributes\":[\"071fff\",\"010203\"],"
                            "\"columns\":3,\"cursor\":{\"x\":2,\"y\":0},\"generation\":9,"
                            "\"guest-height\":400,\"guest-width\":720,\"mode\":\"text\",\"rows\":2,"
                            "\"text\":[\"A █\",\"☺é⌂\"],\"unchanged\":false}}");
    leave(user);
}
END_TEST

START_TEST(test_other_screens)
{
    uint8_t rgb[6] = {1, 2, 3, 4, 5, 6};
    struct screen_answer picture = {.generation = 2,
                                    .mode = DISPLAY_GRAPHICS,
                                    .guest_width = 1024,
                                    .guest_height = 512,
                                    .width = 2,
                                    .height = 1,
                                    .rgb = rgb};
    struct screen_answer same = {.generation = 2, .unchanged = true}, blank = {.generation = 3};
    struct user *user = connect_user();

    ck_assert_ptr_null(ask(user, "{\"execute\":\"query-screen\"}"));
    fake_machine_answer(machine, &picture);
    assert_took(take(user), "{\"return\":{\"generation\":2,\"guest-height\":512,\"guest-width\":"
                            "1024,\"height\":1,\"mode\":\"graphics\",\"rgb\":\"AQIDBAUG\","
                            "\"unchanged\":false,\"width\":2}}");
    ck_assert_ptr_null(ask(user, "{\"execute\":\"query-screen\"}"));
    fake_machine_answer(machine, &same);
    assert_took(take(user), "{\"return\":{\"generation\":2,\"unchanged\":true}}");
    ck_assert_ptr_null(ask(user, "{\"execute\":\"query-screen\"}"));
    fake_machine_answer(machine, &blank);
    assert_took(take(user), "{\"return\":{\"generation\":3,\"guest-height\":0,\"guest-width\":0,"
                            "\"mode\":\"blank\",\"unchanged\":false}}");
    leave(user);
}
END_TEST

START_TEST(test_the_largest_picture_fits)
{
    g_autofree uint8_t *rgb = g_malloc0(1024 * 1024 * 3);
    struct screen_answer picture = {.generation = 2,
                                    .mode = DISPLAY_GRAPHICS,
                                    .guest_width = 1600,
                                    .guest_height = 1600,
                                    .width = 1024,
                                    .height = 1024,
                                    .rgb = rgb};
    struct user *user = connect_user();
    json_t *reply;

    ck_assert_ptr_null(ask(user, "{\"execute\":\"query-screen\"}"));
    fake_machine_answer(machine, &picture);
    reply = take(user);
    ck_assert_uint_eq(json_string_length(json_object_get(json_object_get(reply, "return"), "rgb")),
                      1024 * 1024 * 4);
    json_decref(reply);
    leave(user);
}
END_TEST

START_TEST(test_screendump)
{
    g_autofree char *file = g_build_filename(folder, "x.png", NULL);
    g_autofree char *command =
        g_strdup_printf("{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"%s\"}}", file);
    g_autofree char *astray =
        g_strdup_printf("{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"%s/no/x.png\"}}",
                        folder);
    g_autofree char *contents = NULL;
    g_autoptr(GBytes) png = g_bytes_new_static("PNG", 3);
    g_autofree char *much = g_malloc0(4 * 1024 * 1024);
    g_autoptr(GBytes) big = g_bytes_new_static(much, 4 * 1024 * 1024);
    g_autoptr(GError) error = g_error_new(VMDESK_ERROR, VMDESK_ERROR_BUSY, "nothing shown");
    struct user *user = connect_user();

    ck_assert_ptr_null(ask(user, command));
    fake_machine_answer_png(machine, png, NULL);
    assert_took(take_late(user), "{\"return\":{}}");
    ck_assert(g_file_get_contents(file, &contents, NULL, NULL));
    ck_assert_str_eq(contents, "PNG");
    ck_assert_ptr_null(ask(user, astray));
    fake_machine_answer_png(machine, png, NULL);
    assert_error(take_late(user), "GenericError", "Cannot write the picture");
    ck_assert_ptr_null(ask(user, "{\"execute\":\"screendump\"}"));
    fake_machine_answer_png(machine, png, NULL);
    assert_took(take(user), "{\"return\":{\"png\":\"UE5H\"}}");
    ck_assert_ptr_null(ask(user, "{\"execute\":\"screendump\",\"id\":5}"));
    fake_machine_answer_png(machine, big, NULL);
    assert_error(take(user), "GenericError", "ask for less");
    ck_assert_ptr_null(ask(user, "{\"execute\":\"screendump\"}"));
    fake_machine_answer_png(machine, NULL, error);
    assert_error(take(user), "DeviceNotActive", "nothing shown");
    leave(user);
    g_unlink(file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_negotiation);
    tcase_add_test(tcase, test_ids);
    tcase_add_loop_test(tcase, test_bad_line_and_on, 0, G_N_ELEMENTS(bad_lines));
    tcase_add_test(tcase, test_every_command_has_a_handler);
    tcase_add_test(tcase, test_run_commands_and_events);
    tcase_add_test(tcase, test_queries);
    tcase_add_test(tcase, test_cd);
    tcase_add_test(tcase, test_usb);
    tcase_add_test(tcase, test_input);
    tcase_add_loop_test(tcase, test_bad_input_sends_nothing, 0, G_N_ELEMENTS(bad_events));
    tcase_add_test(tcase, test_text_screen);
    tcase_add_test(tcase, test_other_screens);
    tcase_add_test(tcase, test_the_largest_picture_fits);
    tcase_add_test(tcase, test_screendump);
    return run_suite(suite);
}
