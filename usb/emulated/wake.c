/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/emulated/wake.h"

struct usb_wake {
    GSource source; /* must be first */
    GMutex lock;
    struct usb_device *device; /* not referenced; NULL: gone */
    void (*run)(struct usb_device *device);
};

/* A reference, unless the last one is gone already and the device is being freed. */
static struct usb_device *take_device(struct usb_wake *wake)
{
    struct usb_device *device;
    int refs = 0;

    g_mutex_lock(&wake->lock);
    device = wake->device;
    do {
        refs = device != NULL ? g_atomic_int_get(&device->refs) : 0;
    } while (refs > 0 && !g_atomic_int_compare_and_exchange(&device->refs, refs, refs + 1));
    g_mutex_unlock(&wake->lock);
    return refs > 0 ? device : NULL;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    struct usb_wake *wake = (struct usb_wake *)source;
    struct usb_device *device = take_device(wake);

    if (device == NULL)
        return G_SOURCE_REMOVE;
    /* First, so that what is set from now on counts. */
    g_source_set_ready_time(source, -1);
    wake->run(device);
    usb_device_unref(device);
    return G_SOURCE_CONTINUE;
}

static void finalize(GSource *source)
{
    g_mutex_clear(&((struct usb_wake *)source)->lock);
}

static GSourceFuncs source_funcs = {.dispatch = dispatch, .finalize = finalize};

struct usb_wake *usb_wake_new(GMainContext *context, struct usb_device *device,
                              void (*run)(struct usb_device *device))
{
    struct usb_wake *wake = (struct usb_wake *)g_source_new(&source_funcs, sizeof(*wake));

    g_mutex_init(&wake->lock);
    wake->device = device;
    wake->run = run;
    g_source_attach(&wake->source, context);
    return wake;
}

void usb_wake_free(struct usb_wake *wake)
{
    if (wake == NULL)
        return;
    g_mutex_lock(&wake->lock);
    wake->device = NULL;
    g_mutex_unlock(&wake->lock);
    g_source_destroy(&wake->source);
    g_source_unref(&wake->source);
}

void usb_wake_at(struct usb_wake *wake, gint64 when)
{
    g_source_set_ready_time(&wake->source, when);
}
