/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/text.h"

#include <string.h>

#include "core/error.h"

/* Digits at *p, moved past them; false without digits or past 64 bits. */
static bool parse_digits(const char **p, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (!g_ascii_isdigit(**p))
        return false;
    for (; g_ascii_isdigit(**p); (*p)++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(**p - '0'), &value))
            return false;
    }
    *ret_value = value;
    return true;
}

static bool unit_shift(const char *unit, unsigned *ret_shift)
{
    static const char letters[] = "KMGT";
    const char *letter;

    if (*unit == '\0' || g_ascii_strcasecmp(unit, "B") == 0) {
        *ret_shift = 0;
        return true;
    }
    letter = strchr(letters, g_ascii_toupper(*unit));
    if (letter == NULL || *letter == '\0')
        return false;
    if (unit[1] != '\0' && g_ascii_strcasecmp(unit + 1, "B") != 0 &&
        g_ascii_strcasecmp(unit + 1, "iB") != 0)
        return false;
    *ret_shift = 10 * (letter - letters + 1);
    return true;
}

bool text_parse_size(const char *text, uint64_t *ret_size, GError **err)
{
    const char *p = text;
    uint64_t value;
    unsigned shift;

    if (!parse_digits(&p, &value) || !unit_shift(p, &shift) || value > UINT64_MAX >> shift) {
        g_autofree char *shown = text_sanitize(text, -1, false);
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "\"%s\" is not a size: write a number with K, M, G or T, as in 512M",
                           shown);
    }
    *ret_size = value << shift;
    return true;
}

char *text_format_size(uint64_t size)
{
    static const char *const units[] = {"", "K", "M", "G", "T"};
    unsigned unit = 0;

    while (size != 0 && size % 1024 == 0 && unit + 1 < G_N_ELEMENTS(units)) {
        size /= 1024;
        unit++;
    }
    return g_strdup_printf("%" G_GUINT64_FORMAT "%s", size, units[unit]);
}

bool text_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value,
                       GError **err)
{
    const char *p = text;
    uint64_t value;

    if (!parse_digits(&p, &value) || *p != '\0' || value < min || value > max) {
        g_autofree char *shown = text_sanitize(text, -1, false);
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "\"%s\" is not a number from %" G_GUINT64_FORMAT
                           " to %" G_GUINT64_FORMAT,
                           shown, min, max);
    }
    *ret_value = value;
    return true;
}

static bool is_unfit(gunichar c, bool keep_lines)
{
    if (keep_lines && (c == '\n' || c == '\t'))
        return false;
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

char *text_sanitize(const char *text, gssize size, bool keep_lines)
{
    /* A NUL inside is invalid too: g_utf8_make_valid() replaces it. */
    g_autofree char *valid = g_utf8_make_valid(text, size);
    GString *out = g_string_new(NULL);

    for (const char *p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        g_string_append_unichar(out, is_unfit(c, keep_lines) ? 0xfffd : c);
    }
    return g_string_free(out, FALSE);
}

/* Levenshtein distance of short ASCII words; longer ones are far from everything. */
static unsigned distance(const char *a, const char *b)
{
    enum { LONGEST = 48 };
    unsigned row[LONGEST + 1];
    size_t na = strlen(a), nb = strlen(b);

    if (na > LONGEST || nb > LONGEST)
        return UINT_MAX;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned above = row[j];
            unsigned changed = diagonal + (a[i - 1] != b[j - 1]);

            row[j] = MIN(changed, MIN(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[nb];
}

const char *text_closest(const char *word, const char *const *candidates, size_t count)
{
    unsigned best = MAX(2, strlen(word) / 3) + 1;
    const char *closest = NULL;

    for (size_t i = 0; i < count; i++) {
        unsigned d = distance(word, candidates[i]);
        if (d < best) {
            best = d;
            closest = candidates[i];
        }
    }
    return closest;
}
