/* SPDX-License-Identifier: GPL-2.0-or-later */
/* USB devices of the host. */
#include "core/error.h"
#include "engine/control/control_internal.h"
#include "usb/host/hosts.h"

static struct usb_hosts *hosts_of(struct control_request *request)
{
    return machine_usb_hosts(request->server->machine);
}

static void set_text(json_t *object, const char *key, const char *text)
{
    g_autofree char *valid = text != NULL ? g_utf8_make_valid(text, -1) : NULL;

    if (valid != NULL)
        json_object_set_new(object, key, json_string(valid));
}

static void describe_device(const struct usb_hosts_info *info, void *opaque)
{
    json_t *device = json_pack("{s:s,s:s,s:s*,s:i,s:i,s:s}", "device", info->id, "host-port",
                               info->host_port, "port", info->port, "vendor-id", info->vendor,
                               "product-id", info->product, "speed", info->speed);

    set_text(device, "vendor", info->vendor_text);
    set_text(device, "product", info->product_text);
    set_text(device, "serial", info->serial);
    json_array_append_new(opaque, device);
}

static void query_usb_hosts(struct control_request *request, const json_t *arguments)
{
    g_autofree char *rules = usb_hosts_rules(hosts_of(request));
    json_t *devices = json_array();

    usb_hosts_foreach(hosts_of(request), describe_device, devices);
    control_return(request, json_pack("{s:o,s:s}", "devices", devices, "rules", rules));
}

static void on_attached(void *opaque, const GError *error)
{
    if (error != NULL)
        control_fail(opaque, g_error_copy(error));
    else
        control_return(opaque, NULL);
}

static void cancel_attach(struct control_request *request)
{
    usb_hosts_forget(hosts_of(request), request);
}

static void attach(struct control_request *request, const json_t *arguments)
{
    const char *device = json_string_value(json_object_get(arguments, "device"));
    const char *port = json_string_value(json_object_get(arguments, "port"));
    GError *error = NULL;

    request->cancel = cancel_attach;
    if (!usb_hosts_attach(hosts_of(request), device, port, on_attached, request, &error))
        control_fail(request, error);
}

static void end(struct control_request *request, bool done, GError *error)
{
    if (done)
        control_return(request, NULL);
    else
        control_fail(request, error);
}

static void detach(struct control_request *request, const json_t *arguments)
{
    const char *device = json_string_value(json_object_get(arguments, "device"));
    GError *error = NULL;
    bool done = usb_hosts_detach(hosts_of(request), device, &error);

    end(request, done, error);
}

static void set_rules(struct control_request *request, const json_t *arguments)
{
    const char *rules = json_string_value(json_object_get(arguments, "rules"));
    GError *error = NULL;
    bool done = usb_hosts_set_rules(hosts_of(request), rules, &error);

    end(request, done, error);
}

const struct control_handler control_usb_host_handlers[] = {
    {"query-usb-hosts", query_usb_hosts},
    {"usb-attach", attach},
    {"usb-detach", detach},
    {"usb-rules", set_rules},
    {NULL},
};
