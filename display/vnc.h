/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VNC server of one machine (RFC 6143). It lives on the display thread; viewers reach it
 * through buffers of our own, so that one that stalls delays nobody and is dropped.
 */
#ifndef DISPLAY_VNC_H
#define DISPLAY_VNC_H

#include <glib.h>

#include "display/display.h"
#include "display/input.h"

enum vnc_listen { VNC_UNIX, VNC_TCP };

struct vnc_options {
    enum vnc_listen listen;
    const char *path;     /* VNC_UNIX: the socket to make, in a folder of mode 0700 */
    const char *host;     /* VNC_TCP: NULL: 127.0.0.1 */
    uint16_t port;        /* VNC_TCP: 0: the first free one from 5900 */
    const char *password; /* NULL: none. VncAuth: at most 8 bytes count; longer ones are refused */
    const char *name;     /* the machine, shown by viewers */
    const char *layout;   /* keysym to key when a viewer sends no key codes: "us", "de", ... */
};

struct vnc_server;

/* Any thread but the display's. Fails when the address is taken, the path too long, the layout
 * unknown; the message says what to do. sink is copied; what it points to must outlive the server.
 */
struct vnc_server *vnc_server_new(struct display *display, const struct vnc_options *options,
                                  const struct input_sink *sink, GError **err);
void vnc_server_free(struct vnc_server *server); /* NULL is fine */

struct vnc_viewer_info {
    char *address; /* "unix" or "host:port" */
    bool authenticated;
};

struct vnc_info {
    enum vnc_listen listen;
    char *address; /* path or host */
    uint16_t port;
    bool password;
    GArray *viewers; /* struct vnc_viewer_info */
};

/* A snapshot; free with vnc_info_free(). Any thread but the display's. */
struct vnc_info *vnc_server_query(struct vnc_server *server);
void vnc_info_free(struct vnc_info *info);

/* The names that options.layout accepts, NULL-terminated. */
const char *const *vnc_layouts(void);

#endif
