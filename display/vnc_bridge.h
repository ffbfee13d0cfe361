/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bridge: one thread that has the viewers' sockets. It speaks the handshake, checks what they
 * say, delivers keys and pointer, and moves pixels from libvncserver into buffers that grow up to
 * a bound, so that a viewer that stalls holds up nobody. The thread runs while there are viewers.
 */
#ifndef DISPLAY_VNC_BRIDGE_H
#define DISPLAY_VNC_BRIDGE_H

#include <glib.h>

#include "display/display.h"
#include "display/input.h"
#include "display/keymap.h"
#include "display/vnc_screen.h"

#define VNC_MAX_VIEWERS 32
/* What may wait for all viewers together. */
#define VNC_MAX_BACKLOG_ALL (96 * 1024 * 1024)
/* So many wrong passwords are answered at once; then, none sooner than this after the last. */
#define VNC_FREE_FAILURES 3
#define VNC_FAILURE_SECONDS 2

struct vnc_bridge;

/* password (NULL: none), keymap and screen are borrowed. */
struct vnc_bridge *vnc_bridge_new(struct display *display, struct vnc_screen *screen,
                                  const char *password, const struct keymap *keymap,
                                  const struct input_sink *sink);
/* Hangs up on all and ends the thread. Not on the display thread, where what the bridge has posted
 * must run before screen and bridge are freed. */
void vnc_bridge_stop(struct vnc_bridge *bridge);
void vnc_bridge_free(struct vnc_bridge *bridge);

/* Display thread. Takes the socket, which must not block; closes it if there are too many. */
void vnc_bridge_add(struct vnc_bridge *bridge, int socket, const char *address);

/* The viewers now: calls back under a lock. Any thread. */
void vnc_bridge_list(struct vnc_bridge *bridge,
                     void (*each)(const char *address, bool authenticated, void *opaque),
                     void *opaque);

#endif
