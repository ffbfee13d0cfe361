/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interface's parts that need no terminal: keys, colours, fields, lists. */
#include <config.h>

#include <check.h>
#include <string.h>

#include "core/keys.h"
#include "tests/suite.h"
#include "ui/tui/field.h"
#include "ui/tui/keymap.h"
#include "ui/tui/list.h"
#include "ui/tui/theme.h"

START_TEST(no_key_has_two_actions)
{
    for (enum action a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        const struct action_info *info = action_info(a);

        ck_assert_int_eq(info->action, a);
        ck_assert_int_eq(action_for_key(info->key), a);
        if (info->other_key)
            ck_assert_int_eq(action_for_key(info->other_key), a);
    }
    ck_assert_int_eq(action_for_key(0), ACTION_NONE);
    ck_assert_int_eq(action_for_key(0x10ffff), ACTION_NONE);
}
END_TEST

START_TEST(terminal_keys_are_named)
{
    const struct {
        uint32_t key;
        const char *label;
    } keys[] = {
        {key_from_control('\t'), "Tab"},
        {key_from_control('\r'), "Enter"},
        {key_from_control(0x1b), "Esc"},
        {key_from_control(0x7f), "Backspace"},
        {key_from_control(3), "Ctrl-c"},
        {key_from_control(0x1d), "Ctrl-]"},
        {key_from_control(0), "Ctrl-Space"},
        {key_from_capability("kLFT"), "Shift-Left"},
        {key_from_capability("kLFT5"), "Ctrl-Left"},
        {key_from_capability("kUP3"), "Alt-Up"},
        {key_from_capability("kNXT7"), "Ctrl-Alt-PgDn"},
        {key_from_function(1), "F1"},
        {key_from_function(12), "F12"},
        {key_from_function(13), "Shift-F1"},
        {key_from_function(28), "Ctrl-F4"},
        {key_from_function(52), "Alt-F4"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *label = key_label(keys[i].key);

        ck_assert_str_eq(label, keys[i].label);
    }
    ck_assert_uint_eq(key_from_capability("kLFT9"), 0);
    ck_assert_uint_eq(key_from_capability("kUPx"), 0);
    ck_assert_uint_eq(key_from_capability(""), 0);
    ck_assert_uint_eq(key_from_function(0), 0);
    ck_assert_uint_eq(key_from_function(61), 0);
}
END_TEST

/* "ctrl alt delete" for the chord of a key; "" for none. */
static char *chord(uint32_t key)
{
    uint8_t qnums[KEY_CHORD_SIZE];
    unsigned count = key_to_guest(key, qnums);
    GString *names = g_string_new(NULL);

    for (unsigned i = 0; i < count; i++)
        g_string_append_printf(names, "%s%s", i ? " " : "", key_to_name(qnums[i]));
    return g_string_free(names, FALSE);
}

START_TEST(guest_gets_chords)
{
    static const struct {
        uint32_t key;
        const char *chord;
    } keys[] = {
        {'a', "a"},
        {'A', "shift a"},
        {'?', "shift slash"},
        {'|', "shift backslash"},
        {' ', "spc"},
        {'c' | KEY_CTRL, "ctrl c"},
        {'x' | KEY_ALT, "alt x"},
        {'~' | KEY_ALT | KEY_CTRL, "ctrl alt shift grave_accent"},
        {TUI_KEY_DELETE | KEY_CTRL | KEY_ALT, "ctrl alt delete"},
        {TUI_KEY_TAB | KEY_SHIFT, "shift tab"},
        {TUI_KEY_ENTER, "ret"},
        {TUI_KEY_ESCAPE, "esc"},
        {TUI_KEY_BACKSPACE, "backspace"},
        {TUI_KEY_F12, "f12"},
        {0x20ac, ""},
        {TUI_KEY_LAST + 1, ""},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *names = chord(keys[i].key);

        ck_assert_str_eq(names, keys[i].chord);
    }
    for (uint32_t c = ' '; c < 0x7f; c++) {
        uint8_t qnums[KEY_CHORD_SIZE];

        ck_assert_uint_gt(key_to_guest(c, qnums), 0);
    }
    for (uint32_t key = TUI_KEY_FIRST; key <= TUI_KEY_LAST; key++) {
        uint8_t qnums[KEY_CHORD_SIZE];

        ck_assert_uint_eq(key_to_guest(key, qnums), 1);
    }
}
END_TEST

START_TEST(colors_are_of_the_terminal)
{
    static const int counts[] = {0, 2, 8, 16, 88, 256, 1 << 24};

    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        struct theme theme;

        theme_init(&theme, counts[i], false, false);
        for (int color = -1; color < 256; color++)
            ck_assert_int_lt(theme_color(&theme, color), MAX(counts[i], 1));
        for (uint32_t rgb = 0; rgb < 0x1000000; rgb += 0x010305)
            ck_assert_int_lt(theme_color(&theme, COLOR_RGB(rgb)), MAX(counts[i], 1));
        ck_assert_int_eq(theme_color(&theme, COLOR_DEFAULT), COLOR_DEFAULT);
    }
}
END_TEST

