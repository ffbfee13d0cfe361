/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/machine_usb.h"

#include <string.h>

#include "core/config.h"
#include "core/error.h"
#include "disks/image.h"
#include "usb/storage.h"
#include "usb/tablet.h"

/*
 * The kinds of devices.
 */

static struct usb_device *make_tablet(struct machine_usb *usb,
                                      const struct machine_usb_options *options, GError **err)
{
    if (usb->tablet->port == NULL)
        return usb_device_ref(usb->tablet);
    vmdesk_fail(err, VMDESK_ERROR_BUSY, "The machine has its tablet: there is only one pointer.");
    return NULL;
}

static struct usb_device *make_storage(struct machine_usb *usb,
                                       const struct machine_usb_options *options,
                                       enum usb_storage_transports transports, GError **err)
{
    const struct image_options image_options = {.format = "raw", .read_only = options->read_only};
    const struct usb_storage_options storage = {.transports = transports, .removable = true};
    g_autofree char *path = machine_config_resolve(usb->folder, options->file);
    struct image *image;

    if (path == NULL) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The device '%s' needs the file of its disk: give one.", options->id);
        return NULL;
    }
    image = image_open(path, &image_options, usb->io, err);
    return image != NULL ? usb_storage_new(usb->context, options->id, image, &storage, err) : NULL;
}

static struct usb_device *make_bulk_only(struct machine_usb *usb,
                                         const struct machine_usb_options *options, GError **err)
{
    return make_storage(usb, options, USB_STORAGE_BULK_ONLY, err);
}

static struct usb_device *make_uas(struct machine_usb *usb,
                                   const struct machine_usb_options *options, GError **err)
{
    return make_storage(usb, options, USB_STORAGE_BOTH, err);
}

static const struct {
    const char *name;
    bool takes_file;
    struct usb_device *(*make)(struct machine_usb *usb, const struct machine_usb_options *options,
                               GError **err);
} drivers[] = {
    {"usb-tablet", false, make_tablet},
    {"usb-storage", true, make_bulk_only},
    {"usb-uas", true, make_uas},
};

const char *machine_usb_driver(size_t index)
{
    return index < G_N_ELEMENTS(drivers) ? drivers[index].name : NULL;
}

const char *machine_usb_speed_name(enum usb_speed speed)
{
    static const char *const names[] = {"low", "full", "high", "super", "super+"};

    return names[speed];
}

/*
 * The list.
 */

static void plugged_free(gpointer data)
{
    struct usb_plugged *plugged = data;

    usb_port_detach(plugged->port);
    usb_device_reset(plugged->device); /* nobody reads it any more */
    usb_device_unref(plugged->device);
    g_free(plugged->id);
    g_free(plugged->driver);
    g_free(plugged);
}

void machine_usb_init(struct machine_usb *usb)
{
    usb->devices = g_ptr_array_new_with_free_func(plugged_free);
    if (usb->xhci != NULL)
        usb->tablet = usb_tablet_new(usb->context, "tablet");
}

/* Devices behind a hub were added after it, and go before it. */
void machine_usb_finish(struct machine_usb *usb)
{
    while (usb->devices != NULL && usb->devices->len > 0)
        g_ptr_array_remove_index(usb->devices, usb->devices->len - 1);
    g_clear_pointer(&usb->devices, g_ptr_array_unref);
    g_clear_pointer(&usb->tablet, usb_device_unref);
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

static struct usb_device *make(struct machine_usb *usb, const struct machine_usb_options *options,
                               GError **err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
        if (strcmp(drivers[i].name, options->driver) != 0)
            continue;
        if (options->file != NULL && !drivers[i].takes_file) {
            vmdesk_fail(err, VMDESK_ERROR_INVALID, "A %s has no file: leave it out.",
                        options->driver);
            return NULL;
        }
        return drivers[i].make(usb, options, err);
    }
    vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND, "There is no driver '%s': use usb-storage, for one.",
                options->driver);
    return NULL;
}

bool machine_usb_add(struct machine_usb *usb, const struct machine_usb_options *options,
                     GError **err)
{
    struct usb_plugged *plugged;
    struct usb_device *device;
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
    device = port != NULL ? make(usb, options, err) : NULL;
    if (device == NULL)
        return false;
    if (!usb_port_attach(port, device, err)) {
        usb_device_unref(device);
        return false;
    }
    plugged = g_new(struct usb_plugged, 1);
    *plugged = (struct usb_plugged){.id = g_strdup(options->id),
                                    .driver = g_strdup(options->driver),
                                    .device = device,
                                    .port = port};
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
