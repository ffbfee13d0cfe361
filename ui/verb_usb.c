/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/paths.h"
#include "core/usb_rules.h"
#include "ui/output.h"
#include "ui/remote.h"
#include "ui/verbs.h"
#include "usb/host/list.h"

/* The host's drivers may take long to let a disk go. */
#define ATTACH_TIMEOUT_MS 30000

static json_t *device_json(const struct usb_host_device *device)
{
    return json_pack(
        "{s:i, s:i, s:o, s:i, s:i, s:o, s:o, s:o, s:s, s:b, s:b, s:b, s:b, s:o, s:o, s:o}", "bus",
        device->bus, "address", device->address, "port", output_string(device->port), "vendor-id",
        device->vendor_id, "product-id", device->product_id, "vendor",
        output_string(device->vendor), "product", output_string(device->product), "serial",
        output_string(device->serial), "speed", device->speed, "hub", device->hub, "keyboard",
        device->keyboard, "mouse", device->mouse, "storage", device->storage, "driver",
        output_string(device->driver), "mounted", output_string(device->mounted), "machine",
        output_string(device->user));
}

static void print_device(const struct usb_host_device *device)
{
    printf("%-8s %04x:%04x %-10s ", device->port, device->vendor_id, device->product_id,
           device->speed);
    output_text(device->vendor != NULL ? device->vendor : "");
    output_text(device->vendor != NULL && device->product != NULL ? " " : "");
    output_text(device->product != NULL ? device->product : "");
    if (device->serial != NULL) {
        fputs(" #", stdout);
        output_text(device->serial);
    }
    if (device->hub)
        fputs(" (hub)", stdout);
    if (device->user != NULL) {
        fputs("; machine ", stdout);
        output_text(device->user);
    } else if (device->mounted != NULL) {
        fputs("; mounted at ", stdout);
        output_text(device->mounted);
    } else if (device->driver != NULL && !device->hub) {
        fputs("; ", stdout);
        output_text(device->driver);
    }
    putchar('\n');
}

static GPtrArray *list_devices(GError **err)
{
    g_autofree char *claims = paths_shared_runtime();

    return usb_host_list(&(struct usb_host_paths){.claims = claims}, err);
}

bool verb_usb_list(const struct verb_call *call, GError **err)
{
    g_autoptr(GPtrArray) devices = list_devices(err);

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

/* What this computer would lose that its user may need. */
static bool check_device(const char *name, GError **err)
{
    g_autoptr(GPtrArray) devices = list_devices(err);
    const struct usb_host_device *device =
        devices != NULL ? usb_host_list_find(devices, name, err) : NULL;

    if (device == NULL)
        return false;
    if (device->mounted != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The disk at %s is mounted at %s: unmount it first. With --yes it is "
                           "taken all the same, and may lose data",
                           device->port, device->mounted);
    if (device->keyboard || device->mouse)
        return vmdesk_fail(
            err, VMDESK_ERROR_BUSY,
            "The device at %s is a %s of this computer, which loses it: say --yes if "
            "you have another",
            device->port, device->keyboard ? "keyboard" : "mouse");
    return true;
}

static bool is_elsewhere(const char *name)
{
    static const char *const kinds[] = {"tcp:", "unix:", "tcp-listen:", "unix-listen:"};

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (g_str_has_prefix(name, kinds[i]))
            return true;
    }
    return false;
}

static bool call_engine(const struct verb_call *call, const char *command, json_t *arguments,
                        GError **err)
{
    struct client *client = remote_connect(call->store, call->arguments[0], err);
    json_t *result = NULL;

    if (client != NULL)
        result = client_call(client, command, arguments, ATTACH_TIMEOUT_MS, err);
    else
        json_decref(arguments);
    client_free(client);
    json_decref(result);
    return result != NULL;
}

bool verb_usb_attach(const struct verb_call *call, GError **err)
{
    const char *name = call->arguments[1], *port = verb_value(call, "port");
    struct store_machine *machine = store_load(call->store, call->arguments[0], err);

    if (machine == NULL)
        return false;
    store_machine_free(machine);
    if (!verb_has(call, "yes") && !is_elsewhere(name) && !check_device(name, err))
        return false;
    return call_engine(call, "usb-attach", json_pack("{s:s, s:s*}", "device", name, "port", port),
                       err);
}

bool verb_usb_detach(const struct verb_call *call, GError **err)
{
    return call_engine(call, "usb-detach", json_pack("{s:s}", "device", call->arguments[1]), err);
}
