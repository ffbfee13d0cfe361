/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/keymap.h"

#include <glib.h>

#include "display/keymap_layouts.h"

/* Keys that mean the same in each layout. Sorted by keysym. */
static const struct {
    uint32_t keysym;
    uint8_t qnum;
} plain_keys[] = {
    {0x20, QNUM_SPACE},           /* space */
    {0xa0, QNUM_SPACE},           /* nobreakspace */
    {0xfe03, QNUM_ALT_GR},        /* ISO_Level3_Shift */
    {0xfe20, 0x0f},               /* ISO_Left_Tab */
    {0xff08, 0x0e},               /* BackSpace */
    {0xff09, 0x0f},               /* Tab */
    {0xff0d, 0x1c},               /* Return */
    {0xff13, 0xc6},               /* Pause */
    {0xff14, 0x46},               /* Scroll_Lock */
    {0xff15, 0x54},               /* Sys_Req */
    {0xff1b, 0x01},               /* Escape */
    {0xff22, 0x7b},               /* Muhenkan */
    {0xff23, 0x79},               /* Henkan */
    {0xff27, 0x70},               /* Hiragana_Katakana */
    {0xff2a, 0x29},               /* Zenkaku_Hankaku */
    {0xff50, 0xc7},               /* Home */
    {0xff51, 0xcb},               /* Left */
    {0xff52, 0xc8},               /* Up */
    {0xff53, 0xcd},               /* Right */
    {0xff54, 0xd0},               /* Down */
    {0xff55, 0xc9},               /* Page_Up */
    {0xff56, 0xd1},               /* Page_Down */
    {0xff57, 0xcf},               /* End */
    {0xff61, 0xb7},               /* Print */
    {0xff63, 0xd2},               /* Insert */
    {0xff67, 0xdd},               /* Menu */
    {0xff6b, 0xc6},               /* Break */
    {0xff7e, QNUM_ALT_GR},        /* Mode_switch */
    {0xff7f, 0x45},               /* Num_Lock */
    {0xff8d, 0x9c},               /* KP_Enter */
    {0xff95, 0x47},               /* KP_Home */
    {0xff96, 0x4b},               /* KP_Left */
    {0xff97, 0x48},               /* KP_Up */
    {0xff98, 0x4d},               /* KP_Right */
    {0xff99, 0x50},               /* KP_Down */
    {0xff9a, 0x49},               /* KP_Page_Up */
    {0xff9b, 0x51},               /* KP_Page_Down */
    {0xff9c, 0x4f},               /* KP_End */
    {0xff9d, 0x4c},               /* KP_Begin */
    {0xff9e, 0x52},               /* KP_Insert */
    {0xff9f, 0x53},               /* KP_Delete */
    {0xffaa, 0x37},               /* KP_Multiply */
    {0xffab, 0x4e},               /* KP_Add */
    {0xffac, 0x7e},               /* KP_Separator */
    {0xffad, 0x4a},               /* KP_Subtract */
    {0xffae, 0x53},               /* KP_Decimal */
    {0xffaf, 0xb5},               /* KP_Divide */
    {0xffb0, 0x52},               /* KP_0 */
    {0xffb1, 0x4f},               /* KP_1 */
    {0xffb2, 0x50},               /* KP_2 */
    {0xffb3, 0x51},               /* KP_3 */
    {0xffb4, 0x4b},               /* KP_4 */
    {0xffb5, 0x4c},               /* KP_5 */
    {0xffb6, 0x4d},               /* KP_6 */
    {0xffb7, 0x47},               /* KP_7 */
    {0xffb8, 0x48},               /* KP_8 */
    {0xffb9, 0x49},               /* KP_9 */
    {0xffbd, 0x59},               /* KP_Equal */
    {0xffbe, 0x3b},               /* F1 */
    {0xffbf, 0x3c},               /* F2 */
    {0xffc0, 0x3d},               /* F3 */
    {0xffc1, 0x3e},               /* F4 */
    {0xffc2, 0x3f},               /* F5 */
    {0xffc3, 0x40},               /* F6 */
    {0xffc4, 0x41},               /* F7 */
    {0xffc5, 0x42},               /* F8 */
    {0xffc6, 0x43},               /* F9 */
    {0xffc7, 0x44},               /* F10 */
    {0xffc8, 0x57},               /* F11 */
    {0xffc9, 0x58},               /* F12 */
    {0xffe1, QNUM_SHIFT_LEFT},    /* Shift_L */
    {0xffe2, QNUM_SHIFT_RIGHT},   /* Shift_R */
    {0xffe3, QNUM_CONTROL_LEFT},  /* Control_L */
    {0xffe4, QNUM_CONTROL_RIGHT}, /* Control_R */
    {0xffe5, QNUM_CAPS_LOCK},     /* Caps_Lock */
    {0xffe7, QNUM_META_LEFT},     /* Meta_L */
    {0xffe8, QNUM_META_RIGHT},    /* Meta_R */
    {0xffe9, QNUM_ALT_LEFT},      /* Alt_L */
    {0xffea, QNUM_ALT_GR},        /* Alt_R */
    {0xffeb, QNUM_META_LEFT},     /* Super_L */
    {0xffec, QNUM_META_RIGHT},    /* Super_R */
    {0xffff, 0xd3},               /* Delete */
    {0x1008ff11, 0xae},           /* XF86AudioLowerVolume */
    {0x1008ff12, 0xa0},           /* XF86AudioMute */
    {0x1008ff13, 0xb0},           /* XF86AudioRaiseVolume */
    {0x1008ff14, 0xa2},           /* XF86AudioPlay */
    {0x1008ff15, 0xa4},           /* XF86AudioStop */
    {0x1008ff16, 0x90},           /* XF86AudioPrev */
    {0x1008ff17, 0x99},           /* XF86AudioNext */
    {0x1008ff18, 0xb2},           /* XF86HomePage */
    {0x1008ff19, 0xec},           /* XF86Mail */
    {0x1008ff1b, 0xe5},           /* XF86Search */
    {0x1008ff1d, 0xa1},           /* XF86Calculator */
    {0x1008ff26, 0xea},           /* XF86Back */
    {0x1008ff27, 0xe9},           /* XF86Forward */
    {0x1008ff28, 0xe8},           /* XF86Stop */
    {0x1008ff29, 0xe7},           /* XF86Refresh */
    {0x1008ff2a, 0xde},           /* XF86PowerOff */
    {0x1008ff2b, 0xe3},           /* XF86WakeUp */
    {0x1008ff2f, 0xdf},           /* XF86Sleep */
    {0x1008ff30, 0xe6},           /* XF86Favorites */
    {0x1008ff32, 0xed},           /* XF86AudioMedia */
    {0x1008ff33, 0xeb},           /* XF86MyComputer */
};

