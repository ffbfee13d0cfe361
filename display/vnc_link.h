/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the display thread and the bridge thread know of one viewer together: the bridge pumps
 * bytes between the viewer's socket and a socketpair whose other end libvncserver has.
 */
#ifndef DISPLAY_VNC_LINK_H
#define DISPLAY_VNC_LINK_H

#include <glib.h>

/* With more than this waiting for a viewer, it gets no new update. */
#define VNC_BACKLOG_LOW (256 * 1024)

struct vnc_client;

struct vnc_link {
    gatomicrefcount refs;
    gint backlog;              /* atomic: bytes that the bridge holds for the viewer */
    gint starved;              /* atomic: the display thread waits for the backlog to shrink */
    struct vnc_client *client; /* display thread; NULL: none, or gone */
};

static inline struct vnc_link *vnc_link_new(void)
{
    struct vnc_link *link = g_new0(struct vnc_link, 1);

    g_atomic_ref_count_init(&link->refs);
    return link;
}

static inline struct vnc_link *vnc_link_ref(struct vnc_link *link)
{
    g_atomic_ref_count_inc(&link->refs);
    return link;
}

static inline void vnc_link_unref(struct vnc_link *link)
{
    if (g_atomic_ref_count_dec(&link->refs))
        g_free(link);
}

#endif