START_TEST(colors_are_near)
{
    struct theme theme;

    theme_init(&theme, 256, false, false);
    ck_assert_int_eq(theme_color(&theme, COLOR_RGB(0x000000)), 16);
    ck_assert_int_eq(theme_color(&theme, COLOR_RGB(0xffffff)), 231);
    ck_assert_int_eq(theme_color(&theme, COLOR_RGB(0xff0000)), 196);
    ck_assert_int_eq(theme_color(&theme, COLOR_RGB(0x808080)), 244);
    for (unsigned i = 16; i < 256; i++) {
        int near = theme_color(&theme, COLOR_RGB(theme_palette_rgb(i)));

        ck_assert_uint_eq(theme_palette_rgb((unsigned)near), theme_palette_rgb(i));
    }
    theme_init(&theme, 1 << 24, false, false);
    ck_assert_int_eq(theme_color(&theme, COLOR_RGB(0x123456)), 0x123456);
    theme_init(&theme, 256, true, false);
    ck_assert_int_eq(theme_color(&theme, COLOR_RGB(0x123456)), COLOR_DEFAULT);
    ck_assert_uint_eq(theme_cga(1), 4);
    ck_assert_uint_eq(theme_cga(14), 11);
}
END_TEST

START_TEST(meaning_needs_no_color)
{
    static const enum role meaningful[] = {ROLE_SELECTED, ROLE_MARKED, ROLE_KEY,     ROLE_TAB,
                                           ROLE_INPUT,    ROLE_GRAB,   ROLE_WARNING, ROLE_ERROR,
                                           ROLE_FOCUS,    ROLE_CURSOR, ROLE_DISABLED};
    struct theme theme;

    theme_init(&theme, 256, true, true);
    for (size_t i = 0; i < G_N_ELEMENTS(meaningful); i++)
        ck_assert_uint_ne(theme_style(&theme, meaningful[i]).flags, 0);
    for (enum glyph glyph = 0; glyph < GLYPH_COUNT; glyph++) {
        const char *text = theme_glyph(&theme, glyph);

        ck_assert_uint_eq(strlen(text), 1);
        ck_assert(*text > ' ' && *text < 0x7f);
    }
}
END_TEST

static void press(struct field *field, const uint32_t *keys)
{
    for (; *keys; keys++)
        field_key(field, *keys);
}

START_TEST(field_edits_characters)
{
    struct field field;

    field_init(&field, "aé");
    press(&field, (uint32_t[]){'b', TUI_KEY_LEFT, TUI_KEY_BACKSPACE, 0x20ac, 0});
    ck_assert_str_eq(field_text(&field), "a€b");
    press(&field, (uint32_t[]){TUI_KEY_HOME, TUI_KEY_DELETE, TUI_KEY_DELETE, TUI_KEY_END, 0});
    ck_assert_str_eq(field_text(&field), "b");
    press(&field, (uint32_t[]){TUI_KEY_BACKSPACE, TUI_KEY_BACKSPACE, TUI_KEY_DELETE, TUI_KEY_LEFT,
                               TUI_KEY_RIGHT, 0});
    ck_assert_str_eq(field_text(&field), "");
    field_set(&field, "/usr/lib/x");
    press(&field, (uint32_t[]){'w' | KEY_CTRL, 0});
    ck_assert_str_eq(field_text(&field), "/usr/lib/");
    press(&field, (uint32_t[]){'a' | KEY_CTRL, TUI_KEY_RIGHT, 'k' | KEY_CTRL, 0});
    ck_assert_str_eq(field_text(&field), "/");
    field_finish(&field);
}
END_TEST

START_TEST(field_refuses_what_is_no_text)
{
    struct field field;

    field_init(&field, "");
    ck_assert(!field_key(&field, 7));
    ck_assert(!field_key(&field, 0xd800));
    ck_assert(!field_key(&field, 0x202e));
    ck_assert(!field_key(&field, 'q' | KEY_CTRL));
    ck_assert(!field_key(&field, TUI_KEY_F1));
    ck_assert_str_eq(field_text(&field), "");
    for (int i = 0; i < FIELD_MAX + 100; i++)
        field_key(&field, 'x');
    ck_assert_uint_eq(strlen(field_text(&field)), FIELD_MAX);
    field_finish(&field);
}
END_TEST

START_TEST(list_keeps_its_selection_inside)
{
    struct list list = {0};

    list_key(&list, 'j');
    list_key(&list, 'G');
    ck_assert_int_eq(list.selected, 0);
    list_set_count(&list, 10);
    list_key(&list, 'G');
    ck_assert_int_eq(list.selected, 9);
    list_show(&list, 4);
    ck_assert_int_eq(list.first, 6);
    ck_assert_int_eq(list_last(&list), 10);
    list_key(&list, TUI_KEY_PAGE_UP);
    ck_assert_int_eq(list.selected, 5);
    list_show(&list, 4);
    ck_assert_int_eq(list.first, 5);
    list_set_count(&list, 3);
    ck_assert_int_eq(list.selected, 2);
    list_show(&list, 4);
    ck_assert_int_eq(list.first, 0);
    ck_assert(!list_key(&list, 'x'));
    list_set_count(&list, 0);
    list_show(&list, 0);
    ck_assert_int_eq(list_last(&list), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tui parts");
    TCase *test = tcase_create("all");

    tcase_add_test(test, no_key_has_two_actions);
    tcase_add_test(test, terminal_keys_are_named);
    tcase_add_test(test, guest_gets_chords);
    tcase_add_test(test, colors_are_of_the_terminal);
    tcase_add_test(test, colors_are_near);
    tcase_add_test(test, meaning_needs_no_color);
    tcase_add_test(test, field_edits_characters);
    tcase_add_test(test, field_refuses_what_is_no_text);
    tcase_add_test(test, list_keeps_its_selection_inside);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
