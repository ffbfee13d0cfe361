/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <string.h>

#include "core/error.h"
#include "core/keys.h"
#include "core/protocol.h"
#include "tests/suite.h"

static json_t *parse(const char *text, GError **err)
{
    return protocol_parse(text, strlen(text), err);
}

static void assert_refused(const char *text, const char *reason)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(parse(text, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_PROTOCOL));
    ck_assert_msg(strstr(error->message, reason) != NULL, "%s: %s", text, error->message);
}

START_TEST(test_lines_are_cut)
{
    struct protocol_reader reader;
    const char *stream = "one\n\ntwo\nrest";
    const uint8_t *data = (const uint8_t *)stream;
    size_t size = strlen(stream), length;
    const char *line;

    protocol_reader_init(&reader, 8);
    ck_assert(protocol_reader_next(&reader, &data, &size, &line, &length));
    ck_assert(length == 3 && memcmp(line, "one", 3) == 0);
    ck_assert(protocol_reader_next(&reader, &data, &size, &line, &length));
    ck_assert_uint_eq(length, 0);
    ck_assert(protocol_reader_next(&reader, &data, &size, &line, &length));
    ck_assert(length == 3 && memcmp(line, "two", 3) == 0);
    ck_assert(!protocol_reader_next(&reader, &data, &size, &line, &length));
    ck_assert_uint_eq(size, 0);
    data = (const uint8_t *)"\n";
    size = 1;
    ck_assert(protocol_reader_next(&reader, &data, &size, &line, &length));
    ck_assert(length == 4 && memcmp(line, "rest", 4) == 0);
    protocol_reader_finish(&reader);
}
END_TEST

START_TEST(test_line_at_the_cap)
{
    struct protocol_reader reader;
    const uint8_t *data = (const uint8_t *)"12345678\n123456789\n";
    size_t size = 19, length;
    const char *line;

    protocol_reader_init(&reader, 8);
    ck_assert(protocol_reader_next(&reader, &data, &size, &line, &length));
    ck_assert_uint_eq(length, 8);
    ck_assert(!protocol_reader_next(&reader, &data, &size, &line, &length));
    ck_assert(reader.overlong);
    ck_assert(!protocol_reader_next(&reader, &data, &size, &line, &length));
    ck_assert_uint_eq(reader.line->len, 0);
    protocol_reader_finish(&reader);
}
END_TEST

START_TEST(test_overlong_line_in_pieces_is_not_stored)
{
    struct protocol_reader reader;
    const char *line;
    size_t length;

    protocol_reader_init(&reader, 8);
    for (int i = 0; i < 1000; i++) {
        const uint8_t *data = (const uint8_t *)"abc";
        size_t size = 3;

        ck_assert(!protocol_reader_next(&reader, &data, &size, &line, &length));
        ck_assert_uint_le(reader.line->len, 8);
    }
    ck_assert(reader.overlong);
    protocol_reader_finish(&reader);
}
END_TEST

