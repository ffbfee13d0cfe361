/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which USB devices of the host a machine is to have. A rule remembers a device by what it is or by
 * where it is plugged in, never by an address that changes with each plugging:
 *
 *   0951:1666           by vendor and product
 *   0951:1666:AB%20CD   and by serial number
 *   1-4.2               by port path, as Linux names it
 *
 * The text of a machine's rules (usb.rules of machine.conf) is "MATCH POLICY, MATCH POLICY, ...".
 * In a serial number every byte but letters, digits, '-', '.' and '_' is written as %XX.
 *
 * No state, any thread.
 */
#ifndef CORE_USB_RULES_H
#define CORE_USB_RULES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define USB_MAX_RULES 32
#define USB_SERIAL_MAX 126 /* characters of a string descriptor: USB 2.0, 9.6.7 */

enum usb_policy {
    USB_POLICY_ONCE,   /* the first time it is there while the machine runs */
    USB_POLICY_ALWAYS, /* whenever it is there */
    USB_POLICY_ASK,    /* tell the user, who decides */
};
const char *usb_policy_name(enum usb_policy policy);
bool usb_policy_parse(const char *text, enum usb_policy *ret_policy, GError **err);

struct usb_match {
    char *port; /* NULL: by vendor and product */
    uint16_t vendor, product;
    char *serial; /* NULL: any */
};
/* On failure *ret_match is unchanged; on success it takes usb_match_finish(). */
bool usb_match_parse(const char *text, struct usb_match *ret_match, GError **err);
void usb_match_finish(struct usb_match *match);
char *usb_match_format(const struct usb_match *match); /* caller frees */
/* serial and port may be NULL: the device has none, or it is not known. */
bool usb_match_hits(const struct usb_match *match, uint16_t vendor, uint16_t product,
                    const char *serial, const char *port);

struct usb_rule {
    struct usb_match match;
    enum usb_policy policy;
};

/* struct usb_rule *, freed with the array. text NULL: none. NULL and *err: malformed. */
GPtrArray *usb_rules_parse(const char *text, GError **err);
char *usb_rules_format(const GPtrArray *rules); /* caller frees; "" without rules */
/* The rule for a device: one by port wins, then one by serial number. NULL: none. */
const struct usb_rule *usb_rules_find(const GPtrArray *rules, uint16_t vendor, uint16_t product,
                                      const char *serial, const char *port);
/* Adds a rule, or changes the policy of the one with that match. match is copied. */
bool usb_rules_set(GPtrArray *rules, const struct usb_match *match, enum usb_policy policy,
                   GError **err);
/* False: there is none with that match. */
bool usb_rules_remove(GPtrArray *rules, const struct usb_match *match);

#endif
