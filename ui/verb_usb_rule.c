/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "vmdesk usb rule": a machine's rules for USB devices, and udev's. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/usb_rules.h"
#include "ui/output.h"
#include "ui/remote.h"
#include "ui/verbs.h"
#include "usb/host/list.h"
#include "usb/host/udev_rule.h"

static void print_rules(const struct verb_call *call, const GPtrArray *rules)
{
    json_t *array = json_array();

    for (guint i = 0; i < rules->len; i++) {
        const struct usb_rule *rule = rules->pdata[i];
        g_autofree char *match = usb_match_format(&rule->match);

        if (!verb_has(call, "json"))
            printf("%s %s\n", match, usb_policy_name(rule->policy));
        json_array_append_new(array, json_pack("{s:s, s:s}", "device", match, "policy",
                                               usb_policy_name(rule->policy)));
    }
    if (verb_has(call, "json"))
        output_json(array);
    else
        json_decref(array);
}

/* Changes rules as the command line says. */
static bool change(const struct verb_call *call, GPtrArray *rules, GError **err)
{
    const char *policy_text = call->arguments[2];
    enum usb_policy policy = USB_POLICY_ALWAYS;
    struct usb_match match;
    bool done;

    if (verb_has(call, "remove") == (policy_text != NULL))
        return verb_misused(err, "Give a policy, once, always or ask, or --remove");
    if ((policy_text != NULL && !usb_policy_parse(policy_text, &policy, err)) ||
        !usb_match_parse(call->arguments[1], &match, err))
        return false;
    if (policy_text != NULL)
        done = usb_rules_set(rules, &match, policy, err);
    else
        done = usb_rules_remove(rules, &match) ||
               vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                           "%s has no rule for %s: \"vmdesk usb rule %s\" shows its rules",
                           call->arguments[0], call->arguments[1], call->arguments[0]);
    usb_match_finish(&match);
    return done;
}

/* In its definition, and in the machine that runs. */
static bool keep(const struct verb_call *call, struct store_machine *machine,
                 const GPtrArray *rules, GError **err)
{
    g_autofree char *text = usb_rules_format(rules);
    json_t *result;

    if (!machine_config_set(machine->config, "usb.rules", text, err) ||
        !store_save(call->store, machine, err))
        return false;
    if (!machine->running)
        return true;
    result = remote_call(call->store, machine->name, "usb-rules", json_pack("{s:s}", "rules", text),
                         err);
    json_decref(result);
    return result != NULL;
}

static bool machine_rules(const struct verb_call *call, GError **err)
{
    struct store_machine *machine = store_load_valid(call->store, call->arguments[0], err);
    g_autoptr(GPtrArray) rules =
        machine != NULL ? usb_rules_parse(machine->config->usb_rules, err) : NULL;
    bool done = rules != NULL;

    if (done && call->arguments[1] == NULL)
        print_rules(call, rules);
    else if (done)
        done = change(call, rules, err) && keep(call, machine, rules, err);
    store_machine_free(machine);
    return done;
}

/*
 * udev.
 */

/* Root writes rules for somebody. */
static const char *rule_user(const struct verb_call *call)
{
    const char *user = verb_value(call, "user");

    if (user == NULL && geteuid() == 0)
        user = g_getenv("SUDO_USER");
    return user != NULL ? user : g_get_user_name();
}

static char *make_rule(const struct verb_call *call, GError **err)
{
    const char *name = verb_value(call, "udev"), *user = rule_user(call);
    g_autoptr(GPtrArray) devices = NULL;
    const struct usb_host_device *device;
    struct usb_match match;
    char *rule;

    if (!usb_match_parse(name, &match, err))
        return NULL;
    if (match.port == NULL) { /* it need not be here */
        rule = udev_rule_format(match.vendor, match.product, match.serial, user);
    } else {
        devices = usb_host_list(&(struct usb_host_paths){NULL}, err);
        device = devices != NULL ? usb_host_list_find(devices, name, err) : NULL;
        rule = device != NULL
                   ? udev_rule_format(device->vendor_id, device->product_id, device->serial, user)
                   : NULL;
        if (device == NULL)
            user = NULL;
    }
    usb_match_finish(&match);
    if (rule == NULL && user != NULL)
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The name \"%s\" cannot be in a udev rule: name another by --user", user);
    return rule;
}

static bool udev(const struct verb_call *call, GError **err)
{
    g_autofree char *rule = make_rule(call, err);
    bool added;

    if (rule == NULL)
        return false;
    puts(rule);
    if (!verb_has(call, "write"))
        return true;
    if (!udev_rule_add(UDEV_RULES_FILE, rule, &added, err))
        return false;
    fprintf(stderr,
            added ? "It is in %s now: plug the device in again.\n" : "It is in %s already.\n",
            UDEV_RULES_FILE);
    return true;
}

bool verb_usb_rule(const struct verb_call *call, GError **err)
{
    if (verb_has(call, "udev") && call->arguments[0] == NULL)
        return udev(call, err);
    if (verb_has(call, "udev") || verb_has(call, "write") || call->arguments[0] == NULL)
        return verb_misused(err, "Use it as \"vmdesk usb rule NAME DEVICE once|always|ask\", or as "
                                 "\"vmdesk usb rule --udev DEVICE\"");
    return machine_rules(call, err);
}
