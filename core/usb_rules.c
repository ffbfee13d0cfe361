/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/usb_rules.h"

#include <string.h>

#include "core/error.h"
#include "core/text.h"

#define HEX "0123456789abcdefABCDEF"
#define PLAIN_IN_SERIAL "-._"
#define PORT_MAX_BYTES 31

static const char *const policy_names[] = {
    [USB_POLICY_ONCE] = "once",
    [USB_POLICY_ALWAYS] = "always",
    [USB_POLICY_ASK] = "ask",
};

const char *usb_policy_name(enum usb_policy policy)
{
    return policy_names[policy];
}

bool usb_policy_parse(const char *text, enum usb_policy *ret_policy, GError **err)
{
    g_autofree char *shown = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(policy_names); i++) {
        if (strcmp(text, policy_names[i]) == 0) {
            *ret_policy = i;
            return true;
        }
    }
    shown = text_sanitize(text, -1, false);
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "\"%s\" is no policy for USB devices: use once, always or ask", shown);
}

/* "1-4.2": a bus, and ports from its root hub on. */
static bool is_port_path(const char *text)
{
    const char *p = text;
    size_t digits = strspn(p, "0123456789");

    if (digits == 0 || p[digits] != '-' || strlen(text) > PORT_MAX_BYTES)
        return false;
    p += digits + 1;
    for (;;) {
        digits = strspn(p, "0123456789");
        if (digits == 0)
            return false;
        p += digits;
        if (*p == '\0')
            return true;
        if (*p++ != '.')
            return false;
    }
}

static bool parse_id(const char *text, size_t size, uint16_t *ret_id)
{
    if (size != 4 || strspn(text, HEX) < 4)
        return false;
    *ret_id = 0;
    for (unsigned i = 0; i < 4; i++)
        *ret_id = *ret_id << 4 | g_ascii_xdigit_value(text[i]);
    return true;
}

static char *decode_serial(const char *text)
{
    GString *serial = g_string_new(NULL);

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '%' && g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2])) {
            g_string_append_c(serial, g_ascii_xdigit_value(p[1]) << 4 | g_ascii_xdigit_value(p[2]));
            p += 2;
        } else if (g_ascii_isalnum(*p) || strchr(PLAIN_IN_SERIAL, *p) != NULL) {
            g_string_append_c(serial, *p);
        } else {
            g_string_free(serial, TRUE);
            return NULL;
        }
    }
    /* A NUL in it, or nothing at all. */
    if (serial->len == 0 || strlen(serial->str) != serial->len ||
        serial->len > USB_SERIAL_MAX * 3) {
        g_string_free(serial, TRUE);
        return NULL;
    }
    return g_string_free(serial, FALSE);
}

bool usb_match_parse(const char *text, struct usb_match *ret_match, GError **err)
{
    struct usb_match match = {NULL};
    const char *colon = strchr(text, ':');
    const char *end = colon != NULL ? strchr(colon + 1, ':') : NULL;
    g_autofree char *shown = NULL;

    if (is_port_path(text)) {
        *ret_match = (struct usb_match){.port = g_strdup(text)};
        return true;
    }
    if (end != NULL)
        match.serial = decode_serial(end + 1);
    if (colon != NULL && parse_id(text, colon - text, &match.vendor) &&
        parse_id(colon + 1, end != NULL ? (size_t)(end - colon - 1) : strlen(colon + 1),
                 &match.product) &&
        (end == NULL || match.serial != NULL)) {
        *ret_match = match;
        return true;
    }
    g_free(match.serial);
    shown = text_sanitize(text, -1, false);
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "\"%s\" names no USB device: write vendor:product, vendor:product:serial or "
                       "a port, as \"vmdesk usb list\" shows them",
                       shown);
}

void usb_match_finish(struct usb_match *match)
{
    g_free(match->port);
    g_free(match->serial);
}

char *usb_match_format(const struct usb_match *match)
{
    GString *text;

    if (match->port != NULL)
        return g_strdup(match->port);
    text = g_string_new(NULL);
    g_string_printf(text, "%04x:%04x", match->vendor, match->product);
    if (match->serial != NULL)
        g_string_append_c(text, ':');
    for (const char *p = match->serial; p != NULL && *p != '\0'; p++) {
        if (g_ascii_isalnum(*p) || strchr(PLAIN_IN_SERIAL, *p) != NULL)
            g_string_append_c(text, *p);
        else
            g_string_append_printf(text, "%%%02X", (uint8_t)*p);
    }
    return g_string_free(text, FALSE);
}

