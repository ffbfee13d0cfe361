/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/vmdk_descriptor.h"

#include <string.h>

#include "core/error.h"
#include "core/text.h"

#define NO_PARENT "ffffffff"
#define MAX_EXTENT_WORDS 6

static bool fail_line(const char *path, const char *line, const char *why, GError **err)
{
    g_autofree char *shown = text_sanitize(line, -1, false);

    return vmdesk_fail(err, VMDESK_ERROR_INVALID, "The VMDK image %s has the extent \"%s\", %s.",
                       path, shown, why);
}

/* "key = value" or key="value". Returns the value, without its quotes; NULL: another key. */
static char *value_of(const char *line, const char *key)
{
    size_t length = strlen(key);
    char *value;

    if (g_ascii_strncasecmp(line, key, length) != 0)
        return NULL;
    line += length;
    while (*line == ' ' || *line == '\t')
        line++;
    if (*line != '=')
        return NULL;
    value = g_strstrip(g_strdup(line + 1));
    if (value[0] == '"') {
        char *end = strchr(value + 1, '"');

        if (end != NULL)
            *end = '\0';
        memmove(value, value + 1, strlen(value));
    }
    return value;
}

/* A foreign image chooses what is opened only among its own files. */
static bool name_is_confined(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 && g_utf8_validate(name, -1, NULL);
}

/* Splits a line into words; what is in quotes is one. Empties the line. */
static unsigned split(char *line, char *words[MAX_EXTENT_WORDS])
{
    unsigned count = 0;

    while (count < MAX_EXTENT_WORDS) {
        char end = ' ';

        line += strspn(line, " \t");
        if (*line == '\0')
            break;
        if (*line == '"') {
            end = '"';
            line++;
        }
        words[count++] = line;
        while (*line != '\0' && *line != end && !(end == ' ' && *line == '\t'))
            line++;
        if (*line != '\0')
            *line++ = '\0';
    }
    return count;
}

static bool extent_kind(const char *word, enum vmdk_extent_kind *ret_kind)
{
    static const struct {
        const char *word;
        enum vmdk_extent_kind kind;
    } kinds[] = {{"FLAT", VMDK_FLAT},
                 {"VMFS", VMDK_FLAT},
                 {"SPARSE", VMDK_SPARSE},
                 {"ZERO", VMDK_ZERO}};

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(word, kinds[i].word) == 0) {
            *ret_kind = kinds[i].kind;
            return true;
        }
    }
    return false;
}

/* ACCESS SECTORS TYPE "FILE" [START] */
static bool parse_extent(struct vmdk_descriptor *descriptor, const char *line, const char *path,
                         GError **err)
{
    g_autofree char *copy = g_strdup(line);
    char *words[MAX_EXTENT_WORDS];
    unsigned count = split(copy, words);
    struct vmdk_extent_line extent = {0};

    if (count < 3 || !text_parse_number(words[1], 1, VMDK_MAX_SECTORS - descriptor->sectors,
                                        &extent.sectors, NULL))
        return fail_line(path, line, "which has no sensible number of sectors", err);
    if (!extent_kind(words[2], &extent.kind))
        return fail_line(path, line,
                         "of a type that is not known: copy the image to a plain one with VMware "
                         "first",
                         err);
    if (strcmp(words[0], "NOACCESS") == 0)
        return fail_line(path, line, "which must not be read", err);
    if (descriptor->extents->len >= VMDK_MAX_EXTENTS)
        return fail_line(path, line, "which is one too many", err);
    if (extent.kind != VMDK_ZERO) {
        if (count < 4 || !name_is_confined(words[3]))
            return fail_line(path, line, "which is not a file in the image's own folder", err);
        if (count >= 5 && extent.kind == VMDK_FLAT &&
            !text_parse_number(words[4], 0, VMDK_MAX_SECTORS, &extent.start_sector, NULL))
            return fail_line(path, line, "which starts nowhere", err);
        extent.file = g_strdup(words[3]);
    }
    descriptor->sectors += extent.sectors;
    g_array_append_val(descriptor->extents, extent);
    return true;
}

static bool parse_line(struct vmdk_descriptor *descriptor, const char *line, const char *path,
                       GError **err)
{
    g_autofree char *parent = value_of(line, "parentCID");
    g_autofree char *encoding = value_of(line, "encryption.keySafe");
    char *type = value_of(line, "createType");

    if (type != NULL) {
        g_free(descriptor->create_type);
        descriptor->create_type = type;
    }
    if (parent != NULL && g_ascii_strcasecmp(parent, NO_PARENT) != 0)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The VMDK image %s holds only what differs from a parent image: "
                           "consolidate its snapshots, or clone it, in VMware first.",
                           path);
    if (encoding != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The VMDK image %s is encrypted: decrypt it in VMware first.", path);
    if (g_str_has_prefix(line, "RW ") || g_str_has_prefix(line, "RDONLY ") ||
        g_str_has_prefix(line, "NOACCESS "))
        return parse_extent(descriptor, line, path, err);
    return true;
}

static void clear_extent(void *opaque)
{
    g_free(((struct vmdk_extent_line *)opaque)->file);
}

struct vmdk_descriptor *vmdk_descriptor_parse(const char *text, size_t size, const char *path,
                                              GError **err)
{
    struct vmdk_descriptor *descriptor = g_new0(struct vmdk_descriptor, 1);
    const char *end = text + strnlen(text, size);

    descriptor->extents = g_array_new(FALSE, FALSE, sizeof(struct vmdk_extent_line));
    g_array_set_clear_func(descriptor->extents, clear_extent);
    while (text < end) {
        const char *line_end = memchr(text, '\n', end - text);
        size_t length = (line_end != NULL ? line_end : end) - text;
        g_autofree char *line = g_strstrip(g_strndup(text, length));

        if (!parse_line(descriptor, line, path, err)) {
            vmdk_descriptor_free(descriptor);
            return NULL;
        }
        text += length + (line_end != NULL);
    }
    if (descriptor->extents->len == 0) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The description in the VMDK image %s names no extents: get it again.", path);
        vmdk_descriptor_free(descriptor);
        return NULL;
    }
    return descriptor;
}

void vmdk_descriptor_free(struct vmdk_descriptor *descriptor)
{
    if (descriptor == NULL)
        return;
    g_array_unref(descriptor->extents);
    g_free(descriptor->create_type);
    g_free(descriptor);
}
