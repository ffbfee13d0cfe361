/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/host/hosts.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/log.h"
#include "usb/host/device.h"
#include "usb/host/hosts_internal.h"
#include "usb/host/udev_rule.h"

/* A device that was detached is still ours until the host has it back. */
#define RETRY_USEC (20 * 1000)
#define RETRIES 1500

static void end_retry(struct host_entry *entry)
{
    if (entry->retry == NULL)
        return;
    g_source_destroy(entry->retry);
    g_clear_pointer(&entry->retry, g_source_unref);
}

static void entry_free(void *data)
{
    struct host_entry *entry = data;

    end_retry(entry);
    if (entry->opening != 0)
        usb_host_broker_cancel(entry->hosts->broker, entry->opening);
    if (entry->device != NULL && entry->device->port != NULL)
        usb_port_detach(entry->device->port);
    if (entry->device != NULL)
        entry->release(entry->device);
    if (entry->opened)
        usb_host_broker_forget(entry->hosts->broker, entry->host->bus, entry->host->address);
    if (entry->connecting != NULL)
        redir_connect_cancel(entry->connecting);
    usb_host_claim_release(entry->claim);
    usb_host_device_free(entry->host);
    g_free(entry->id);
    g_free(entry->port);
    g_free(entry);
}

struct host_entry *hosts_find_port(struct usb_hosts *hosts, const char *host_port)
{
    for (guint i = 0; i < hosts->entries->len; i++) {
        struct host_entry *entry = hosts->entries->pdata[i];

        if (strcmp(entry->host->port, host_port) == 0)
            return entry;
    }
    return NULL;
}

static void tell(struct usb_hosts *hosts, enum usb_hosts_event event,
                 const struct usb_host_device *host, const char *message)
{
    hosts->event(hosts->opaque, event, host->port, message);
}

/*
 * Attaching: the broker opens the node, libusb the device, and then it is plugged in.
 */

static void answer(struct host_entry *entry, const GError *error)
{
    usb_hosts_attached done = entry->done;

    entry->done = NULL;
    if (done != NULL)
        done(entry->done_opaque, error);
}

/* Takes error; the entry is gone after it. */
void hosts_entry_failed(struct host_entry *entry, GError *error)
{
    struct usb_hosts *hosts = entry->hosts;

    if (entry->by_rule)
        hosts_rules_failed(hosts, entry->host, error);
    else
        log_info("usb", "%s", error->message);
    answer(entry, error);
    g_ptr_array_remove_fast(hosts->entries, entry);
    g_error_free(error);
}

void hosts_on_ready(void *opaque, const GError *error)
{
    struct host_entry *entry = opaque;
    GError *failure = error != NULL ? g_error_copy(error) : NULL;

    if (failure == NULL)
        usb_ports_attach(entry->hosts->ports, entry->device, entry->port, &failure);
    if (failure != NULL) {
        hosts_entry_failed(entry, failure);
        return;
    }
    entry->attached = true;
    log_info("usb", "%04x:%04x at %s is attached at port %s", entry->host->vendor_id,
             entry->host->product_id, entry->host->port, entry->device->port->path);
    if (!entry->remote)
        hosts_rules_attached(entry->hosts, entry->host);
    answer(entry, NULL);
    tell(entry->hosts, USB_HOSTS_ATTACHED, entry->host, NULL);
}

void hosts_on_gone(void *opaque)
{
    struct host_entry *entry = opaque;
    struct usb_hosts *hosts = entry->hosts;

    log_info("usb", "the device at %s is gone", entry->host->port);
    tell(hosts, USB_HOSTS_DETACHED, entry->host, "It was unplugged.");
    g_ptr_array_remove_fast(hosts->entries, entry);
    /* It may be there again already. */
    hosts_rules_look(hosts);
}

static GError *permission_error(const struct usb_host_device *host)
{
    g_autofree char *rule =
        udev_rule_format(host->vendor_id, host->product_id, host->serial, g_get_user_name());

    return g_error_new(VMDESK_ERROR, VMDESK_ERROR_PERMISSION,
                       "You may not open the USB device %04x:%04x at %s. This udev rule in "
                       "%s lets you, once it is plugged in again (\"sudo vmdesk usb rule --udev "
                       "%s --write\" writes it):\n%s",
                       host->vendor_id, host->product_id, host->port, UDEV_RULES_FILE, host->port,
                       rule != NULL ? rule : "(your user name cannot be in a rule)");
}

static GError *open_error(const struct usb_host_device *host, int errnum)
{
    GError *error = NULL;

    if (errnum == EACCES || errnum == EPERM)
        return permission_error(host);
    if (errnum == ENOENT || errnum == ENODEV)
        vmdesk_fail(&error, VMDESK_ERROR_GONE,
                    "The USB device at %s was unplugged: plug it in again.", host->port);
    else
        vmdesk_error_from_errno(&error, errnum, "The engine's log may say more",
                                "Cannot open the USB device at %s", host->port);
    return error;
}