/* Old keysyms that are neither Latin-1 nor 0x01000000 + Unicode: one page of a character set each,
 * written from its first code on. A space: not a keysym. */
static const struct {
    uint32_t first;
    const char *characters;
} old_keysyms[] = {
    {0x1a1, "Ą˘Ł ĽŚ  ŠŞŤŹ ŽŻ ą˛ł ľśˇ šşťź˝žż" /* Latin-2 */
            "Ŕ  Ă ĹĆ Č Ę Ě  ĎĐŃŇ  Ő  ŘŮ Ű  Ţ ŕ  ă ĺć č ę ě  ďđńň  ő  řů ű  ţ˙"},
    {0x2a9, "İ Ğ"}, /* Latin-3 */
    {0x2b9, "ı ğ"},
    {0x6a3, "ё            № " /* Cyrillic, in the order of KOI8-R */
            " Ё            "
            "юабцдефгхийклмнопярстужвьызшэщчъЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ"},
    {0x13bc, "ŒœŸ"}, /* Latin-9 */
    {0x20ac, "€"},
};

#define KEYSYM_UNICODE 0x01000000

const char *const *keymap_layouts(void)
{
    static const char *const names[] = {"be", "br", "ch", "cz", "de", "dk",    "es", "fi",
                                        "fr", "gb", "hu", "it", "jp", "latam", "nl", "no",
                                        "pl", "pt", "ru", "se", "tr", "us",    NULL};

    return names;
}

const struct keymap *keymap_find(const char *layout)
{
    for (unsigned i = 0; i < keymap_table_count; i++) {
        if (g_strcmp0(keymap_tables[i].name, layout) == 0)
            return &keymap_tables[i];
    }
    return NULL;
}

