/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <glib.h>
#include <string.h>

#include "display/keyboard.h"
#include "display/keymap.h"
#include "display/keymap_layouts.h"
#include "tests/suite.h"

static const struct keymap *layout(const char *name)
{
    const struct keymap *map = keymap_find(name);

    ck_assert_ptr_nonnull(map);
    return map;
}

START_TEST(test_tables_are_whole)
{
    const char *const *names = keymap_layouts();
    unsigned count = 0;

    for (; names[count] != NULL; count++)
        ck_assert_ptr_nonnull(keymap_find(names[count]));
    ck_assert_uint_eq(count, keymap_table_count);
    ck_assert_ptr_null(keymap_find("klingon"));
    ck_assert_ptr_null(keymap_find(NULL));
    for (unsigned i = 0; i < keymap_table_count; i++) {
        ck_assert_ptr_nonnull(keymap_tables[i].levels[1]);
        for (unsigned l = 0; l < KEYMAP_LEVELS; l++) {
            const char *level = keymap_tables[i].levels[l];

            if (level == NULL)
                continue;
            ck_assert_msg(g_utf8_validate(level, -1, NULL) &&
                              g_utf8_strlen(level, -1) == KEYMAP_POSITIONS,
                          "%s level %u", keymap_tables[i].name, l);
        }
    }
}
END_TEST

START_TEST(test_round_trip)
{
    const struct keymap *map = &keymap_tables[_i];
    unsigned keys = 0;

    for (unsigned p = 0; p < KEYMAP_POSITIONS; p++) {
        for (unsigned l = 0; l < KEYMAP_LEVELS; l++) {
            uint32_t keysym = keymap_keysym(map, keymap_positions[p], l);
            struct keymap_key key;

            if (keysym == 0)
                continue;
            keys++;
            ck_assert_msg(keymap_lookup(map, keysym, &key), "%s %x", map->name, keysym);
            ck_assert(key.printing && !key.then_space);
            ck_assert_msg(keymap_keysym(map, key.qnum, key.level) == keysym, "%s %x", map->name,
                          keysym);
        }
    }
    ck_assert_uint_ge(keys, 94);
}
END_TEST

START_TEST(test_ascii_everywhere)
{
    const struct keymap *map = &keymap_tables[_i];
    struct keymap_key key;

    for (uint32_t c = 0x20; c < 0x7f; c++)
        ck_assert_msg(keymap_lookup(map, c, &key), "%s cannot type %c", map->name, c);
    ck_assert(!keymap_lookup(map, 0, &key));
    ck_assert(!keymap_lookup(map, 0x7f, &key));
    ck_assert(!keymap_lookup(map, 0x01ffffff, &key));
    ck_assert(!keymap_lookup(map, UINT32_MAX, &key));
}
END_TEST

static const struct {
    const char *layout;
    uint32_t keysym;
    uint8_t qnum, level;
    bool then_space;
} known[] = {
    {"us", 'a', 0x1e, 0, false},
    {"us", '|', 0x2b, LEVEL_SHIFT, false},
    {"de", 'y', 0x2c, 0, false},
    {"de", 'z', 0x15, 0, false},
    {"de", '@', 0x10, LEVEL_ALT_GR, false},
    {"de", 0xdf, 0x0c, 0, false}, /* ssharp */
    {"de", '^', 0x29, 0, true},
    {"de", 0xfe52, 0x29, 0, false},            /* dead_circumflex */
    {"de", 0x20ac, 0x12, LEVEL_ALT_GR, false}, /* EuroSign */
    {"fr", '1', 0x02, LEVEL_SHIFT, false},
    {"fr", 'a', 0x10, 0, false},
    {"gb", '#', 0x2b, 0, false},
    {"gb", '\\', 0x56, 0, false},
    {"pl", 0x1b1, 0x1e, LEVEL_ALT_GR, false},                    /* aogonek */
    {"pl", 0x0100017b, 0x2c, LEVEL_ALT_GR | LEVEL_SHIFT, false}, /* Zabovedot */
    {"ru", 0x6c1, 0x21, 0, false},                               /* Cyrillic_a */
    {"ru", 0x6b3, 0x29, LEVEL_SHIFT, false},                     /* Cyrillic_IO */
    {"ru", 'c', 0x2e, 0, false},                                 /* as on the US layout */
    {"tr", 0x2b9, 0x17, 0, false},                               /* idotless */
    {"cz", 0x1ec, 0x03, 0, false},                               /* ecaron */
    {"jp", '_', 0x73, LEVEL_SHIFT, false},
    {"br", '/', 0x73, 0, false},
    {"us", 0xff51, 0xcb, 0, false},     /* Left */
    {"us", 0xffb7, 0x47, 0, false},     /* KP_7 */
    {"us", 0xff13, 0xc6, 0, false},     /* Pause */
    {"us", 0x1008ff13, 0xb0, 0, false}, /* XF86AudioRaiseVolume */
};

