/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvncserver's part: updates for the viewers, encoded right out of the display's surface. All on
 * the display thread. Nothing is allocated and nobody listens before the first viewer.
 *
 * Viewers reach it authenticated and with checked messages only (vnc_handshake.h, vnc_messages.h).
 */
#ifndef DISPLAY_VNC_SCREEN_H
#define DISPLAY_VNC_SCREEN_H

#include "display/display.h"
#include "display/vnc_link.h"

struct vnc_screen;

struct vnc_screen *vnc_screen_new(struct display *display, const char *name);
void vnc_screen_free(struct vnc_screen *screen); /* hangs up on all */

/* A viewer after its handshake. Returns the bridge's end of the socketpair, at which the ServerInit
 * message waits; -1: no descriptor or no memory for it. */
int vnc_screen_attach(struct vnc_screen *screen, struct vnc_link *link);
/* Tells the viewer that it may send key codes. */
void vnc_screen_offer_extended_keys(struct vnc_screen *screen, struct vnc_link *link);
/* The backlog of a starved viewer has shrunk. */
void vnc_screen_feed(struct vnc_screen *screen, struct vnc_link *link);

/* Width << 16 | height of what viewers see. Any thread. */
unsigned vnc_screen_size(struct vnc_screen *screen);

#endif
