/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows the screen of a machine: asks the engine, which answers when something changed. Nothing
 * is sent while nothing changes. It outlives restarts of the engine.
 */
#ifndef UI_TUI_FEED_H
#define UI_TUI_FEED_H

#include "ui/tui/guest_screen.h"
#include "ui/tui/model.h"

struct feed;

/* changed: the screen is another one. interval_ms: no faster than this. */
struct feed *feed_new(struct model *model, unsigned interval_ms, void (*changed)(void *opaque),
                      void *opaque);
void feed_free(struct feed *feed); /* NULL is fine */

/* Call in each frame: whose screen (NULL: nobody's), and how many pixels a picture may have. */
void feed_update(struct feed *feed, struct vm *vm, unsigned width, unsigned height);
const struct guest_screen *feed_screen(const struct feed *feed); /* NULL: nothing yet */
/* Why there is no newer screen, a sentence; NULL: there is no reason. */
const char *feed_problem(const struct feed *feed);

#endif
