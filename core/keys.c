/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/keys.h"

#include <string.h>

#include "core/error.h"

static const struct key_name names[] = {
    {"esc", 0x01},
    {"1", 0x02},
    {"2", 0x03},
    {"3", 0x04},
    {"4", 0x05},
    {"5", 0x06},
    {"6", 0x07},
    {"7", 0x08},
    {"8", 0x09},
    {"9", 0x0a},
    {"0", 0x0b},
    {"minus", 0x0c},
    {"equal", 0x0d},
    {"backspace", 0x0e},
    {"tab", 0x0f},
    {"q", 0x10},
    {"w", 0x11},
    {"e", 0x12},
    {"r", 0x13},
    {"t", 0x14},
    {"y", 0x15},
    {"u", 0x16},
    {"i", 0x17},
    {"o", 0x18},
    {"p", 0x19},
    {"bracket_left", 0x1a},
    {"bracket_right", 0x1b},
    {"ret", 0x1c},
    {"ctrl", 0x1d},
    {"a", 0x1e},
    {"s", 0x1f},
    {"d", 0x20},
    {"f", 0x21},
    {"g", 0x22},
    {"h", 0x23},
    {"j", 0x24},
    {"k", 0x25},
    {"l", 0x26},
    {"semicolon", 0x27},
    {"apostrophe", 0x28},
    {"grave_accent", 0x29},
    {"shift", 0x2a},
    {"backslash", 0x2b},
    {"z", 0x2c},
    {"x", 0x2d},
    {"c", 0x2e},
    {"v", 0x2f},
    {"b", 0x30},
    {"n", 0x31},
    {"m", 0x32},
    {"comma", 0x33},
    {"dot", 0x34},
    {"slash", 0x35},
    {"shift_r", 0x36},
    {"kp_multiply", 0x37},
    {"asterisk", 0x37},
    {"alt", 0x38},
    {"spc", 0x39},
    {"caps_lock", 0x3a},
    {"f1", 0x3b},
    {"f2", 0x3c},
    {"f3", 0x3d},
    {"f4", 0x3e},
    {"f5", 0x3f},
    {"f6", 0x40},
    {"f7", 0x41},
    {"f8", 0x42},
    {"f9", 0x43},
    {"f10", 0x44},
    {"num_lock", 0x45},
    {"scroll_lock", 0x46},
    {"kp_7", 0x47},
    {"kp_8", 0x48},
    {"kp_9", 0x49},
    {"kp_subtract", 0x4a},
    {"kp_4", 0x4b},
    {"kp_5", 0x4c},
    {"kp_6", 0x4d},
    {"kp_add", 0x4e},
    {"kp_1", 0x4f},
    {"kp_2", 0x50},
    {"kp_3", 0x51},
    {"kp_0", 0x52},
    {"kp_decimal", 0x53},
    {"print", 0x54},
    {"sysrq", 0x54},
    {"less", 0x56},
    {"f11", 0x57},
    {"f12", 0x58},
    {"kp_equals", 0x59},
    {"hiragana", 0x70},
    {"ro", 0x73},
    {"henkan", 0x79},
    {"muhenkan", 0x7b},
    {"yen", 0x7d},
    {"kp_comma", 0x7e},
    {"audioprev", 0x90},
    {"audionext", 0x99},
    {"kp_enter", 0x9c},
    {"ctrl_r", 0x9d},
    {"menu", 0x9e},
    {"audiomute", 0xa0},
    {"calculator", 0xa1},
    {"audioplay", 0xa2},
    {"audiostop", 0xa4},
    {"volumedown", 0xae},
    {"volumeup", 0xb0},
    {"ac_home", 0xb2},
    {"kp_divide", 0xb5},
    {"alt_r", 0xb8},
    {"pause", 0xc6},
    {"home", 0xc7},
    {"up", 0xc8},
    {"pgup", 0xc9},
    {"left", 0xcb},
    {"right", 0xcd},
    {"end", 0xcf},
    {"down", 0xd0},
    {"pgdn", 0xd1},
    {"insert", 0xd2},
    {"delete", 0xd3},
    {"meta_l", 0xdb},
    {"meta_r", 0xdc},
    {"compose", 0xdd},
    {"power", 0xde},
    {"sleep", 0xdf},
    {"wake", 0xe3},
    {"ac_bookmarks", 0xe6},
    {"ac_refresh", 0xe7},
    {"ac_forward", 0xe9},
    {"ac_back", 0xea},
    {"computer", 0xeb},
    {"mail", 0xec},
    {"mediaselect", 0xed},
};

/* The rows of a US keyboard: what each key gives, from the key with the number first. */
static const struct {
    uint8_t first;
    const char *plain, *shifted;
} us_rows[] = {
    {0x02, "1234567890-=", "!@#$%^&*()_+"},
    {0x10, "qwertyuiop[]", "QWERTYUIOP{}"},
    {0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
    {0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
    {0x39, " ", " "},
};

static const struct {
    char character;
    uint8_t qnum;
} control_keys[] = {
    {'\b', 0x0e}, {'\t', 0x0f}, {'\n', 0x1c}, {'\r', 0x1c}, {0x1b, 0x01}, {0x7f, 0xd3},
};

const struct key_name *key_names(size_t *ret_count)
{
    *ret_count = G_N_ELEMENTS(names);
    return names;
}

bool key_from_name(const char *name, uint8_t *ret_qnum)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i].name, name) == 0) {
            *ret_qnum = names[i].qnum;
            return true;
        }
    }
    return false;
}

const char *key_to_name(uint8_t qnum)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (names[i].qnum == qnum)
            return names[i].name;
    }
    return NULL;
}

bool key_from_char(gunichar character, uint8_t *ret_qnum, bool *ret_shift)
{
    if (character == 0 || character > 0x7f)
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(control_keys); i++) {
        if (control_keys[i].character == (char)character) {
            *ret_qnum = control_keys[i].qnum;
            *ret_shift = false;
            return true;
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(us_rows); i++) {
        const char *plain = strchr(us_rows[i].plain, character);
        const char *shifted = strchr(us_rows[i].shifted, character);

        if (plain != NULL || shifted != NULL) {
            *ret_qnum = us_rows[i].first +
                        (plain != NULL ? plain - us_rows[i].plain : shifted - us_rows[i].shifted);
            *ret_shift = plain == NULL;
            return true;
        }
    }
    return false;
}

size_t key_parse_chord(const char *text, uint8_t ret_qnums[KEY_CHORD_MAX], GError **err)
{
    g_auto(GStrv) parts = g_strsplit_set(text, "-+", -1);
    size_t count = g_strv_length(parts);

    if (count == 0 || count > KEY_CHORD_MAX) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID, "'%s' names %zu keys: give 1 to %d.", text, count,
                    KEY_CHORD_MAX);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        g_autofree char *name = g_ascii_strdown(parts[i], -1);

        if (!key_from_name(name, &ret_qnums[i])) {
            vmdesk_fail(err, VMDESK_ERROR_INVALID,
                        "There is no key named '%s': names are as in 'ctrl-alt-delete', 'f2', "
                        "'ret', 'shift-a'.",
                        parts[i]);
            return 0;
        }
    }
    return count;
}
