/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a machine.conf: what is accepted must survive being written and read again. */
#include <glib.h>
#include <string.h>

#include "core/config.h"
#include "core/error.h"
#include "tests/fuzz/fuzz.h"

static struct machine_config *parse(const char *text, size_t size, GError **err)
{
    return machine_config_parse("fuzz", text, size, "machine.conf", err);
}

/* The text reads back as what it was made from. */
static void check_text(const struct machine_config *config, char *text)
{
    struct machine_config *again = parse(text, strlen(text), NULL);
    g_autofree char *fresh = machine_config_format(config, NULL);
    g_autofree char *fresh_again = NULL;

    g_assert_nonnull(again);
    fresh_again = machine_config_format(again, NULL);
    g_assert_cmpstr(fresh, ==, fresh_again);
    machine_config_free(again);
    g_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GError) err = NULL;
    struct machine_config *config = parse((const char *)data, size, &err);
    struct machine_config *other;

    if (config == NULL) {
        g_assert_nonnull(err);
        g_assert_true(g_utf8_validate(err->message, -1, NULL));
        return 0;
    }
    check_text(config, machine_config_format(config, NULL));
    check_text(config, machine_config_format(config, text));
    /* Another machine written over this one's text. */
    other = machine_config_new("fuzz");
    machine_config_set(other, "machine.cpus", "7", NULL);
    machine_config_set(other, "disk2.file", "other.raw", NULL);
    machine_config_set(other, "machine.description", "other", NULL);
    check_text(other, machine_config_format(other, text));
    machine_config_free(other);
    machine_config_free(config);
    return 0;
}