static void on_opened(int fd, int errnum, void *opaque)
{
    struct host_entry *entry = opaque;
    struct usb_hosts *hosts = entry->hosts;

    entry->opening = 0;
    entry->opened = fd >= 0;
    if (fd < 0) {
        hosts_entry_failed(entry, open_error(entry->host, errnum));
        return;
    }
    const struct host_device_options options = {
        .context = hosts->libusb,
        .main_context = hosts->context,
        .id = entry->id,
        .port = entry->host->port,
        .fd = fd,
        .speed = entry->host->speed_class,
        .claim = g_steal_pointer(&entry->claim),
        .ready = hosts_on_ready,
        .gone = hosts_on_gone,
        .opaque = entry,
    };
    entry->release = host_device_release;
    entry->device = host_device_new(&options);
}

static bool check_device(struct usb_hosts *hosts, const struct usb_host_device *host, GError **err)
{
    if (host->hub)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The USB device at %s is a hub: attach what is plugged into it.",
                           host->port);
    if (hosts_find_port(hosts, host->port) != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                           "The USB device at %s is attached to this machine already.", host->port);
    if (hosts->entries->len >= USB_HOSTS_MAX)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The machine has %d USB devices of the host: detach one first.",
                           USB_HOSTS_MAX);
    return true;
}

static void open_node(struct host_entry *entry)
{
    entry->opening = usb_host_broker_open(entry->hosts->broker, entry->host->bus,
                                          entry->host->address, on_opened, entry);
}

/* Or free by now. */
static bool is_ours(struct usb_hosts *hosts, const char *host_port)
{
    g_autofree char *machine = usb_host_claim_query(hosts->claims, host_port);

    return machine == NULL || strcmp(machine, hosts->machine) == 0;
}

static gboolean dispatch_retry(GSource *source, GSourceFunc callback, void *opaque)
{
    struct host_entry *entry = opaque;
    struct usb_hosts *hosts = entry->hosts;
    GError *error = NULL;

    entry->claim = usb_host_claim_acquire(hosts->claims, entry->host->port, hosts->machine, &error);
    if (entry->claim == NULL && entry->tries-- > 0) {
        g_error_free(error);
        g_source_set_ready_time(source, g_get_monotonic_time() + RETRY_USEC);
        return G_SOURCE_CONTINUE;
    }
    end_retry(entry);
    if (entry->claim != NULL)
        open_node(entry);
    else
        hosts_entry_failed(entry, error);
    return G_SOURCE_CONTINUE;
}

static void retry_claim(struct host_entry *entry)
{
    static GSourceFuncs funcs = {.dispatch = dispatch_retry};

    entry->tries = RETRIES;
    entry->retry = g_source_new(&funcs, sizeof(GSource));
    g_source_set_callback(entry->retry, NULL, entry, NULL);
    g_source_set_ready_time(entry->retry, g_get_monotonic_time() + RETRY_USEC);
    g_source_attach(entry->retry, entry->hosts->context);
}

bool hosts_begin(struct usb_hosts *hosts, struct usb_host_device *host, const char *port,
                 usb_hosts_attached done, void *opaque, bool by_rule, GError **err)
{
    struct host_entry *entry;
    struct usb_host_claim *claim = NULL;
    g_autoptr(GError) error = NULL;

    if (check_device(hosts, host, &error) &&
        (hosts->libusb != NULL || (hosts->libusb = usb_host_context_new(&error)) != NULL))
        claim = usb_host_claim_acquire(hosts->claims, host->port, hosts->machine, &error);
    if (claim == NULL &&
        !(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_BUSY) && is_ours(hosts, host->port))) {
        g_propagate_error(err, g_steal_pointer(&error));
        usb_host_device_free(host);
        return false;
    }
    entry = g_new0(struct host_entry, 1);
    entry->hosts = hosts;
    entry->host = host;
    entry->id = g_strconcat("usb-", host->port, NULL);
    entry->port = g_strdup(port);
    entry->claim = claim;
    entry->by_rule = by_rule;
    entry->done = done;
    entry->done_opaque = opaque;
    g_ptr_array_add(hosts->entries, entry);
    if (claim != NULL)
        open_node(entry);
    else
        retry_claim(entry);
    return true;
}

bool usb_hosts_attach(struct usb_hosts *hosts, const char *name, const char *port,
                      usb_hosts_attached attached, void *opaque, GError **err)
{
    const struct usb_host_paths paths = {.sysfs = hosts->sysfs};
    g_autoptr(GPtrArray) devices = NULL;
    struct usb_host_device *host;
    guint index;

    if (redir_is_address(name))
        return hosts_redir_attach(hosts, name, port, attached, opaque, err);
    devices = usb_host_list(&paths, err);
    host = devices != NULL ? usb_host_list_find(devices, name, err) : NULL;
    if (host == NULL)
        return false;
    g_ptr_array_find(devices, host, &index);
    g_ptr_array_steal_index(devices, index);
    return hosts_begin(hosts, host, port, attached, opaque, false, err);
}

void usb_hosts_forget(struct usb_hosts *hosts, void *opaque)
{
    for (guint i = 0; i < hosts->entries->len; i++) {
        struct host_entry *entry = hosts->entries->pdata[i];

        if (entry->done_opaque == opaque)
            entry->done = NULL;
    }
}

