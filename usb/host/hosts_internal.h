/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts share: devices that the machine has (hosts.c), rules (hosts_rules.c). */
#ifndef USB_HOST_HOSTS_INTERNAL_H
#define USB_HOST_HOSTS_INTERNAL_H

#include "usb/host/broker.h"
#include "usb/host/claim.h"
#include "usb/host/context.h"
#include "usb/host/list.h"
#include "usb/host/watch.h"
#include "usb/host/hosts.h"
#include "usb/redir/connect.h"

struct usb_hosts {
    GMainContext *context;
    struct usb_ports *ports;
    char *machine, *claims, *sysfs;
    void (*event)(void *opaque, enum usb_hosts_event event, const char *host_port,
                  const char *message);
    void *opaque;

    struct usb_host_context *libusb; /* NULL until it is needed */
    struct usb_host_broker *broker;
    GPtrArray *entries; /* struct host_entry */

    GPtrArray *rules; /* struct usb_rule */
    struct usb_host_watch *watch;
    GSource *scan;         /* looks at what is there, soon */
    GHashTable *sightings; /* "port/address" to struct sighting */
    unsigned remotes;      /* so far */
    unsigned scans;        /* so far */
    GHashTable *used;      /* matches of rules "once" that had their turn */
};

/* A device that the machine has or is about to have. */
struct host_entry {
    struct usb_hosts *hosts;
    struct usb_host_device *host;
    char *id;
    char *port;                   /* of the machine, as asked for; NULL: any */
    GSource *retry;               /* for the claim; NULL: not waiting for it */
    unsigned tries;               /* left */
    unsigned opening;             /* the broker's request; 0: none */
    bool opened;                  /* the broker has its node */
    struct usb_host_claim *claim; /* until the device has it */
    struct usb_device *device;    /* NULL until its node is open */
    void (*release)(struct usb_device *device);
    struct redir_connect *connecting; /* NULL: is not being connected */
    bool remote;                      /* not the host's: host->port is its address */
    bool attached;
    bool by_rule;
    usb_hosts_attached done; /* NULL: nobody wants to know */
    void *done_opaque;
};

/* hosts.c */
struct host_entry *hosts_find_port(struct usb_hosts *hosts, const char *host_port);
/* Takes host. False: as usb_hosts_attach(). */
bool hosts_begin(struct usb_hosts *hosts, struct usb_host_device *host, const char *port,
                 usb_hosts_attached done, void *opaque, bool by_rule, GError **err);

void hosts_on_ready(void *opaque, const GError *error); /* opaque: the entry */
void hosts_on_gone(void *opaque);
void hosts_entry_failed(struct host_entry *entry, GError *error); /* takes error and the entry */

/* hosts_redir.c: what address serves, as usb_hosts_attach(). */
bool hosts_redir_attach(struct usb_hosts *hosts, const char *address, const char *port,
                        usb_hosts_attached done, void *opaque, GError **err);

/* hosts_rules.c */
void hosts_rules_init(struct usb_hosts *hosts);
void hosts_rules_finish(struct usb_hosts *hosts);
void hosts_rules_look(struct usb_hosts *hosts); /* soon */
/* The user or the device itself ended it: it is not for rules any more, this time. */
void hosts_rules_dismiss(struct usb_hosts *hosts, const struct usb_host_device *host);
/* It is attached, by whoever asked. */
void hosts_rules_attached(struct usb_hosts *hosts, const struct usb_host_device *host);
/* What a rule began failed. */
void hosts_rules_failed(struct usb_hosts *hosts, const struct usb_host_device *host,
                        const GError *error);

#endif