bool usb_match_hits(const struct usb_match *match, uint16_t vendor, uint16_t product,
                    const char *serial, const char *port)
{
    if (match->port != NULL)
        return g_strcmp0(match->port, port) == 0;
    return match->vendor == vendor && match->product == product &&
           (match->serial == NULL || g_strcmp0(match->serial, serial) == 0);
}

static void rule_free(void *data)
{
    struct usb_rule *rule = data;

    usb_match_finish(&rule->match);
    g_free(rule);
}

static bool same_match(const struct usb_match *a, const struct usb_match *b)
{
    return g_strcmp0(a->port, b->port) == 0 && a->vendor == b->vendor && a->product == b->product &&
           g_strcmp0(a->serial, b->serial) == 0;
}

static struct usb_rule *find_same(const GPtrArray *rules, const struct usb_match *match,
                                  guint *ret_index)
{
    for (guint i = 0; i < rules->len; i++) {
        struct usb_rule *rule = rules->pdata[i];

        if (same_match(&rule->match, match)) {
            *ret_index = i;
            return rule;
        }
    }
    return NULL;
}

bool usb_rules_set(GPtrArray *rules, const struct usb_match *match, enum usb_policy policy,
                   GError **err)
{
    guint index;
    struct usb_rule *rule = find_same(rules, match, &index);

    if (rule == NULL && rules->len >= USB_MAX_RULES)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "There are %d rules for USB devices already: remove one first",
                           USB_MAX_RULES);
    if (rule == NULL) {
        rule = g_new0(struct usb_rule, 1);
        rule->match = *match;
        rule->match.port = g_strdup(match->port);
        rule->match.serial = g_strdup(match->serial);
        g_ptr_array_add(rules, rule);
    }
    rule->policy = policy;
    return true;
}

bool usb_rules_remove(GPtrArray *rules, const struct usb_match *match)
{
    guint index;

    if (find_same(rules, match, &index) == NULL)
        return false;
    g_ptr_array_remove_index(rules, index);
    return true;
}

static bool parse_rule(GPtrArray *rules, char *text, GError **err)
{
    char *match_text = g_strstrip(text), *policy_text = match_text + strcspn(match_text, " \t");
    enum usb_policy policy;
    struct usb_match match;
    bool done;

    if (*policy_text == '\0')
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "the rule \"%s\" has no policy: write once, always or ask after it",
                           match_text);
    *policy_text++ = '\0';
    if (!usb_policy_parse(g_strstrip(policy_text), &policy, err) ||
        !usb_match_parse(match_text, &match, err))
        return false;
    done = usb_rules_set(rules, &match, policy, err);
    usb_match_finish(&match);
    return done;
}

GPtrArray *usb_rules_parse(const char *text, GError **err)
{
    g_autoptr(GPtrArray) rules = g_ptr_array_new_with_free_func(rule_free);
    g_auto(GStrv) parts = g_strsplit(text != NULL ? text : "", ",", USB_MAX_RULES + 2);

    for (char **part = parts; *part != NULL; part++) {
        if (!parse_rule(rules, *part, err))
            return NULL;
    }
    return g_steal_pointer(&rules);
}

char *usb_rules_format(const GPtrArray *rules)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < rules->len; i++) {
        const struct usb_rule *rule = rules->pdata[i];
        g_autofree char *match = usb_match_format(&rule->match);

        g_string_append_printf(text, "%s%s %s", i > 0 ? ", " : "", match,
                               usb_policy_name(rule->policy));
    }
    return g_string_free(text, FALSE);
}

static int weight(const struct usb_rule *rule)
{
    return rule->match.port != NULL ? 2 : rule->match.serial != NULL ? 1 : 0;
}

const struct usb_rule *usb_rules_find(const GPtrArray *rules, uint16_t vendor, uint16_t product,
                                      const char *serial, const char *port)
{
    const struct usb_rule *best = NULL;

    for (guint i = 0; i < rules->len; i++) {
        const struct usb_rule *rule = rules->pdata[i];

        if (usb_match_hits(&rule->match, vendor, product, serial, port) &&
            (best == NULL || weight(rule) > weight(best)))
            best = rule;
    }
    return best;
}
