/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/host/udev_rule.h"

#include <string.h>

#include "core/error.h"

#define HEADING "# USB devices that users of vmdesk may open.\n"

/* Nothing that ends a quoted value, is a pattern or a substitution in it. */
static bool is_plain(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (!g_ascii_isalnum(*p) && strchr(" -._:", *p) == NULL)
            return false;
    }
    return text[0] != '\0';
}

/* The owner, and not the one who sits at the computer (uaccess): machines go on after a logout. */
char *udev_rule_format(uint16_t vendor, uint16_t product, const char *serial, const char *user)
{
    g_autofree char *by_serial = NULL;

    if (!is_plain(user))
        return NULL;
    if (serial != NULL && is_plain(serial))
        by_serial = g_strdup_printf(" ATTR{serial}==\"%s\",", serial);
    return g_strdup_printf("SUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", "
                           "ATTR{idVendor}==\"%04x\", ATTR{idProduct}==\"%04x\",%s OWNER=\"%s\"",
                           vendor, product, by_serial != NULL ? by_serial : "", user);
}

static bool has_line(const char *text, const char *line)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    return g_strv_contains((const char *const *)lines, line);
}

bool udev_rule_add(const char *file, const char *rule, bool *ret_added, GError **err)
{
    g_autofree char *old = NULL, *text = NULL;
    g_autoptr(GError) error = NULL;

    *ret_added = false;
    if (!g_file_get_contents(file, &old, NULL, &error) &&
        !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return vmdesk_fail(err, VMDESK_ERROR_IO, "Cannot read %s: %s", file, error->message);
    if (old != NULL && has_line(old, rule))
        return true;
    text = g_strdup_printf("%s%s%s\n", old != NULL ? old : HEADING,
                           old != NULL && *old != '\0' && !g_str_has_suffix(old, "\n") ? "\n" : "",
                           rule);
    g_clear_error(&error);
    if (!g_file_set_contents_full(file, text, -1,
                                  G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                  0644, &error))
        return vmdesk_fail(err,
                           g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_ACCES)
                               ? VMDESK_ERROR_PERMISSION
                               : VMDESK_ERROR_IO,
                           "Cannot write %s: %s. Only root may: use sudo.", file, error->message);
    *ret_added = true;
    return true;
}
