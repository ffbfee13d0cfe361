/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What waits for the device: opening it, its configuration, its reset, giving it back. */
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "usb/host/internal.h"

/* USB 2.0, 9.4: bmRequestType and bRequest of what the host must know too. */
#define TO_DEVICE 0x00
#define TO_INTERFACE 0x01
#define TO_ENDPOINT 0x02
#define FROM_DEVICE 0x80
#define CLEAR_FEATURE 1
#define GET_DESCRIPTOR 6
#define SET_CONFIGURATION 9
#define SET_INTERFACE 11
#define FEATURE_ENDPOINT_HALT 0

enum usb_status host_status_from_libusb(int code)
{
    switch (code) {
    case 0:
        return USB_OK;
    case LIBUSB_ERROR_NO_DEVICE:
        return USB_NO_DEVICE;
    case LIBUSB_ERROR_PIPE:
    case LIBUSB_ERROR_NOT_FOUND: /* the device has no such thing */
        return USB_STALL;
    default:
        return USB_ERROR;
    }
}

/* Notes a call's result where it tells that the device has gone. */
static enum usb_status note(struct host_device *host, int code, const char *what)
{
    enum usb_status status = host_status_from_libusb(code);

    if (code != 0)
        log_debug("usb", "%s: cannot %s: %s", host->port, what, libusb_strerror(code));
    if (status == USB_NO_DEVICE) {
        g_mutex_lock(&host->lock);
        host_device_set_gone(host);
        g_mutex_unlock(&host->lock);
    }
    return status;
}

/* Which kind of transfer each endpoint has, with the settings as they are. */
static void set_transfers(struct host_device *host)
{
    const struct usb_configuration_info *configuration =
        usb_device_info_find(host->info, host->configuration);

    g_mutex_lock(&host->lock);
    memset(host->transfers, HOST_NO_TRANSFER, sizeof(host->transfers));
    for (unsigned i = 0; configuration != NULL && i < USB_INFO_MAX_INTERFACES; i++) {
        const struct usb_setting_info *setting =
            usb_configuration_setting(configuration, i, host->alternate[i]);

        for (unsigned j = 0; setting != NULL && j < setting->endpoint_count; j++) {
            const struct usb_endpoint_info *endpoint = &setting->endpoints[j];

            host->transfers[endpoint->address >> 7][endpoint->address & 0x0f] = endpoint->transfer;
        }
    }
    g_mutex_unlock(&host->lock);
}

/* Takes an interface from its kernel driver, if it has one, and makes it ours. */
static int claim(struct host_device *host, unsigned interface)
{
    int code;

    if (libusb_kernel_driver_active(host->handle, interface) == 1) {
        code = libusb_detach_kernel_driver(host->handle, interface);
        if (code != 0 && code != LIBUSB_ERROR_NOT_FOUND)
            return code;
        host->taken |= UINT32_C(1) << interface;
    }
    code = libusb_claim_interface(host->handle, interface);
    if (code == 0)
        host->claimed |= UINT32_C(1) << interface;
    return code;
}

/* All interfaces of the configuration; the first failure ends it. */
static int claim_all(struct host_device *host)
{
    const struct usb_configuration_info *configuration =
        usb_device_info_find(host->info, host->configuration);
    int code = 0;

    for (unsigned i = 0; configuration != NULL && code == 0 && i < USB_INFO_MAX_INTERFACES; i++) {
        if (configuration->interfaces >> i & 1)
            code = claim(host, i);
    }
    return code;
}

static void release_all(struct host_device *host)
{
    for (unsigned i = 0; i < USB_INFO_MAX_INTERFACES; i++) {
        if (host->claimed >> i & 1)
            libusb_release_interface(host->handle, i);
    }
    host->claimed = 0;
}

static bool read_info(struct host_device *host)
{
    uint8_t *bytes = host->descriptors = g_malloc(USB_INFO_MAX_BYTES);
    size_t size = 0;
    ssize_t n;

    /* usbfs gives the descriptors that the kernel has read. */
    while (size < USB_INFO_MAX_BYTES &&
           (n = pread(host->fd, bytes + size, USB_INFO_MAX_BYTES - size, size)) > 0)
        size += n;
    host->descriptors = g_realloc(bytes, MAX(size, 1));
    host->info = usb_device_info_parse(host->descriptors, size);
    return host->info != NULL;
}

static void give_back(struct host_device *host)
{
    for (unsigned i = 0; i < USB_INFO_MAX_INTERFACES; i++) {
        if (host->taken >> i & 1)
            libusb_attach_kernel_driver(host->handle, i);
    }
    host->taken = 0;
}

