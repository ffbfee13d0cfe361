/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Following a machine's rules: what is there, what a rule wants, what was done about it. */
#include <string.h>

#include "core/log.h"
#include "usb/host/hosts_internal.h"

/* A device from when it is plugged in until it goes. */
struct sighting {
    bool told;      /* that a rule says ask */
    bool dismissed; /* no rule attaches it any more */
    char *failure;  /* what was said when it could not be attached; NULL: nothing yet */
    unsigned scan;  /* the last one that saw it */
};

static void sighting_free(void *data)
{
    struct sighting *sighting = data;

    g_free(sighting->failure);
    g_free(sighting);
}

static struct sighting *sighting_of(struct usb_hosts *hosts, const struct usb_host_device *host)
{
    g_autofree char *key = g_strdup_printf("%s/%u", host->port, host->address);
    struct sighting *sighting = g_hash_table_lookup(hosts->sightings, key);

    if (sighting == NULL) {
        sighting = g_new0(struct sighting, 1);
        g_hash_table_insert(hosts->sightings, g_steal_pointer(&key), sighting);
    }
    return sighting;
}

void hosts_rules_dismiss(struct usb_hosts *hosts, const struct usb_host_device *host)
{
    sighting_of(hosts, host)->dismissed = true;
}

/* Said once: it is tried again whenever something changes, which may be its permissions. */
void hosts_rules_failed(struct usb_hosts *hosts, const struct usb_host_device *host,
                        const GError *error)
{
    struct sighting *sighting = sighting_of(hosts, host);

    if (g_strcmp0(sighting->failure, error->message) == 0)
        return;
    g_free(sighting->failure);
    sighting->failure = g_strdup(error->message);
    log_info("usb", "a rule cannot be followed: %s", error->message);
    hosts->event(hosts->opaque, USB_HOSTS_FAILED, host->port, error->message);
}

void hosts_rules_attached(struct usb_hosts *hosts, const struct usb_host_device *host)
{
    const struct usb_rule *rule =
        usb_rules_find(hosts->rules, host->vendor_id, host->product_id, host->serial, host->port);

    if (rule != NULL && rule->policy == USB_POLICY_ONCE)
        g_hash_table_add(hosts->used, usb_match_format(&rule->match));
}

static void attach_by_rule(struct usb_hosts *hosts, GPtrArray *devices, guint index)
{
    struct usb_host_device *host = g_ptr_array_steal_index_fast(devices, index);
    g_autofree char *port = g_strdup(host->port);
    const struct usb_host_device place = {.port = port, .address = host->address};
    g_autoptr(GError) error = NULL;

    if (!hosts_begin(hosts, host, NULL, NULL, NULL, true, &error))
        hosts_rules_failed(hosts, &place, error);
}

static bool wants(struct usb_hosts *hosts, const struct usb_rule *rule, struct sighting *sighting,
                  const struct usb_host_device *host)
{
    g_autofree char *match = usb_match_format(&rule->match);

    switch (rule->policy) {
    case USB_POLICY_ALWAYS:
        return true;
    case USB_POLICY_ONCE:
        return !g_hash_table_contains(hosts->used, match);
    case USB_POLICY_ASK:
        if (!sighting->told)
            hosts->event(hosts->opaque, USB_HOSTS_ASKED, host->port, host->product);
        sighting->told = true;
        return false;
    }
    return false;
}

static gboolean is_over(void *key, void *value, void *opaque)
{
    return ((struct sighting *)value)->scan != *(unsigned *)opaque;
}

/* An entry of a device that is not there any more is about to hear of it, and looks again then. */
static void look(struct usb_hosts *hosts)
{
    const struct usb_host_paths paths = {.sysfs = hosts->sysfs};
    g_autoptr(GPtrArray) devices = usb_host_list(&paths, NULL);

    hosts->scans++;
    for (guint i = devices != NULL ? devices->len : 0; i-- > 0;) {
        struct usb_host_device *host = devices->pdata[i];
        struct sighting *sighting = sighting_of(hosts, host);
        const struct usb_rule *rule = usb_rules_find(hosts->rules, host->vendor_id,
                                                     host->product_id, host->serial, host->port);

        sighting->scan = hosts->scans;
        if (rule != NULL && !host->hub && !sighting->dismissed &&
            hosts_find_port(hosts, host->port) == NULL && wants(hosts, rule, sighting, host))
            attach_by_rule(hosts, devices, i);
    }
    g_hash_table_foreach_remove(hosts->sightings, is_over, &hosts->scans);
}

static gboolean dispatch_scan(GSource *source, GSourceFunc callback, void *opaque)
{
    g_source_set_ready_time(source, -1);
    look(opaque);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs scan_funcs = {.dispatch = dispatch_scan};

void hosts_rules_look(struct usb_hosts *hosts)
{
    g_source_set_ready_time(hosts->scan, 0);
}

static void on_changed(void *opaque)
{
    hosts_rules_look(opaque);
}

/* Nothing is watched for a machine that has no rules. */
static void watch(struct usb_hosts *hosts)
{
    if (hosts->rules->len == 0)
        g_clear_pointer(&hosts->watch, usb_host_watch_free);
    else if (hosts->watch == NULL)
        hosts->watch = usb_host_watch_new(hosts->context, on_changed, hosts);
    if (hosts->rules->len > 0)
        hosts_rules_look(hosts);
}

void hosts_rules_init(struct usb_hosts *hosts)
{
    hosts->sightings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, sighting_free);
    hosts->used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    hosts->scan = g_source_new(&scan_funcs, sizeof(GSource));
    g_source_set_callback(hosts->scan, NULL, hosts, NULL);
    g_source_set_name(hosts->scan, "USB scan");
    g_source_attach(hosts->scan, hosts->context);
    watch(hosts);
}

void hosts_rules_finish(struct usb_hosts *hosts)
{
    usb_host_watch_free(hosts->watch);
    g_source_destroy(hosts->scan);
    g_source_unref(hosts->scan);
    g_hash_table_unref(hosts->sightings);
    g_hash_table_unref(hosts->used);
    g_ptr_array_unref(hosts->rules);
}

bool usb_hosts_set_rules(struct usb_hosts *hosts, const char *rules, GError **err)
{
    GPtrArray *parsed = usb_rules_parse(rules, err);

    if (parsed == NULL)
        return false;
    g_ptr_array_unref(hosts->rules);
    hosts->rules = parsed;
    watch(hosts);
    return true;
}

char *usb_hosts_rules(const struct usb_hosts *hosts)
{
    return usb_rules_format(hosts->rules);
}
