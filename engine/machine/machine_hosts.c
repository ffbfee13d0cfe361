/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's USB devices in the machine's ports. */
#include "core/log.h"
#include "core/paths.h"
#include "engine/machine/machine_internal.h"
#include "usb/host/hosts.h"

static void on_event(void *opaque, enum usb_hosts_event event, const char *host_port,
                     const char *message)
{
    static const char *const names[] = {
        [USB_HOSTS_ATTACHED] = "USB_ATTACHED",
        [USB_HOSTS_DETACHED] = "USB_DETACHED",
        [USB_HOSTS_ASKED] = "USB_ASKED",
        [USB_HOSTS_FAILED] = "USB_FAILED",
    };
    struct machine *machine = opaque;

    if (machine->observer != NULL && machine->observer->usb != NULL)
        machine->observer->usb(machine->observer_opaque, names[event], host_port, message);
}

/* A machine runs without the broker too: whoever attaches a device hears of it. */
bool machine_hosts_init(struct machine *machine, const struct machine_options *options,
                        GError **err)
{
    g_autofree char *claims = g_path_get_dirname(options->runtime_folder);
    g_autoptr(GError) error = NULL;
    g_autofree char *broker = paths_usb_broker(&error);
    const struct usb_hosts_options hosts = {
        .context = options->context,
        .ports = machine->usb_ports,
        .machine = options->config->name,
        .claims = claims,
        .broker = broker,
        .rules = options->config->usb_rules,
        .event = on_event,
        .opaque = machine,
    };

    for (unsigned i = 1; machine->q35.xhci != NULL && i <= XHCI_PORTS; i++)
        usb_ports_add(machine->usb_ports, xhci_port(machine->q35.xhci, i));
    if (broker == NULL)
        log_warning("usb", "%s", error->message);
    machine->usb_hosts = usb_hosts_new(&hosts, err);
    return machine->usb_hosts != NULL;
}

struct usb_ports *machine_usb_ports(struct machine *machine)
{
    return machine->usb_ports;
}

struct usb_hosts *machine_usb_hosts(struct machine *machine)
{
    return machine->usb_hosts;
}
