/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices that usbredir serves, among those that a machine has. */
#include <string.h>

#include "core/error.h"
#include "usb/host/hosts_internal.h"
#include "usb/redir/redir.h"

static void on_redir_ready(void *opaque, const GError *error)
{
    struct host_entry *entry = opaque;

    if (error == NULL)
        redir_device_ids(entry->device, &entry->host->vendor_id, &entry->host->product_id);
    hosts_on_ready(entry, error);
}

static void on_connected(int fd, const GError *error, void *opaque)
{
    struct host_entry *entry = opaque;

    entry->connecting = NULL;
    if (fd < 0) {
        hosts_entry_failed(entry, g_error_copy(error));
        return;
    }
    const struct redir_device_options options = {
        .context = entry->hosts->context,
        .id = entry->id,
        .address = entry->host->port,
        .fd = fd,
        .ready = on_redir_ready,
        .gone = hosts_on_gone,
        .opaque = entry,
    };
    entry->release = redir_device_release;
    entry->device = redir_device_new(&options);
}

bool hosts_redir_attach(struct usb_hosts *hosts, const char *address, const char *port,
                        usb_hosts_attached done, void *opaque, GError **err)
{
    struct host_entry *entry;

    if (hosts_find_port(hosts, address) != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                           "The USB device at %s is attached to this machine already.", address);
    if (hosts->entries->len >= USB_HOSTS_MAX)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The machine has %d USB devices: detach one first.", USB_HOSTS_MAX);
    entry = g_new0(struct host_entry, 1);
    entry->hosts = hosts;
    entry->connecting = redir_connect_new(hosts->context, address, on_connected, entry, err);
    if (entry->connecting == NULL) {
        g_free(entry);
        return false;
    }
    entry->remote = true;
    entry->host = g_new0(struct usb_host_device, 1);
    entry->host->port = g_strdup(address);
    entry->host->speed = "";
    entry->id = g_strdup_printf("redir-%u", ++hosts->remotes);
    entry->port = g_strdup(port);
    entry->done = done;
    entry->done_opaque = opaque;
    g_ptr_array_add(hosts->entries, entry);
    return true;
}