/*
 * Detaching.
 */

static struct host_entry *find_entry(struct usb_hosts *hosts, const char *name, GError **err)
{
    struct usb_match match = {NULL};
    struct host_entry *found = NULL;
    unsigned hits = 0;

    for (guint i = 0; i < hosts->entries->len; i++) {
        struct host_entry *entry = hosts->entries->pdata[i];

        if (strcmp(entry->id, name) == 0 || (entry->remote && strcmp(entry->host->port, name) == 0))
            return entry;
    }
    if (!usb_match_parse(name, &match, err))
        return NULL;
    for (guint i = 0; i < hosts->entries->len; i++) {
        struct host_entry *entry = hosts->entries->pdata[i];
        const struct usb_host_device *host = entry->host;

        if (usb_match_hits(&match, host->vendor_id, host->product_id, host->serial, host->port)) {
            found = entry;
            hits++;
        }
    }
    usb_match_finish(&match);
    if (hits == 0)
        vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND, "The machine has no USB device %s of the host.",
                    name);
    else if (hits > 1)
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The machine has %u USB devices %s: name one by its port.", hits, name);
    return hits == 1 ? found : NULL;
}

static void detach_entry(struct host_entry *entry)
{
    struct usb_hosts *hosts = entry->hosts;
    g_autoptr(GError) stopped = NULL;

    vmdesk_fail(&stopped, VMDESK_ERROR_BUSY, "The USB device at %s was detached meanwhile.",
                entry->host->port);
    answer(entry, stopped);
    log_info("usb", "the device at %s is detached", entry->host->port);
    if (!entry->remote)
        hosts_rules_dismiss(hosts, entry->host);
    tell(hosts, USB_HOSTS_DETACHED, entry->host, NULL);
    g_ptr_array_remove_fast(hosts->entries, entry);
}

bool usb_hosts_detach(struct usb_hosts *hosts, const char *name, GError **err)
{
    struct host_entry *entry = find_entry(hosts, name, err);

    if (entry == NULL)
        return false;
    detach_entry(entry);
    return true;
}

static bool is_behind(const struct usb_device *device, const struct usb_device *hub)
{
    const struct usb_port *port = device != NULL ? device->port : NULL;

    while (port != NULL && port->hub != NULL && port->hub != hub)
        port = port->hub->port;
    return port != NULL && port->hub == hub;
}

void usb_hosts_pull_behind(struct usb_hosts *hosts, const struct usb_device *hub)
{
    for (guint i = hosts->entries->len; i-- > 0;) {
        struct host_entry *entry = hosts->entries->pdata[i];

        if (is_behind(entry->device, hub))
            detach_entry(entry);
    }
}

void usb_hosts_foreach(struct usb_hosts *hosts,
                       void (*visit)(const struct usb_hosts_info *info, void *opaque), void *opaque)
{
    for (guint i = 0; i < hosts->entries->len; i++) {
        const struct host_entry *entry = hosts->entries->pdata[i];
        const struct usb_hosts_info info = {
            .id = entry->id,
            .host_port = entry->host->port,
            .port =
                entry->attached && entry->device->port != NULL ? entry->device->port->path : NULL,
            .vendor = entry->host->vendor_id,
            .product = entry->host->product_id,
            .vendor_text = entry->host->vendor,
            .product_text = entry->host->product,
            .serial = entry->host->serial,
            .speed = entry->host->speed,
        };

        visit(&info, opaque);
    }
}

/*
 * Its life.
 */

struct usb_hosts *usb_hosts_new(const struct usb_hosts_options *options, GError **err)
{
    GPtrArray *rules = usb_rules_parse(options->rules, err);
    struct usb_hosts *hosts;

    if (rules == NULL)
        return NULL;
    hosts = g_new0(struct usb_hosts, 1);
    hosts->context = options->context;
    hosts->ports = options->ports;
    hosts->machine = g_strdup(options->machine);
    hosts->claims = g_strdup(options->claims);
    hosts->sysfs = g_strdup(options->sysfs);
    hosts->event = options->event;
    hosts->opaque = options->opaque;
    hosts->broker = usb_host_broker_new(options->context, options->broker);
    hosts->entries = g_ptr_array_new_with_free_func(entry_free);
    hosts->rules = rules;
    hosts_rules_init(hosts);
    return hosts;
}

void usb_hosts_stop(struct usb_hosts *hosts)
{
    if (hosts == NULL || hosts->entries == NULL)
        return;
    hosts_rules_finish(hosts);
    g_clear_pointer(&hosts->entries, g_ptr_array_unref);
}

void usb_hosts_free(struct usb_hosts *hosts)
{
    if (hosts == NULL)
        return;
    usb_hosts_stop(hosts);
    usb_host_context_free(hosts->libusb);
    usb_host_broker_free(hosts->broker); /* it gives back what a sudden end would not */
    g_free(hosts->machine);
    g_free(hosts->claims);
    g_free(hosts->sysfs);
    g_free(hosts);
}