static uint32_t unicode_of(uint32_t keysym)
{
    if (keysym >= KEYSYM_UNICODE && keysym <= KEYSYM_UNICODE + 0x10ffff)
        return keysym - KEYSYM_UNICODE;
    if (keysym <= 0xff)
        return keysym;
    for (unsigned i = 0; i < G_N_ELEMENTS(old_keysyms); i++) {
        const char *set = old_keysyms[i].characters;

        if (keysym >= old_keysyms[i].first &&
            keysym - old_keysyms[i].first < (uint32_t)g_utf8_strlen(set, -1)) {
            uint32_t c =
                g_utf8_get_char(g_utf8_offset_to_pointer(set, keysym - old_keysyms[i].first));

            return c != ' ' ? c : 0;
        }
    }
    return 0;
}

static uint32_t character_at(const struct keymap *map, unsigned position, unsigned level)
{
    const char *all = map->levels[level];

    return all != NULL ? g_utf8_get_char(g_utf8_offset_to_pointer(all, position)) : ' ';
}

static bool find_character(const struct keymap *map, uint32_t character, struct keymap_key *ret)
{
    for (unsigned level = 0; level < KEYMAP_LEVELS && map->levels[level] != NULL; level++) {
        const char *p = map->levels[level];

        for (unsigned i = 0; i < KEYMAP_POSITIONS; i++, p = g_utf8_next_char(p)) {
            unsigned plain = level & ~LEVEL_SHIFT;

            if (g_utf8_get_char(p) != character)
                continue;
            *ret = (struct keymap_key){
                .qnum = keymap_positions[i],
                .printing = true,
                .level = level,
                .letter = g_unichar_islower(character_at(map, i, plain)) &&
                          g_unichar_isupper(character_at(map, i, plain | LEVEL_SHIFT)),
            };
            return true;
        }
    }
    return false;
}

static bool find_accent(const struct keymap *map, uint32_t accent, struct keymap_key *ret)
{
    for (unsigned i = 0; i < keymap_dead_key_count; i++) {
        if (keymap_dead_keys[i].accent == accent &&
            find_character(map, keymap_dead_keys[i].written, ret)) {
            ret->then_space = true;
            return true;
        }
    }
    return false;
}

static bool find_dead_key(const struct keymap *map, uint32_t keysym, struct keymap_key *ret)
{
    for (unsigned i = 0; i < keymap_dead_key_count; i++) {
        if (keymap_dead_keys[i].keysym == keysym)
            return find_character(map, keymap_dead_keys[i].written, ret) ||
                   find_character(map, keymap_dead_keys[i].accent, ret);
    }
    return false;
}

/* Whether a character stands in the tables for a dead key, and not for itself. */
static bool writes_dead_key(uint32_t character)
{
    for (unsigned i = 0; i < keymap_dead_key_count; i++) {
        if (keymap_dead_keys[i].written == character)
            return true;
    }
    return false;
}

bool keymap_lookup(const struct keymap *map, uint32_t keysym, struct keymap_key *ret)
{
    uint32_t character = unicode_of(keysym);

    for (unsigned i = 0; i < G_N_ELEMENTS(plain_keys) && plain_keys[i].keysym <= keysym; i++) {
        if (plain_keys[i].keysym == keysym) {
            *ret = (struct keymap_key){.qnum = plain_keys[i].qnum};
            return true;
        }
    }
    if (find_dead_key(map, keysym, ret))
        return true;
    if (character <= ' ')
        return false;
    if ((!writes_dead_key(character) && find_character(map, character, ret)) ||
        find_accent(map, character, ret))
        return true;
    /* Shortcuts: a layout without Latin letters has them where the US layout does. */
    return character < 0x80 && find_character(keymap_find("us"), character, ret);
}

uint32_t keymap_keysym(const struct keymap *map, uint8_t qnum, unsigned level)
{
    for (unsigned i = 0; i < KEYMAP_POSITIONS; i++) {
        uint32_t character = character_at(map, i, level);

        if (keymap_positions[i] != qnum || character == ' ')
            continue;
        for (unsigned d = 0; d < keymap_dead_key_count; d++) {
            if (keymap_dead_keys[d].written == character)
                return keymap_dead_keys[d].keysym;
        }
        return character <= 0xff ? character : KEYSYM_UNICODE + character;
    }
    return 0;
}
