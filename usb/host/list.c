/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/host/list.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "core/usb_rules.h"
#include "usb/host/device_info.h"
#include "usb/host/claim.h"
#include "usb/host/mounts.h"

#define DEVICES "bus/usb/devices"
#define TEXT_MAX_BYTES 1024

struct listing {
    const char *sysfs, *claims;
    char *devices; /* the folder of devices and interfaces */
    GPtrArray *names;
    GHashTable *mounts;
};

void usb_host_device_free(struct usb_host_device *device)
{
    if (device == NULL)
        return;
    g_free(device->port);
    g_free(device->vendor);
    g_free(device->product);
    g_free(device->serial);
    g_free(device->driver);
    g_free(device->mounted);
    g_free(device->user);
    g_free(device);
}

/* NULL: not there, empty, or longer than any such text can be. */
static char *kernel_text(const struct listing *listing, const char *port, const char *attribute)
{
    g_autofree char *path = g_build_filename(listing->devices, port, attribute, NULL);
    char *text = NULL;
    gsize size;

    if (!g_file_get_contents(path, &text, &size, NULL))
        return NULL;
    g_strstrip(text);
    if (text[0] == '\0' || size > TEXT_MAX_BYTES)
        g_clear_pointer(&text, g_free);
    return text;
}

static bool kernel_number(const struct listing *listing, const char *port, const char *attribute,
                          unsigned base, unsigned max, unsigned *ret_number)
{
    g_autofree char *text = kernel_text(listing, port, attribute);
    guint64 number;

    if (text == NULL || !g_ascii_string_to_unsigned(text, base, 0, max, &number, NULL))
        return false;
    *ret_number = number;
    return true;
}

static void read_speed(const struct listing *listing, struct usb_host_device *host)
{
    static const struct {
        const char *kernel, *text;
        enum usb_speed speed;
    } speeds[] = {
        {"1.5", "1.5 Mbit/s", USB_SPEED_LOW},         {"12", "12 Mbit/s", USB_SPEED_FULL},
        {"480", "480 Mbit/s", USB_SPEED_HIGH},        {"5000", "5 Gbit/s", USB_SPEED_SUPER},
        {"10000", "10 Gbit/s", USB_SPEED_SUPER_PLUS}, {"20000", "20 Gbit/s", USB_SPEED_SUPER_PLUS},
    };
    g_autofree char *text = kernel_text(listing, host->port, "speed");

    host->speed = "";
    host->speed_class = USB_SPEED_FULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(speeds); i++) {
        if (g_strcmp0(text, speeds[i].kernel) == 0) {
            host->speed = speeds[i].text;
            host->speed_class = speeds[i].speed;
        }
    }
}

static void read_descriptors(const struct listing *listing, struct usb_host_device *host)
{
    g_autofree char *path = g_build_filename(listing->devices, host->port, "descriptors", NULL);
    g_autofree char *bytes = NULL;
    gsize size;
    struct usb_device_info *info;

    if (!g_file_get_contents(path, &bytes, &size, NULL))
        return;
    info = usb_device_info_parse((const uint8_t *)bytes, size);
    if (info == NULL)
        return;
    host->hub = info->device_class == USB_CLASS_HUB ||
                usb_device_info_has_class(info, USB_CLASS_HUB, -1, -1);
    host->keyboard =
        usb_device_info_has_class(info, USB_CLASS_HID, USB_HID_BOOT, USB_HID_BOOT_KEYBOARD);
    host->mouse = usb_device_info_has_class(info, USB_CLASS_HID, USB_HID_BOOT, USB_HID_BOOT_MOUSE);
    host->storage = usb_device_info_has_class(info, USB_CLASS_MASS_STORAGE, -1, -1);
    usb_device_info_free(info);
}

/* Each driver of an interface once, in the order of the interfaces. */
static char *read_drivers(const struct listing *listing, const char *port)
{
    g_autofree char *prefix = g_strconcat(port, ":", NULL);
    g_autoptr(GPtrArray) drivers = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < listing->names->len; i++) {
        const char *interface = listing->names->pdata[i];
        g_autofree char *path = NULL, *target = NULL;
        char *driver;

        if (!g_str_has_prefix(interface, prefix))
            continue;
        path = g_build_filename(listing->devices, interface, "driver", NULL);
        target = g_file_read_link(path, NULL);
        if (target == NULL)
            continue;
        driver = g_path_get_basename(target);
        if (g_ptr_array_find_with_equal_func(drivers, driver, g_str_equal, NULL))
            g_free(driver);
        else
            g_ptr_array_add(drivers, driver);
    }
    if (drivers->len == 0)
        return NULL;
    g_ptr_array_add(drivers, NULL);
    return g_strjoinv(",", (char **)drivers->pdata);
}

/* NULL: it went away meanwhile. */
static struct usb_host_device *describe(const struct listing *listing, const char *port)
{
    struct usb_host_device *host = g_new0(struct usb_host_device, 1);
    unsigned bus, address, vendor, product;

