/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the VNC server start from: a fake screen, its display, and stock viewers. */
#ifndef TESTS_UNIT_VNC_FIXTURE_H
#define TESTS_UNIT_VNC_FIXTURE_H

#include <glib.h>
#include <rfb/rfbclient.h>

#include "display/vnc.h"
#include "tests/fakes/screen.h"

#define PATIENCE_SECONDS 20

extern struct fake_screen screen;
extern struct display *display;
extern struct vnc_server *server;
extern char *folder, *path; /* a private folder, and the socket in it */

/* The guest's side of the keyboard and pointer: what came, in words. */
extern GMutex events_lock;
extern GString *events;
extern const struct input_sink sink;

void start_with(const struct vnc_options *options);
void start(void);
void setup(void);
void teardown(void);
void wait_viewers(unsigned count);
void wait_events(const char *wanted);
rfbClient *view(const char *host, int port, const char *encodings, const char *password);
rfbClient *view_unix(void);
void leave(rfbClient *c);
void pump(rfbClient *c);
void wait_picture(rfbClient *c, unsigned width, unsigned height, uint32_t seed);
gint64 patience(void);

#endif
