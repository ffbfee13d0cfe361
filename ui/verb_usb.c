/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "ui/output.h"
#include "ui/verbs.h"
#include "usb/host_list.h"

static json_t *device_json(const struct usb_host_device *device)
{
    return json_pack("{s:i, s:i, s:o, s:i, s:i, s:o, s:o, s:o, s:s, s:b}", "bus", device->bus,
                     "address", device->address, "port", output_string(device->port), "vendor-id",
                     device->vendor_id, "product-id", device->product_id, "vendor",
                     output_string(device->vendor), "product", output_string(device->product),
                     "serial", output_string(device->serial), "speed", device->speed, "hub",
                     device->hub);
}

static void print_device(const struct usb_host_device *device)
{
    printf("%-8s %04x:%04x %-10s ", device->port, device->vendor_id, device->product_id,
           device->speed);
    output_text(device->vendor != NULL ? device->vendor : "");
    output_text(device->vendor != NULL && device->product != NULL ? " " : "");
    output_text(device->product != NULL ? device->product : "");
    puts(device->hub ? " (hub)" : "");
}

bool verb_usb(const struct verb_call *call, GError **err)
{
    g_autoptr(GPtrArray) devices = NULL;

    if (strcmp(call->arguments[0], "list") != 0)
        return verb_misused(err, "Use it as \"vmdesk usb list\"");
    devices = usb_host_list(&(struct usb_host_paths){NULL}, err);
    if (devices == NULL)
        return false;
    if (verb_has(call, "json")) {
        json_t *array = json_array();

        for (unsigned i = 0; i < devices->len; i++)
            json_array_append_new(array, device_json(devices->pdata[i]));
        output_json(array);
        return true;
    }
    for (unsigned i = 0; i < devices->len; i++)
        print_device(devices->pdata[i]);
    if (devices->len == 0)
        fputs("No USB device is here: not even a host controller, as in a container.\n", stderr);
    return true;
}
