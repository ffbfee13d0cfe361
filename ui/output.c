/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/output.h"

#include <glib.h>
#include <stdio.h>

#include "core/text.h"

void output_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
    putchar('\n');
    json_decref(value);
}

json_t *output_string(const char *text)
{
    g_autofree char *valid = text != NULL ? g_utf8_make_valid(text, -1) : NULL;

    return valid != NULL ? json_string(valid) : json_null();
}

void output_text(const char *text)
{
    g_autofree char *clean = text_sanitize(text, -1, true);

    fputs(clean, stdout);
}

char *output_duration(uint64_t ns)
{
    uint64_t seconds = ns / G_GUINT64_CONSTANT(1000000000);

    if (seconds >= 3600)
        return g_strdup_printf("%" G_GUINT64_FORMAT " h %u min", seconds / 3600,
                               (unsigned)(seconds / 60 % 60));
    if (seconds >= 60)
        return g_strdup_printf("%u min %u s", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
    return g_strdup_printf("%.1f s", ns / 1e9);
}

char *output_bytes(uint64_t bytes)
{
    return g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
}
