/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "core/config.h"
#include "core/config_internal.h"

/* Whether row i is the first of its group. */
static bool starts_group(size_t i)
{
    return i == 0 || strcmp(config_key(i - 1)->group, config_key(i)->group) != 0;
}

static unsigned group_count(const struct config_key *key)
{
    return strcmp(key->group, "disk") == 0 ? MACHINE_MAX_DISKS : 1;
}

/* The name of a group in the file: that of a disk has its number. */
static char *group_name(const struct config_key *key, unsigned index)
{
    return group_count(key) > 1 ? g_strdup_printf("%s%u", key->group, index) : g_strdup(key->group);
}

/* The value of a key, and whether it is the default one. */
static char *get_value(const struct machine_config *config, const char *group,
                       const struct config_key *key, bool *ret_default)
{
    g_autofree char *path = g_strdup_printf("%s.%s", group, key->key);
    char *value = machine_config_get(config, path, NULL);

    *ret_default = strcmp(value, key->default_text) == 0;
    return value;
}

static bool group_is_default(const struct machine_config *config, size_t first, const char *group)
{
    const char *base = config_key(first)->group;
    bool is_default = true;

    for (size_t i = first; is_default && config_key(i) && !strcmp(config_key(i)->group, base); i++)
        g_free(get_value(config, group, config_key(i), &is_default));
    return is_default;
}

/* One group with the comments of its keys; defaults are shown as comments. */
static void append_fresh_group(GString *out, const struct machine_config *config, size_t first,
                               const char *group)
{
    const char *base = config_key(first)->group;

    g_string_append_printf(out, "\n[%s]\n", group);
    for (size_t i = first; config_key(i) && strcmp(config_key(i)->group, base) == 0; i++) {
        const struct config_key *key = config_key(i);
        bool is_default;
        g_autofree char *value = get_value(config, group, key, &is_default);

        g_string_append_printf(out, "# %s (%s)\n%s%s =%s%s\n", key->comment, key->values,
                               is_default ? "#" : "", key->key, value[0] != '\0' ? " " : "", value);
    }
}

static char *format_fresh(const struct machine_config *config)
{
    GString *out = g_string_new("# A virtual machine of vmdesk: see machine.conf(5).\n"
                                "# A key that starts with # has the default value shown.\n");

    for (size_t i = 0; config_key(i) != NULL; i++) {
        if (!starts_group(i))
            continue;
        for (unsigned j = 0; j < group_count(config_key(i)); j++) {
            g_autofree char *group = group_name(config_key(i), j);

            if (j == 0 || !group_is_default(config, i, group))
                append_fresh_group(out, config, i, group);
        }
    }
    return g_string_free(out, FALSE);
}

/* Where a key stands among the lines, or where it would go. */
struct place {
    int line;   /* of the key; -1: it is not there */
    int group;  /* the line of its group; -1: it is not there */
    int insert; /* where a new line for it goes: after its commented default, else at the end of
                   the group's text */
};

/* Whether a comment shows key: "#key = value". */
static bool shows_key(const char *text, const char *key)
{
    struct config_line line;
    bool shows;

    text += strspn(text, " \t");
    if (*text != '#')
        return false;
    config_line_init(&line, text + 1);
    shows = line.kind == LINE_KEY && strcmp(line.name, key) == 0;
    config_line_finish(&line);
    return shows;
}

static struct place find_place(const GPtrArray *lines, const char *group, const char *key)
{
    struct place place = {-1, -1, -1};
    bool inside = false, shown = false;

    for (unsigned i = 0; i < lines->len; i++) {
        const char *text = g_ptr_array_index(lines, i);
        struct config_line line;

        config_line_init(&line, text);
        if (line.kind == LINE_GROUP) {
            inside = strcmp(line.name, group) == 0;
            if (inside)
                place.group = i;
        } else if (inside && line.kind == LINE_KEY && strcmp(line.name, key) == 0) {
            place.line = i;
        }
        if (inside && !shown && text[0] != '\0') {
            place.insert = i + 1;
            shown = shows_key(text, key);
        }
        config_line_finish(&line);
    }
    return place;
}

static void change_line(GPtrArray *lines, const char *group, const char *key, const char *value)
{
    struct place place = find_place(lines, group, key);

    if (place.line >= 0) {
        if (value[0] == '\0') {
            g_ptr_array_remove_index(lines, place.line);
        } else {
            g_free(lines->pdata[place.line]);
            lines->pdata[place.line] = g_strdup_printf("%s = %s", key, value);
        }
        return;
    }
    if (place.group < 0) {
        if (lines->len > 0 && *(char *)lines->pdata[lines->len - 1] != '\0')
            g_ptr_array_add(lines, g_strdup(""));
        g_ptr_array_add(lines, g_strdup_printf("[%s]", group));
        place.insert = lines->len;
    }
    g_ptr_array_insert(lines, place.insert, g_strdup_printf("%s = %s", key, value));
}

char *machine_config_format(const struct machine_config *config, const char *old_text)
{
    struct machine_config *old =
        old_text == NULL ? NULL
                         : machine_config_parse(config->name, old_text, strlen(old_text), "", NULL);
    g_auto(GStrv) split = NULL;
    g_autoptr(GPtrArray) lines = NULL;
    bool is_default;

    if (old == NULL)
        return format_fresh(config);
    split = g_strsplit(old_text, "\n", -1);
    lines = g_ptr_array_new_with_free_func(g_free);
    for (unsigned i = 0; split[i] != NULL; i++)
        g_ptr_array_add(lines, g_strdup(split[i]));
    /* The end of the last line is no line. */
    if (lines->len > 0 && *(char *)lines->pdata[lines->len - 1] == '\0')
        g_ptr_array_remove_index(lines, lines->len - 1);
    for (size_t i = 0; config_key(i) != NULL; i++) {
        for (unsigned j = 0; j < group_count(config_key(i)); j++) {
            g_autofree char *group = group_name(config_key(i), j);
            g_autofree char *before = get_value(old, group, config_key(i), &is_default);
            g_autofree char *after = get_value(config, group, config_key(i), &is_default);

            if (strcmp(before, after) != 0)
                change_line(lines, group, config_key(i)->key, after);
        }
    }
    machine_config_free(old);
    g_ptr_array_add(lines, g_strdup(""));
    g_ptr_array_add(lines, NULL);
    return g_strjoinv("\n", (char **)lines->pdata);
}