START_TEST(test_bad_lines_are_refused)
{
    g_autofree char *deep = g_strnfill(100000, '[');

    assert_refused("", "not JSON");
    assert_refused("hello", "not JSON");
    assert_refused("{\"a\":1", "not JSON");
    assert_refused("{\"a\":1}}", "not JSON");
    assert_refused("{\"a\":1,\"a\":2}", "duplicate");
    assert_refused("[1]", "not a JSON object");
    assert_refused("\xff\xfe", "UTF-8");
    assert_refused("{\"\xc0\x80\":1}", "UTF-8");
    assert_refused("{\"a\":\"\\u0000\"}", "not JSON");
    assert_refused("{\"a\":1e999}", "not JSON");
    assert_refused("{\"a\":99999999999999999999}", "not JSON");
    assert_refused(deep, "deeper");
    assert_refused("{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "deeper");
    ck_assert_ptr_null(protocol_parse("{}\0{}", 5, NULL));
}
END_TEST

START_TEST(test_brackets_in_strings_are_no_depth)
{
    json_t *message = parse("{\"a\":\"[[[[[[[[[[[[[[[[[[[[\\\"[[\"}", NULL);

    ck_assert_ptr_nonnull(message);
    json_decref(message);
    message = parse("{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", NULL);
    ck_assert_ptr_nonnull(message);
    json_decref(message);
}
END_TEST

START_TEST(test_messages)
{
    size_t size;
    json_t *id = json_pack("[i,s]", 1, "x");
    g_autofree char *line = protocol_format(protocol_return(id, NULL), 1000, &size, NULL);
    g_autofree char *bare = protocol_format(protocol_return(NULL, json_true()), 1000, &size, NULL);
    json_t *greeting = protocol_greeting(), *event = protocol_event("STOP", NULL);

    ck_assert_str_eq(g_strchomp(line), "{\"return\":{},\"id\":[1,\"x\"]}");
    ck_assert_uint_eq(size, strlen(bare));
    ck_assert_str_eq(bare, "{\"return\":true}\n");
    ck_assert(json_is_array(json_object_get(json_object_get(greeting, "QMP"), "capabilities")));
    ck_assert(json_is_string(
        json_object_get(json_object_get(json_object_get(greeting, "QMP"), "version"), "package")));
    ck_assert(
        json_is_integer(json_object_get(json_object_get(event, "timestamp"), "microseconds")));
    json_decref(greeting);
    json_decref(event);
    json_decref(id);
}
END_TEST

START_TEST(test_format_bounds)
{
    g_autoptr(GError) error = NULL, none = NULL;
    size_t size;
    g_autofree char *fits = protocol_format(json_pack("{s:i}", "a", 1), 8, &size, NULL);

    ck_assert_uint_eq(size, 8);
    ck_assert_ptr_null(protocol_format(json_pack("{s:i}", "a", 1), 7, &size, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_INVALID));
    ck_assert_ptr_null(protocol_format(json_pack("{s:s}", "a", "\xff"), 100, &size, &none));
    ck_assert(g_error_matches(none, VMDESK_ERROR, VMDESK_ERROR_INTERNAL));
}
END_TEST

START_TEST(test_errors_travel)
{
    static const struct {
        enum vmdesk_error sent, received;
        const char *class;
    } cases[] = {
        {VMDESK_ERROR_UNSUPPORTED, VMDESK_ERROR_UNSUPPORTED, "CommandNotFound"},
        {VMDESK_ERROR_NOT_FOUND, VMDESK_ERROR_NOT_FOUND, "DeviceNotFound"},
        {VMDESK_ERROR_BUSY, VMDESK_ERROR_BUSY, "DeviceNotActive"},
        {VMDESK_ERROR_IO, VMDESK_ERROR_INVALID, "GenericError"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = g_error_new(VMDESK_ERROR, cases[i].sent, "why \xff"), back = NULL;
        json_t *message = protocol_error(NULL, error);
        json_t *object = json_object_get(message, "error");

        ck_assert_str_eq(json_string_value(json_object_get(object, "class")), cases[i].class);
        protocol_take_error(object, &back);
        ck_assert(g_error_matches(back, VMDESK_ERROR, cases[i].received));
        ck_assert_str_eq(back->message, "why \xef\xbf\xbd");
        json_decref(message);
    }
}
END_TEST

START_TEST(test_error_without_reason)
{
    static const char *const bad[] = {"{}", "{\"class\":1,\"desc\":\"x\"}",
                                      "{\"class\":\"GenericError\"}"};

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        json_t *object = parse(bad[i], NULL);

        protocol_take_error(object, &error);
        ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_PROTOCOL));
        json_decref(object);
    }
}
END_TEST

static bool arguments_fit(const char *command, const char *text, const char *reason)
{
    g_autoptr(GError) error = NULL;
    json_t *arguments = text != NULL ? parse(text, NULL) : NULL;
    bool fit = protocol_check_arguments(protocol_find_command(command), arguments, &error);

    json_decref(arguments);
    ck_assert(fit == (error == NULL));
    if (!fit)
        ck_assert_msg(strstr(error->message, reason) != NULL, "%s", error->message);
    return fit;
}

START_TEST(test_arguments)
{
    ck_assert(arguments_fit("stop", NULL, ""));
    ck_assert(arguments_fit("stop", "{}", ""));
    ck_assert(!arguments_fit("stop", "{\"now\":true}", "does not have"));
    ck_assert(arguments_fit("query-screen", "{\"since\":9223372036854775807,\"wait\":60000}", ""));
    ck_assert(!arguments_fit("query-screen", "{\"since\":-1}", "out of range"));
    ck_assert(!arguments_fit("query-screen", "{\"wait\":60001}", "out of range"));
    ck_assert(!arguments_fit("query-screen", "{\"wait\":1.5}", "type integer"));
    ck_assert(!arguments_fit("query-screen", "{\"wait\":true}", "type integer"));
    ck_assert(!arguments_fit("query-screen", "{\"width\":null}", "type integer"));
    ck_assert(!arguments_fit("eject", NULL, "'device' is missing"));
    ck_assert(!arguments_fit("eject", "{\"device\":\"cd0\",\"force\":1}", "type boolean"));
    ck_assert(arguments_fit("eject", "{\"device\":\"cd0\",\"force\":false}", ""));
    ck_assert(!arguments_fit("eject", "{\"device\":\"\"}", "1 to 64 bytes"));
    ck_assert(!arguments_fit("input-send-event", "{\"events\":{}}", "type array"));
    ck_assert(!arguments_fit("input-send-event", "{\"events\":[]}", "1 to 256 elements"));
}
END_TEST

