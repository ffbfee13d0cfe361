/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as what a USB device of the host says of itself. */
#include <glib.h>

#include "tests/fuzz/fuzz.h"
#include "usb/host/device_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct usb_device_info *info = usb_device_info_parse(data, size);

    if (info == NULL)
        return 0;
    g_assert_cmpuint(info->configuration_count, <=, USB_MAX_CONFIGURATIONS);
    for (unsigned i = 0; i < info->configuration_count; i++) {
        const struct usb_configuration_info *configuration = &info->configurations[i];

        g_assert_nonnull(usb_device_info_find(info, configuration->value));
        g_assert_cmpuint(configuration->offset, <=, size);
        g_assert_cmpuint(configuration->size, <=, size - configuration->offset);
        g_assert_cmpuint(configuration->settings->len, <=, USB_MAX_SETTINGS);
        for (guint j = 0; j < configuration->settings->len; j++) {
            const struct usb_setting_info *setting =
                &g_array_index(configuration->settings, struct usb_setting_info, j);

            g_assert_cmpuint(setting->interface, <, USB_INFO_MAX_INTERFACES);
            g_assert_true(configuration->interfaces >> setting->interface & 1);
            g_assert_cmpuint(setting->endpoint_count, <=, USB_MAX_ENDPOINTS);
            for (unsigned k = 0; k < setting->endpoint_count; k++)
                g_assert_cmpuint(setting->endpoints[k].address & 0x0f, !=, 0);
            g_assert_true(usb_configuration_setting(configuration, setting->interface,
                                                    setting->alternate) == setting);
        }
    }
    usb_device_info_has_class(info, USB_CLASS_HID, USB_HID_BOOT, USB_HID_BOOT_MOUSE);
    usb_device_info_free(info);
    return 0;
}