    host->port = g_strdup(port);
    if (!kernel_number(listing, port, "busnum", 10, UINT8_MAX, &bus) ||
        !kernel_number(listing, port, "devnum", 10, UINT8_MAX, &address) ||
        !kernel_number(listing, port, "idVendor", 16, UINT16_MAX, &vendor) ||
        !kernel_number(listing, port, "idProduct", 16, UINT16_MAX, &product)) {
        usb_host_device_free(host);
        return NULL;
    }
    host->bus = bus;
    host->address = address;
    host->vendor_id = vendor;
    host->product_id = product;
    host->vendor = kernel_text(listing, port, "manufacturer");
    host->product = kernel_text(listing, port, "product");
    host->serial = kernel_text(listing, port, "serial");
    read_speed(listing, host);
    read_descriptors(listing, host);
    host->driver = read_drivers(listing, port);
    if (host->storage) {
        g_autofree char *path = g_build_filename(listing->devices, port, NULL);

        host->mounted = host_mounts_of(listing->sysfs, path, listing->mounts);
    }
    if (listing->claims != NULL)
        host->user = usb_host_claim_query(listing->claims, port);
    return host;
}

/* By bus and ports as numbers, so that 1-10 comes after 1-9; root hubs ("usb1") before theirs. */
static int compare_ports(const char *a, const char *b)
{
    a += g_str_has_prefix(a, "usb") ? 3 : 0;
    b += g_str_has_prefix(b, "usb") ? 3 : 0;
    while (*a != '\0' && *b != '\0') {
        char *a_end, *b_end;
        unsigned long x = strtoul(a, &a_end, 10), y = strtoul(b, &b_end, 10);

        if (x != y)
            return x < y ? -1 : 1;
        a = *a_end != '\0' ? a_end + 1 : a_end;
        b = *b_end != '\0' ? b_end + 1 : b_end;
    }
    return (*a != '\0') - (*b != '\0');
}

static int compare_devices(gconstpointer a, gconstpointer b)
{
    const struct usb_host_device *x = *(struct usb_host_device *const *)a;
    const struct usb_host_device *y = *(struct usb_host_device *const *)b;

    return compare_ports(x->port, y->port);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "1-4" and "usb1" are devices, "1-4:1.0" is an interface. */
static bool is_device(const char *name)
{
    return strchr(name, ':') == NULL && (g_ascii_isdigit(name[0]) || g_str_has_prefix(name, "usb"));
}

static bool read_names(struct listing *listing, GError **err)
{
    GDir *folder = g_dir_open(listing->devices, 0, NULL);
    const char *name;

    if (folder == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_MISSING,
                           "This computer has no USB that can be used: the kernel shows none in "
                           "%s, as in a container",
                           listing->devices);
    while ((name = g_dir_read_name(folder)) != NULL)
        g_ptr_array_add(listing->names, g_strdup(name));
    g_dir_close(folder);
    g_ptr_array_sort(listing->names, compare_names);
    return true;
}

GPtrArray *usb_host_list(const struct usb_host_paths *paths, GError **err)
{
    const char *sysfs = paths->sysfs != NULL ? paths->sysfs : "/sys";
    struct listing listing = {
        .sysfs = sysfs,
        .claims = paths->claims,
        .devices = g_build_filename(sysfs, DEVICES, NULL),
        .names = g_ptr_array_new_with_free_func(g_free),
    };
    GPtrArray *devices = NULL;

    if (read_names(&listing, err)) {
        devices = g_ptr_array_new_with_free_func((GDestroyNotify)usb_host_device_free);
        listing.mounts = host_mounts_read(paths->mountinfo);
        for (guint i = 0; i < listing.names->len && devices->len < USB_HOST_MAX_DEVICES; i++) {
            const char *name = listing.names->pdata[i];
            struct usb_host_device *host = is_device(name) ? describe(&listing, name) : NULL;

            if (host != NULL)
                g_ptr_array_add(devices, host);
        }
        g_hash_table_unref(listing.mounts);
        g_ptr_array_sort(devices, compare_devices);
    }
    g_ptr_array_unref(listing.names);
    g_free(listing.devices);
    return devices;
}

struct usb_host_device *usb_host_list_find(const GPtrArray *devices, const char *text, GError **err)
{
    struct usb_host_device *found = NULL;
    g_autoptr(GString) ports = g_string_new(NULL);
    struct usb_match match;
    unsigned hits = 0;

    if (!usb_match_parse(text, &match, err))
        return NULL;
    for (guint i = 0; i < devices->len; i++) {
        struct usb_host_device *host = devices->pdata[i];

        if (!usb_match_hits(&match, host->vendor_id, host->product_id, host->serial, host->port))
            continue;
        found = host;
        g_string_append_printf(ports, "%s%s", hits++ > 0 ? ", " : "", host->port);
    }
    usb_match_finish(&match);
    if (hits == 1)
        return found;
    if (hits == 0)
        vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                    "No USB device %s is plugged in: \"vmdesk usb list\" shows those that are",
                    text);
    else
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "There are %u USB devices %s: name one by its port, which is %s", hits, text,
                    ports->str);
    return NULL;
}
