/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of USB devices that a machine can have. */
#include <string.h>

#include "core/config.h"
#include "core/error.h"
#include "core/paths.h"
#include "disks/image.h"
#include "engine/machine/machine_usb.h"
#include "usb/emulated/hub.h"
#include "usb/emulated/serial.h"
#include "usb/emulated/storage.h"

/* There is one of it, which input is sent to. */
static bool take_only(struct usb_plugged *plugged, struct usb_device *device, GError **err)
{
    if (device->port != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The machine has its %s: there is only one that input is sent to.",
                           device->ops->name);
    plugged->device = usb_device_ref(device);
    return true;
}

static bool make_tablet(struct machine_usb *usb, const struct machine_usb_options *options,
                        struct usb_plugged *plugged, GError **err)
{
    return take_only(plugged, usb->tablet, err);
}

static bool make_keyboard(struct machine_usb *usb, const struct machine_usb_options *options,
                          struct usb_plugged *plugged, GError **err)
{
    return take_only(plugged, usb->keyboard, err);
}

static bool make_hub(struct machine_usb *usb, const struct machine_usb_options *options,
                     struct usb_plugged *plugged, GError **err)
{
    plugged->device = usb_hub_new(usb->context, options->id, plugged->port->path, false);
    return true;
}

static bool make_super_hub(struct machine_usb *usb, const struct machine_usb_options *options,
                           struct usb_plugged *plugged, GError **err)
{
    plugged->device = usb_hub_new(usb->context, options->id, plugged->port->path, true);
    return true;
}

static bool make_disk(struct machine_usb *usb, const struct machine_usb_options *options,
                      enum usb_storage_transports transports, struct usb_plugged *plugged,
                      GError **err)
{
    const struct image_options image_options = {.format = options->format != NULL ? options->format
                                                                                  : "raw",
                                                .read_only = options->read_only};
    const struct usb_storage_options storage = {.transports = transports, .removable = true};
    g_autofree char *path = machine_config_resolve(usb->folder, options->file);
    struct image *image;

    if (path == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The device '%s' needs the file of its disk: give one.", options->id);
    image = image_open(path, &image_options, usb->io, err);
    if (image != NULL)
        plugged->device = usb_storage_new(usb->context, options->id, image, &storage, err);
    return plugged->device != NULL;
}

static bool make_storage(struct machine_usb *usb, const struct machine_usb_options *options,
                         struct usb_plugged *plugged, GError **err)
{
    return make_disk(usb, options, USB_STORAGE_BULK_ONLY, plugged, err);
}

static bool make_uas(struct machine_usb *usb, const struct machine_usb_options *options,
                     struct usb_plugged *plugged, GError **err)
{
    return make_disk(usb, options, USB_STORAGE_BOTH, plugged, err);
}

/* A serial adapter, and the socket at its other end. */

static size_t on_output(void *opaque, const uint8_t *bytes, size_t size)
{
    const struct usb_plugged *plugged = opaque;

    serial_backend_output(plugged->serial, bytes, size);
    return size;
}

static void on_room(void *opaque)
{
    const struct usb_plugged *plugged = opaque;

    serial_backend_resume_input(plugged->serial);
}

static size_t input_room(void *opaque)
{
    const struct usb_plugged *plugged = opaque;

    return usb_serial_room(plugged->device);
}

static void on_input(void *opaque, const uint8_t *bytes, size_t size)
{
    const struct usb_plugged *plugged = opaque;

    usb_serial_input(plugged->device, bytes, size);
}

static bool make_serial(struct machine_usb *usb, const struct machine_usb_options *options,
                        struct usb_plugged *plugged, GError **err)
{
    static const struct usb_serial_ops serial_ops = {.output = on_output, .room = on_room};
    static const struct serial_backend_input input_ops = {input_room, on_input};
    g_autofree char *name = g_strdup_printf("usb-%s.sock", options->id);
    g_autofree char *path = paths_socket(usb->runtime_folder, name, err);

    plugged->serial = path != NULL ? serial_backend_new(usb->context, path, NULL, err) : NULL;
    if (plugged->serial == NULL)
        return false;
    plugged->device = usb_serial_new(usb->context, options->id, &serial_ops, plugged);
    serial_backend_set_input(plugged->serial, &input_ops, plugged);
    return true;
}

/* The names are QEMU's where it has the device. */
static const struct {
    const char *name;
    bool takes_file;
    bool (*make)(struct machine_usb *usb, const struct machine_usb_options *options,
                 struct usb_plugged *plugged, GError **err);
} kinds[] = {
    {"usb-storage", true, make_storage}, {"usb-uas", true, make_uas},
    {"usb-serial", false, make_serial},  {"usb-kbd", false, make_keyboard},
    {"usb-tablet", false, make_tablet},  {"usb-hub", false, make_hub},
    {"usb-hub3", false, make_super_hub},
};

bool machine_usb_make(struct machine_usb *usb, const struct machine_usb_options *options,
                      struct usb_plugged *plugged, GError **err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i].name, options->driver) != 0)
            continue;
        if (options->file != NULL && !kinds[i].takes_file)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID, "A %s has no file: leave it out.",
                               options->driver);
        return kinds[i].make(usb, options, plugged, err);
    }
    return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                       "There is no driver '%s': use usb-storage, for one.", options->driver);
}
