/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The display of one machine: a thread that owns the surface, asks the source (the guest's
 * graphics adapter) to bring it up to date, and tells the listeners what changed.
 *
 * The source is asked only while somebody looks: at up to DISPLAY_REFRESH_HZ while things change,
 * slower when nothing does. Listeners run on the display thread and must not wait.
 */
#ifndef DISPLAY_DISPLAY_H
#define DISPLAY_DISPLAY_H

#include <glib.h>

#include "display/damage.h"
#include "display/surface.h"

#define DISPLAY_REFRESH_HZ 40
#define TEXT_MAX_COLUMNS 256
#define TEXT_MAX_ROWS 128

struct display;

/* A character cell screen as the adapter holds it. */
struct text_cell {
    uint8_t code;      /* code page 437, unless the guest loaded another font */
    uint8_t attribute; /* VGA: bits 0-3 foreground, 4-6 background, 7 blink or bright background */
};

struct text_screen {
    unsigned columns, rows;
    bool cursor_visible;
    unsigned cursor_x, cursor_y;
    struct text_cell cells[TEXT_MAX_COLUMNS * TEXT_MAX_ROWS]; /* row after row, columns wide */
};

/* What the surface shows. */
enum display_mode { DISPLAY_BLANK, DISPLAY_TEXT, DISPLAY_GRAPHICS };

/* The adapter. Called on the display thread. */
struct display_source_ops {
    /* Brings the surface up to date (surface_resize() when the mode asks for it) and adds what
     * changed to damage; redraws all when full is set or it resized. Returns what is shown. */
    enum display_mode (*refresh)(void *opaque, struct surface *surface, struct damage *damage,
                                 bool full);
    /* Copies the character cells as they are now. False: the mode is not a text mode. */
    bool (*text)(void *opaque, struct text_screen *screen);
    /* A viewer would like this size: a hint for the guest (EDID), which may ignore it. Or NULL. */
    void (*suggest_size)(void *opaque, unsigned width, unsigned height);
};

struct display_listener {
    /* damage is relative to surface; after a resize it covers all of it. */
    void (*updated)(struct display_listener *listener, const struct surface *surface,
                    const struct damage *damage);
    void (*resized)(struct display_listener *listener, const struct surface *surface);
};

struct display *display_new(void);
/* Stops the thread. Listeners must be gone and queries answered or cancelled. NULL is fine. */
void display_free(struct display *display);

/* Before the first listener and until display_free(). */
void display_set_source(struct display *display, const struct display_source_ops *ops,
                        void *opaque);

/* The display thread's context, for its sockets and timers. Attach sources to it:
 * g_main_context_invoke() would run on the caller's thread before the display's has started. */
GMainContext *display_context(struct display *display);

/* Somebody typed or moved the pointer: the answer on the screen should be seen at once. Any
 * thread; cheap enough for each event; nothing happens while nobody looks. */
void display_wake(struct display *display);

/* On the display thread. With at least one listener the source is refreshed. A new listener hears
 * resized() at once if there is a surface, and all of it is damage to it at the next refresh. */
void display_add_listener(struct display *display, struct display_listener *listener);
void display_remove_listener(struct display *display, struct display_listener *listener);
/* False: the source takes no such hint. */
bool display_suggest_size(struct display *display, unsigned width, unsigned height);

/*
 * Asking from another thread: the answer arrives by callback on the caller's context, once.
 */

/* The whole screen as a PNG file. png NULL: *error says why (nothing shown yet, no memory, or
 * DISPLAY_MAX_DUMPS are under way). */
#define DISPLAY_MAX_DUMPS 4
typedef void (*display_png_done)(GBytes *png, const GError *error, void *opaque);
void display_screendump(struct display *display, GMainContext *context, display_png_done done,
                        void *opaque);

struct screen_query {
    uint64_t since;        /* generation already seen; 0: none */
    unsigned wait_ms;      /* how long to wait for a newer one; at most 60,000 */
    unsigned width, height; /* at most this many pixels of a graphics mode are returned,
                             * scaled down keeping the shape; 0: none. At most 1,024 each. */
};

struct screen_answer {
    uint64_t generation; /* grows whenever the screen changed */
    bool unchanged;      /* nothing newer than since: the rest is not filled in */
    enum display_mode mode;
    unsigned guest_width, guest_height;
    struct text_screen *text; /* DISPLAY_TEXT */
    unsigned width, height;   /* DISPLAY_GRAPHICS: of rgb */
    uint8_t *rgb;             /* width * height * 3 */
};

/* The answer belongs to the caller of done, and is valid only during it. */
typedef void (*display_query_done)(const struct screen_answer *answer, void *opaque);
/* Returns a ticket, which is gone once done returned; cancel guarantees that done is not called
 * (both on the thread of context). */
struct display_ticket;
struct display_ticket *display_query(struct display *display, const struct screen_query *query,
                                     GMainContext *context, display_query_done done,
                                     void *opaque);
void display_query_cancel(struct display_ticket *ticket);

#endif