START_TEST(test_known_keys)
{
    struct keymap_key key;

    ck_assert(keymap_lookup(layout(known[_i].layout), known[_i].keysym, &key));
    ck_assert_uint_eq(key.qnum, known[_i].qnum);
    ck_assert_uint_eq(key.level, known[_i].level);
    ck_assert(key.then_space == known[_i].then_space);
}
END_TEST

/* What a guest with the layout makes of the keys: the oracle for the keyboard. */
struct guest {
    const struct keymap *map;
    bool down[256];
    bool caps_lock;
    GString *keysyms; /* of printing keys, "61 " */
};

static void on_key(void *opaque, uint8_t qnum, bool down)
{
    struct guest *g = opaque;
    unsigned level = (g->down[QNUM_SHIFT_LEFT] || g->down[QNUM_SHIFT_RIGHT] ? LEVEL_SHIFT : 0) |
                     (g->down[QNUM_ALT_GR] ? LEVEL_ALT_GR : 0);
    uint32_t keysym = keymap_keysym(g->map, qnum, level);

    if (down && qnum == QNUM_CAPS_LOCK && !g->down[qnum])
        g->caps_lock = !g->caps_lock;
    if (down && g->caps_lock && keysym < 0x80 && g_ascii_isalpha(keysym))
        keysym = keymap_keysym(g->map, qnum, level ^ LEVEL_SHIFT);
    g->down[qnum] = down;
    if (down && (keysym != 0 || qnum == QNUM_SPACE))
        g_string_append_printf(g->keysyms, "%x ", qnum == QNUM_SPACE ? ' ' : keysym);
}

static const struct input_ops guest_ops = {.key = on_key};

static struct guest guest;
static struct keyboard keyboard;
static struct keyboard_hands hands;

static void start(const char *name)
{
    struct input_sink sink = {&guest_ops, &guest};

    memset(&guest, 0, sizeof(guest));
    memset(&hands, 0, sizeof(hands));
    guest.map = layout(name);
    guest.keysyms = g_string_new(NULL);
    keyboard_init(&keyboard, guest.map, &sink);
}

static void finish(const char *expected)
{
    ck_assert_str_eq(guest.keysyms->str, expected);
    for (unsigned i = 0; i < 256; i++)
        ck_assert_msg(!guest.down[i], "key %x is stuck", i);
    g_string_free(guest.keysyms, TRUE);
}

static void event(bool down, uint32_t keysym)
{
    keyboard_event(&keyboard, &hands, down, keysym, 0);
}

static void type(uint32_t keysym)
{
    event(true, keysym);
    event(false, keysym);
}

#define XK_SHIFT_L 0xffe1
#define XK_SHIFT_R 0xffe2
#define XK_LEVEL3 0xfe03
#define XK_CAPS 0xffe5
#define XK_CONTROL 0xffe3

