/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names come from the kernel, which has read them when the device was plugged in: opening a device
 * to ask it needs permission and may wake it up.
 */
#include "usb/host_list.h"

#include <libusb.h>
#include <string.h>

#include "core/error.h"

#define SYSFS_DEVICES "/sys/bus/usb/devices"
#define MAX_DEPTH 7 /* USB 3.2, 10.1: tiers of hubs */

void usb_host_device_free(struct usb_host_device *device)
{
    if (device == NULL)
        return;
    g_free(device->port);
    g_free(device->vendor);
    g_free(device->product);
    g_free(device->serial);
    g_free(device);
}

static const char *speed_text(int speed)
{
    switch (speed) {
    case LIBUSB_SPEED_LOW:
        return "1.5 Mbit/s";
    case LIBUSB_SPEED_FULL:
        return "12 Mbit/s";
    case LIBUSB_SPEED_HIGH:
        return "480 Mbit/s";
    case LIBUSB_SPEED_SUPER:
        return "5 Gbit/s";
    case LIBUSB_SPEED_SUPER_PLUS:
        return "10 Gbit/s";
    default:
        return "";
    }
}

static char *port_path(libusb_device *device, uint8_t bus)
{
    uint8_t ports[MAX_DEPTH];
    int depth = libusb_get_port_numbers(device, ports, MAX_DEPTH);
    GString *path = g_string_new(NULL);

    g_string_printf(path, depth > 0 ? "%u-" : "usb%u", bus);
    for (int i = 0; i < depth; i++)
        g_string_append_printf(path, "%s%u", i > 0 ? "." : "", ports[i]);
    return g_string_free(path, FALSE);
}

static char *kernel_text(const char *port, const char *attribute)
{
    g_autofree char *path = g_build_filename(SYSFS_DEVICES, port, attribute, NULL);
    char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return NULL;
    g_strstrip(text);
    if (text[0] == '\0')
        g_clear_pointer(&text, g_free);
    return text;
}

static struct usb_host_device *describe(libusb_device *device)
{
    struct libusb_device_descriptor descriptor;
    struct usb_host_device *host;

    if (libusb_get_device_descriptor(device, &descriptor) != 0)
        return NULL;
    host = g_new0(struct usb_host_device, 1);
    host->bus = libusb_get_bus_number(device);
    host->address = libusb_get_device_address(device);
    host->port = port_path(device, host->bus);
    host->vendor_id = descriptor.idVendor;
    host->product_id = descriptor.idProduct;
    host->vendor = kernel_text(host->port, "manufacturer");
    host->product = kernel_text(host->port, "product");
    host->serial = kernel_text(host->port, "serial");
    host->speed = speed_text(libusb_get_device_speed(device));
    host->hub = descriptor.bDeviceClass == LIBUSB_CLASS_HUB;
    return host;
}

static int compare_devices(gconstpointer a, gconstpointer b)
{
    const struct usb_host_device *x = *(struct usb_host_device *const *)a;
    const struct usb_host_device *y = *(struct usb_host_device *const *)b;

    return strcmp(x->port, y->port);
}

static bool usb_fail(GError **err, int code)
{
    if (code == LIBUSB_ERROR_OTHER || code == LIBUSB_ERROR_NOT_SUPPORTED ||
        code == LIBUSB_ERROR_NO_DEVICE || code == LIBUSB_ERROR_NOT_FOUND)
        return vmdesk_fail(err, VMDESK_ERROR_MISSING,
                           "This computer has no USB that can be used: there is no /dev/bus/usb, "
                           "as in a container");
    return vmdesk_fail(err, VMDESK_ERROR_IO, "Cannot list the USB devices: %s",
                       libusb_strerror(code));
}

GPtrArray *usb_host_list(GError **err)
{
    g_autoptr(GPtrArray) devices =
        g_ptr_array_new_with_free_func((GDestroyNotify)usb_host_device_free);
    libusb_context *context;
    libusb_device **list;
    ssize_t count;
    int code = libusb_init(&context);

    if (code != 0) {
        usb_fail(err, code);
        return NULL;
    }
    count = libusb_get_device_list(context, &list);
    for (ssize_t i = 0; i < count; i++) {
        struct usb_host_device *host = describe(list[i]);

        if (host != NULL)
            g_ptr_array_add(devices, host);
    }
    if (count >= 0)
        libusb_free_device_list(list, 1);
    libusb_exit(context);
    if (count < 0) {
        usb_fail(err, count);
        return NULL;
    }
    g_ptr_array_sort(devices, compare_devices);
    return g_steal_pointer(&devices);
}
