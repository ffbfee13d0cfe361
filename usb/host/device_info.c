/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/host/device_info.h"

#include <string.h>

#define DEVICE_BYTES 18
#define CONFIGURATION_BYTES 9
#define INTERFACE_BYTES 9
#define ENDPOINT_BYTES 7
#define COMPANION_BYTES 6
#define MAX_STREAMS_EXPONENT 16 /* USB 3.2, 9.6.7 */

static uint16_t get_16(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

static void take_endpoint(struct usb_setting_info *setting, const uint8_t *p)
{
    struct usb_endpoint_info *endpoint;

    /* Number 0 is every device's control endpoint and has no descriptor. */
    if ((p[2] & 0x0f) == 0 || setting->endpoint_count == USB_MAX_ENDPOINTS)
        return;
    endpoint = &setting->endpoints[setting->endpoint_count++];
    *endpoint = (struct usb_endpoint_info){
        .address = p[2] & 0x8f,
        .transfer = p[3] & 3,
        .max_packet_size = get_16(p + 4),
    };
}

static void take_companion(struct usb_setting_info *setting, const uint8_t *p)
{
    struct usb_endpoint_info *endpoint;
    unsigned exponent = p[3] & 0x1f;

    if (setting->endpoint_count == 0)
        return;
    endpoint = &setting->endpoints[setting->endpoint_count - 1];
    if (endpoint->transfer == USB_BULK && exponent > 0 && exponent <= MAX_STREAMS_EXPONENT)
        endpoint->max_streams = MIN(1u << exponent, 65533u);
}

/* NULL: there are too many, or the number cannot be; what belongs to it is passed over. */
static struct usb_setting_info *add_setting(struct usb_configuration_info *configuration,
                                            const uint8_t *p)
{
    const struct usb_setting_info setting = {
        .interface = p[2],
        .alternate = p[3],
        .interface_class = p[5],
        .subclass = p[6],
        .protocol = p[7],
    };

    if (setting.interface >= USB_INFO_MAX_INTERFACES ||
        configuration->settings->len == USB_MAX_SETTINGS ||
        usb_configuration_setting(configuration, setting.interface, setting.alternate) != NULL)
        return NULL;
    configuration->interfaces |= UINT32_C(1) << setting.interface;
    g_array_append_val(configuration->settings, setting);
    return &g_array_index(configuration->settings, struct usb_setting_info,
                          configuration->settings->len - 1);
}

/* What lies between a configuration descriptor and the end of its wTotalLength. */
static void parse_configuration(struct usb_configuration_info *configuration, const uint8_t *p,
                                size_t size)
{
    struct usb_setting_info *setting = NULL;

    while (size >= 2 && p[0] >= 2 && p[0] <= size) {
        if (p[1] == USB_DT_INTERFACE && p[0] >= INTERFACE_BYTES)
            setting = add_setting(configuration, p);
        else if (p[1] == USB_DT_INTERFACE)
            setting = NULL;
        else if (p[1] == USB_DT_ENDPOINT && p[0] >= ENDPOINT_BYTES && setting != NULL)
            take_endpoint(setting, p);
        else if (p[1] == USB_DT_COMPANION && p[0] >= COMPANION_BYTES && setting != NULL)
            take_companion(setting, p);
        size -= p[0];
        p += p[0];
    }
}

struct usb_device_info *usb_device_info_parse(const uint8_t *bytes, size_t size)
{
    struct usb_device_info *info;

    const uint8_t *start = bytes;

    size = MIN(size, USB_INFO_MAX_BYTES);
    if (size < DEVICE_BYTES || bytes[0] < DEVICE_BYTES || bytes[0] > size ||
        bytes[1] != USB_DT_DEVICE)
        return NULL;
    info = g_new0(struct usb_device_info, 1);
    info->device_class = bytes[4];
    info->subclass = bytes[5];
    info->protocol = bytes[6];
    info->vendor_id = get_16(bytes + 8);
    info->product_id = get_16(bytes + 10);
    info->version = get_16(bytes + 12);
    size -= bytes[0];
    bytes += bytes[0];
    while (size >= CONFIGURATION_BYTES && bytes[0] >= CONFIGURATION_BYTES &&
           bytes[1] == USB_DT_CONFIGURATION && info->configuration_count < USB_MAX_CONFIGURATIONS) {
        struct usb_configuration_info *configuration =
            &info->configurations[info->configuration_count++];
        size_t total = get_16(bytes + 2);

        /* A total that is less than the descriptor itself would never end the loop. */
        total = CLAMP(total, CONFIGURATION_BYTES, size);
        configuration->value = bytes[5];
        configuration->offset = bytes - start;
        configuration->size = total;
        configuration->settings = g_array_new(FALSE, FALSE, sizeof(struct usb_setting_info));
        parse_configuration(configuration, bytes, total);
        size -= total;
        bytes += total;
    }
    return info;
}

void usb_device_info_free(struct usb_device_info *info)
{
    if (info == NULL)
        return;
    for (unsigned i = 0; i < info->configuration_count; i++)
        g_array_free(info->configurations[i].settings, TRUE);
    g_free(info);
}

const struct usb_configuration_info *usb_device_info_find(const struct usb_device_info *info,
                                                          uint8_t value)
{
    for (unsigned i = 0; i < info->configuration_count; i++) {
        if (info->configurations[i].value == value)
            return &info->configurations[i];
    }
    return NULL;
}

const struct usb_setting_info *
usb_configuration_setting(const struct usb_configuration_info *configuration, uint8_t interface,
                          uint8_t alternate)
{
    for (guint i = 0; i < configuration->settings->len; i++) {
        const struct usb_setting_info *setting =
            &g_array_index(configuration->settings, struct usb_setting_info, i);

        if (setting->interface == interface && setting->alternate == alternate)
            return setting;
    }
    return NULL;
}

bool usb_device_info_has_class(const struct usb_device_info *info, uint8_t interface_class,
                               int subclass, int protocol)
{
    for (unsigned i = 0; i < info->configuration_count; i++) {
        const GArray *settings = info->configurations[i].settings;

        for (guint j = 0; j < settings->len; j++) {
            const struct usb_setting_info *setting =
                &g_array_index(settings, struct usb_setting_info, j);

            if (setting->interface_class == interface_class &&
                (subclass < 0 || setting->subclass == subclass) &&
                (protocol < 0 || setting->protocol == protocol))
                return true;
        }
    }
    return false;
}