START_TEST(test_schema_is_sound)
{
    size_t count;
    const struct protocol_command *commands = protocol_commands(&count);

    for (size_t i = 0; i < count; i++) {
        ck_assert_ptr_eq(protocol_find_command(commands[i].name), &commands[i]);
        ck_assert(g_str_has_suffix(commands[i].help, "."));
        for (const struct protocol_argument *a = commands[i].arguments; a->name != NULL; a++) {
            ck_assert_int_le(a->min, a->max);
            ck_assert(g_str_has_suffix(a->help, "."));
        }
    }
    ck_assert_ptr_null(protocol_find_command("no-such-command"));
}
END_TEST

START_TEST(test_key_names)
{
    size_t count;
    const struct key_name *names = key_names(&count);
    uint8_t qnum;

    for (size_t i = 0; i < count; i++) {
        ck_assert(i == 0 || names[i].qnum >= names[i - 1].qnum);
        ck_assert(key_from_name(names[i].name, &qnum));
        ck_assert_uint_eq(qnum, names[i].qnum);
    }
    ck_assert(!key_from_name("A", &qnum));
    ck_assert(!key_from_name("", &qnum));
    ck_assert_str_eq(key_to_name(0x37), "kp_multiply");
    ck_assert_ptr_null(key_to_name(0x00));
}
END_TEST

START_TEST(test_key_characters)
{
    static const struct {
        gunichar character;
        const char *key;
        bool shift;
    } cases[] = {
        {'a', "a", false},
        {'Z', "z", true},
        {'0', "0", false},
        {')', "0", true},
        {' ', "spc", false},
        {'~', "grave_accent", true},
        {'`', "grave_accent", false},
        {'|', "backslash", true},
        {'?', "slash", true},
        {'"', "apostrophe", true},
        {'{', "bracket_left", true},
        {'_', "minus", true},
        {'=', "equal", false},
        {'\n', "ret", false},
        {'\t', "tab", false},
        {0x7f, "delete", false},
        {0x1b, "esc", false},
        {'>', "dot", true},
    };
    uint8_t qnum, expected;
    bool shift;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ck_assert(key_from_name(cases[i].key, &expected));
        ck_assert(key_from_char(cases[i].character, &qnum, &shift));
        ck_assert_msg(qnum == expected && shift == cases[i].shift, "'%c'", cases[i].character);
    }
    for (gunichar c = 0x20; c < 0x7f; c++)
        ck_assert_msg(key_from_char(c, &qnum, &shift), "'%c'", c);
    ck_assert(!key_from_char(0, &qnum, &shift));
    ck_assert(!key_from_char(0xe9, &qnum, &shift));
    ck_assert(!key_from_char(0x161, &qnum, &shift)); /* its low byte is 'a' */
}
END_TEST

START_TEST(test_chords)
{
    static const char *const bad[] = {"", "-", "ctrl-", "ctrl-nokey", "a-a-a-a-a-a-a-a-a"};
    uint8_t keys[KEY_CHORD_MAX];

    ck_assert_uint_eq(key_parse_chord("Ctrl-Alt+delete", keys, NULL), 3);
    ck_assert(keys[0] == 0x1d && keys[1] == 0x38 && keys[2] == 0xd3);
    ck_assert_uint_eq(key_parse_chord("f2", keys, NULL), 1);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert_uint_eq(key_parse_chord(bad[i], keys, &error), 0);
        ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_INVALID));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, test_lines_are_cut);
    tcase_add_test(tcase, test_line_at_the_cap);
    tcase_add_test(tcase, test_overlong_line_in_pieces_is_not_stored);
    tcase_add_test(tcase, test_bad_lines_are_refused);
    tcase_add_test(tcase, test_brackets_in_strings_are_no_depth);
    tcase_add_test(tcase, test_messages);
    tcase_add_test(tcase, test_format_bounds);
    tcase_add_test(tcase, test_errors_travel);
    tcase_add_test(tcase, test_error_without_reason);
    tcase_add_test(tcase, test_arguments);
    tcase_add_test(tcase, test_schema_is_sound);
    tcase_add_test(tcase, test_key_names);
    tcase_add_test(tcase, test_key_characters);
    tcase_add_test(tcase, test_chords);
    return run_suite(suite);
}