bool host_setup_open(struct host_device *host, GError **err)
{
    int code =
        libusb_wrap_sys_device(usb_host_context_libusb(host->context), host->fd, &host->handle);

    if (code != 0) {
        host->handle = NULL;
        return vmdesk_fail(err,
                           code == LIBUSB_ERROR_NO_DEVICE ? VMDESK_ERROR_GONE : VMDESK_ERROR_IO,
                           "The USB device at %s cannot be opened: %s. Plug it in again.",
                           host->port, libusb_strerror(code));
    }
    if (!read_info(host))
        return vmdesk_fail(err, VMDESK_ERROR_IO,
                           "The USB device at %s does not describe itself as USB devices do: it "
                           "may be broken.",
                           host->port);
    if (libusb_get_configuration(host->handle, &host->first_configuration) != 0)
        host->first_configuration = 0;
    host->configuration = host->first_configuration;
    code = claim_all(host);
    if (code != 0) {
        release_all(host);
        give_back(host);
        return vmdesk_fail(err,
                           code == LIBUSB_ERROR_BUSY        ? VMDESK_ERROR_BUSY
                           : code == LIBUSB_ERROR_NO_DEVICE ? VMDESK_ERROR_GONE
                                                            : VMDESK_ERROR_IO,
                           code == LIBUSB_ERROR_BUSY
                               ? "Another program uses the USB device at %s (%s): close it first."
                               : "The USB device at %s cannot be taken: %s. Plug it in again.",
                           host->port, libusb_strerror(code));
    }
    set_transfers(host);
    return true;
}

void host_setup_close(struct host_device *host)
{
    bool ours, untouched;

    if (host->handle == NULL)
        return;
    g_mutex_lock(&host->lock);
    ours = host->open && !host->gone;
    untouched = host->untouched;
    g_mutex_unlock(&host->lock);
    release_all(host);
    if (ours) {
        /* The host's drivers expect a device as it comes out of a reset, not as a guest left it. */
        if (!untouched)
            note(host, libusb_reset_device(host->handle), "reset it");
        if (host->first_configuration != host->configuration)
            libusb_set_configuration(host->handle, host->first_configuration != 0
                                                       ? host->first_configuration
                                                       : -1);
        give_back(host);
    }
    libusb_close(host->handle);
}

/* Longer than libusb can fetch it; the kernel has read it. */
static bool is_long_configuration(const struct usb_setup *setup)
{
    return setup->request_type == FROM_DEVICE && setup->request == GET_DESCRIPTOR &&
           setup->value >> 8 == USB_DT_CONFIGURATION && setup->length > HOST_CONTROL_MAX;
}

bool host_setup_intercepts(const struct usb_request *request)
{
    const struct usb_setup *setup = &request->setup;

    return request->endpoint == 0 &&
           (is_long_configuration(setup) ||
            (setup->request_type == TO_DEVICE && setup->request == SET_CONFIGURATION) ||
            (setup->request_type == TO_INTERFACE && setup->request == SET_INTERFACE) ||
            (setup->request_type == TO_ENDPOINT && setup->request == CLEAR_FEATURE &&
             setup->value == FEATURE_ENDPOINT_HALT));
}

/* The kernel refuses while any interface is in use, and gives new ones to its drivers. */
static enum usb_status set_configuration(struct host_device *host, uint8_t value)
{
    enum usb_status status;

    if (value != 0 && usb_device_info_find(host->info, value) == NULL)
        return USB_STALL;
    release_all(host);
    status = note(host, libusb_set_configuration(host->handle, value != 0 ? value : -1),
                  "set its configuration");
    if (status == USB_OK) {
        host->configuration = value;
        memset(host->alternate, 0, sizeof(host->alternate));
    }
    if (status != USB_NO_DEVICE)
        note(host, claim_all(host), "take its interfaces");
    set_transfers(host);
    return status;
}

static enum usb_status set_interface(struct host_device *host, uint8_t interface, uint8_t alternate)
{
    const struct usb_configuration_info *configuration =
        usb_device_info_find(host->info, host->configuration);
    enum usb_status status;

    if (configuration == NULL ||
        usb_configuration_setting(configuration, interface, alternate) == NULL)
        return USB_STALL;
    status = note(host, libusb_set_interface_alt_setting(host->handle, interface, alternate),
                  "set an interface");
    if (status == USB_OK)
        host->alternate[interface] = alternate;
    set_transfers(host);
    return status;
}

static enum usb_status get_configuration(struct host_device *host, struct usb_request *request,
                                         uint32_t *ret_actual)
{
    unsigned index = request->setup.value & 0xff;
    const struct usb_configuration_info *configuration;

    if (index >= host->info->configuration_count)
        return USB_STALL;
    configuration = &host->info->configurations[index];
    *ret_actual = usb_request_copy_in(request, 0, host->descriptors + configuration->offset,
                                      MIN(configuration->size, request->length));
    return USB_OK;
}

enum usb_status host_setup_run(struct host_device *host, struct usb_request *request,
                               uint32_t *ret_actual)
{
    const struct usb_setup *setup = &request->setup;

    switch (setup->request) {
    case GET_DESCRIPTOR:
        return get_configuration(host, request, ret_actual);
    case SET_CONFIGURATION:
        return set_configuration(host, setup->value);
    case SET_INTERFACE:
        return set_interface(host, setup->index, setup->value);
    default:
        return note(host, libusb_clear_halt(host->handle, setup->index & 0x8f), "clear a halt");
    }
}

void host_setup_reset(struct host_device *host)
{
    int code = libusb_reset_device(host->handle);

    /* NOT_FOUND: it has come back as another device, which is plugged in anew. */
    note(host, code == LIBUSB_ERROR_NOT_FOUND ? LIBUSB_ERROR_NO_DEVICE : code, "reset it");
}

void host_setup_streams(struct host_device *host, uint8_t endpoint, unsigned count)
{
    int code = count > 0 ? libusb_alloc_streams(host->handle, count, &endpoint, 1)
                         : libusb_free_streams(host->handle, &endpoint, 1);

    note(host, MIN(code, 0), "set up its streams");
}