START_TEST(test_viewer_modifiers_differ)
{
    start("de");
    /* A US viewer's (, @ and / with its own modifiers: the guest needs others. */
    event(true, XK_SHIFT_R);
    type('(');
    type('@');
    type('/');
    type('A');
    event(false, XK_SHIFT_R);
    type('/');
    type('A'); /* the viewer's Caps Lock */
    event(true, XK_LEVEL3);
    type('{');
    type('x');
    event(false, XK_LEVEL3);
    finish("28 40 2f 41 2f 41 7b 78 ");
}
END_TEST

START_TEST(test_spacing_accents)
{
    start("de");
    type('^');
    type('`');
    type(0xfe51); /* dead_acute waits for the next */
    type('e');
    finish("fe52 20 fe50 20 fe51 65 ");
}
END_TEST

START_TEST(test_caps_lock)
{
    start("us");
    type(XK_CAPS);
    type('A'); /* as a viewer with Caps Lock sends it */
    event(true, XK_SHIFT_L);
    type('a');
    event(false, XK_SHIFT_L);
    type('1');
    type('!');
    type(XK_CAPS);
    type('a');
    finish("41 61 31 21 61 ");
}
END_TEST

START_TEST(test_release_by_another_name)
{
    start("de");
    event(true, XK_SHIFT_L);
    event(true, '(');
    event(false, XK_SHIFT_L);
    event(false, '9'); /* what the key is called now */
    finish("28 ");
}
END_TEST

START_TEST(test_shortcut_keeps_modifiers)
{
    start("us");
    event(true, XK_CONTROL);
    event(true, 'c');
    ck_assert(guest.down[QNUM_CONTROL_LEFT]);
    event(false, 'c');
    event(false, XK_CONTROL);
    finish("63 ");
}
END_TEST

START_TEST(test_leaving_viewer_lets_go)
{
    struct keyboard_hands other = {0};

    start("us");
    event(true, XK_CONTROL);
    event(true, 'a');
    keyboard_event(&keyboard, &hands, true, 0, 0x1c);
    keyboard_event(&keyboard, &other, true, XK_CONTROL, 0);
    keyboard_release_all(&keyboard, &hands);
    ck_assert(guest.down[QNUM_CONTROL_LEFT]); /* the other one holds it still */
    keyboard_release_all(&keyboard, &other);
    finish("61 ");
}
END_TEST

START_TEST(test_too_many_fingers)
{
    start("us");
    for (unsigned q = 1; q < 0x80; q++)
        keyboard_event(&keyboard, &hands, true, 0, q);
    ck_assert_uint_eq(hands.count, KEYBOARD_MAX_HELD);
    for (unsigned q = 1; q < 0x80; q++)
        keyboard_event(&keyboard, &hands, false, 0, q);
    keyboard_event(&keyboard, &hands, false, 0, 0x80); /* never pressed */
    keyboard_event(&keyboard, &hands, true, 0, 0);     /* nothing */
    g_string_truncate(guest.keysyms, 0);
    finish("");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keymap");
    TCase *tc = tcase_create("keymap");

    tcase_add_test(tc, test_tables_are_whole);
    tcase_add_loop_test(tc, test_round_trip, 0, keymap_table_count);
    tcase_add_loop_test(tc, test_ascii_everywhere, 0, keymap_table_count);
    tcase_add_loop_test(tc, test_known_keys, 0, G_N_ELEMENTS(known));
    tcase_add_test(tc, test_viewer_modifiers_differ);
    tcase_add_test(tc, test_spacing_accents);
    tcase_add_test(tc, test_caps_lock);
    tcase_add_test(tc, test_release_by_another_name);
    tcase_add_test(tc, test_shortcut_keeps_modifiers);
    tcase_add_test(tc, test_leaving_viewer_lets_go);
    tcase_add_test(tc, test_too_many_fingers);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
