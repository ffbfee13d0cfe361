/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/machine_usb.h"

#include <string.h>

#include "core/error.h"
#include "usb/emulated/keyboard.h"
#include "usb/emulated/tablet.h"

const char *machine_usb_speed_name(enum usb_speed speed)
{
    static const char *const names[] = {"low", "full", "high", "super", "super+"};

    return names[speed];
}

const char *usb_plugged_socket(const struct usb_plugged *plugged)
{
    return plugged->serial != NULL ? serial_backend_path(plugged->serial) : NULL;
}

static void plugged_free(gpointer data)
{
    struct usb_plugged *plugged = data;

    if (plugged->attached) {
        usb_port_detach(plugged->port);
        usb_device_reset(plugged->device); /* nobody reads it any more */
    }
    serial_backend_free(plugged->serial);
    usb_device_unref(plugged->device);
    g_free(plugged->id);
    g_free(plugged->driver);
    g_free(plugged);
}

void machine_usb_init(struct machine_usb *usb)
{
    usb->devices = g_ptr_array_new_with_free_func(plugged_free);
    if (usb->xhci == NULL)
        return;
    usb->tablet = usb_tablet_new(usb->context, "tablet");
    usb->keyboard = usb_keyboard_new(usb->context, "keyboard", NULL, NULL);
}

/* Devices behind a hub were added after it, and go before it. */
void machine_usb_finish(struct machine_usb *usb)
{
    while (usb->devices != NULL && usb->devices->len > 0)
        g_ptr_array_remove_index(usb->devices, usb->devices->len - 1);
    g_clear_pointer(&usb->devices, g_ptr_array_unref);
    g_clear_pointer(&usb->tablet, usb_device_unref);
    g_clear_pointer(&usb->keyboard, usb_device_unref);
}

static bool find_index(const struct machine_usb *usb, const char *id, guint *ret_index)
{
    for (guint i = 0; i < usb->devices->len; i++) {
        const struct usb_plugged *plugged = g_ptr_array_index(usb->devices, i);

        *ret_index = i;
        if (strcmp(plugged->id, id) == 0)
            return true;
    }
    return false;
}

const struct usb_plugged *machine_usb_find(const struct machine_usb *usb, const char *id)
{
    guint index;

    return find_index(usb, id, &index) ? g_ptr_array_index(usb->devices, index) : NULL;
}

static bool check_id(const struct machine_usb *usb, const char *id, GError **err)
{
    size_t length = strlen(id);

    if (length == 0 || length > MACHINE_USB_ID_MAX || !g_ascii_isalpha(id[0]))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "'%.*s' is no id: begin with a letter, and use at most %d.",
                           MACHINE_USB_ID_MAX, id, MACHINE_USB_ID_MAX);
    for (size_t i = 0; i < length; i++)
        if (!g_ascii_isalnum(id[i]) && strchr("-_.", id[i]) == NULL)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "An id has letters, digits, '-', '_' and '.' only.");
    if (machine_usb_find(usb, id) != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                           "There is a device '%s' already: choose another id.", id);
    return true;
}

/* "1.2" from the root port on. */
static struct usb_port *find_port(const struct machine_usb *usb, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, ".", USB_MAX_DEPTH + 1);
    struct usb_port *port = NULL;

    for (unsigned i = 0; parts[i] != NULL; i++) {
        struct usb_device *hub = port != NULL ? port->device : NULL;
        guint64 number;

        if (!g_ascii_string_to_unsigned(parts[i], 10, 1, USB_HUB_MAX_PORTS, &number, NULL))
            return NULL;
        if (i == 0)
            port = xhci_port(usb->xhci, number);
        else
            port = hub != NULL && hub->ops->port != NULL ? hub->ops->port(hub, number) : NULL;
        if (port == NULL)
            return NULL;
    }
    return port;
}

static struct usb_port *choose_port(const struct machine_usb *usb, const char *path, GError **err)
{
    struct usb_port *port;

    if (path != NULL) {
        port = find_port(usb, path);
        if (port == NULL)
            vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                        "There is no USB port '%s': the ports are 1 to %d, and those of hubs in "
                        "them, as in 1.2.",
                        path, XHCI_PORTS);
        return port;
    }
    for (unsigned i = 1; i <= XHCI_PORTS; i++) {
        port = xhci_port(usb->xhci, i);
        if (port->device == NULL)
            return port;
    }
    vmdesk_fail(err, VMDESK_ERROR_BUSY,
                "All USB ports are taken: remove a device, or add a hub in place of one.");
    return NULL;
}

bool machine_usb_add(struct machine_usb *usb, const struct machine_usb_options *options,
                     GError **err)
{
    struct usb_plugged *plugged;
    struct usb_port *port;

    if (usb->xhci == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                           "The machine has no USB: set usb.controller to yes while it is off.");
    if (usb->devices->len >= MACHINE_USB_MAX_DEVICES)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The machine has %d USB devices: remove one first.",
                           MACHINE_USB_MAX_DEVICES);
    if (!check_id(usb, options->id, err))
        return false;
    port = choose_port(usb, options->port, err);
    if (port == NULL)
        return false;
    plugged = g_new0(struct usb_plugged, 1);
    plugged->id = g_strdup(options->id);
    plugged->driver = g_strdup(options->driver);
    plugged->port = port;
    plugged->attached =
        machine_usb_make(usb, options, plugged, err) && usb_port_attach(port, plugged->device, err);
    if (!plugged->attached) {
        plugged_free(plugged);
        return false;
    }
    g_ptr_array_add(usb->devices, plugged);
    return true;
}

/* Whether a port belongs to the hub, or to one behind it. */
static bool is_behind(const struct usb_port *port, const struct usb_device *hub)
{
    for (; port != NULL && port->hub != NULL; port = port->hub->port)
        if (port->hub == hub)
            return true;
    return false;
}

bool machine_usb_remove(struct machine_usb *usb, const char *id, GError **err)
{
    const struct usb_plugged *plugged;
    guint index;

    if (!find_index(usb, id, &index))
        return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND, "There is no USB device '%s'.", id);
    plugged = g_ptr_array_index(usb->devices, index);
    for (guint i = usb->devices->len; i > index + 1; i--) {
        const struct usb_plugged *other = g_ptr_array_index(usb->devices, i - 1);

        if (is_behind(other->port, plugged->device))
            g_ptr_array_remove_index(usb->devices, i - 1);
    }
    g_ptr_array_remove_index(usb->devices, index);
    return true;
}
