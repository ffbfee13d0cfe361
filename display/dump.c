/* SPDX-License-Identifier: GPL-2.0-or-later */
/* display_screendump(): the display thread copies the surface, another thread encodes the copy. */
#include "display/display_private.h"

#include <string.h>

#include "core/error.h"
#include "display/png.h"

struct dump {
    struct display *display;
    GMainContext *context;
    display_png_done done;
    void *opaque;
    struct surface copy;
    GBytes *png;
    GError *error;
};

static gboolean deliver(gpointer data)
{
    struct dump *dump = data;

    dump->done(dump->png, dump->error, dump->opaque);
    if (dump->png != NULL)
        g_bytes_unref(dump->png);
    g_clear_error(&dump->error);
    g_main_context_unref(dump->context);
    g_free(dump);
    return G_SOURCE_REMOVE;
}

static void encode(gpointer data, gpointer pool_data)
{
    struct dump *dump = data;

    dump->png = png_encode(&dump->copy, &dump->error);
    surface_finish(&dump->copy);
    display_post(dump->context, deliver, dump);
}

static bool copy_surface(struct dump *dump, const struct surface *surface)
{
    surface_init(&dump->copy);
    if (surface->pixels == NULL)
        return vmdesk_fail(&dump->error, VMDESK_ERROR_BUSY,
                           "The machine has not shown anything yet: try again when it has started");
    if (!surface_resize(&dump->copy, surface->width, surface->height))
        return vmdesk_fail(
            &dump->error, VMDESK_ERROR_NO_SPACE,
            "There is not enough memory to copy the screen: free some and try again");
    for (unsigned y = 0; y < surface->height; y++)
        memcpy(surface_row(&dump->copy, y), surface_row(surface, y), surface->width * 4);
    return true;
}

static gboolean take(gpointer data)
{
    struct dump *dump = data;
    struct display *d = dump->display;
    bool ok;

    if (d->encoders == NULL)
        d->encoders = g_thread_pool_new(encode, NULL, 1, FALSE, NULL);
    if (g_thread_pool_unprocessed(d->encoders) + g_thread_pool_get_num_threads(d->encoders) >=
        DISPLAY_MAX_DUMPS) {
        ok = vmdesk_fail(&dump->error, VMDESK_ERROR_BUSY,
                         "%d screen dumps are under way: try again when they are done",
                         DISPLAY_MAX_DUMPS);
    } else {
        display_watch(d);
        display_refresh(d);
        display_unwatch(d);
        ok = copy_surface(dump, &d->surface);
    }
    if (ok)
        g_thread_pool_push(d->encoders, dump, NULL);
    else
        display_post(dump->context, deliver, dump);
    return G_SOURCE_REMOVE;
}

void display_screendump(struct display *d, GMainContext *context, display_png_done done,
                        void *opaque)
{
    struct dump *dump = g_new0(struct dump, 1);

    dump->display = d;
    dump->context = g_main_context_ref(context != NULL ? context : g_main_context_default());
    dump->done = done;
    dump->opaque = opaque;
    display_post(d->context, take, dump);
}

void display_dumps_stop(struct display *d)
{
    if (d->encoders != NULL)
        g_thread_pool_free(d->encoders, FALSE, TRUE);
}
