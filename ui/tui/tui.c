/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop: input to the screen on top, one frame for all that changed. */
#include <config.h>

#include "core/store.h"
#include "ui/new_disk.h"
#include "ui/tui/model.h"
#include "ui/tui/tui.h"
#include "ui/tui/ui.h"

#define FRAME_MS 33
#define DOUBLE_CLICK_MS 400

struct hot {
    struct rect rect;
    uint32_t key; /* 0: covers what is below */
};

struct tui {
    GMainLoop *loop;
    struct terminal *term;
    struct store *store;
    struct model *model;
    GPtrArray *screens; /* struct screen * */
    GArray *hot;        /* struct hot */
    char *message;
    enum role message_role;
    guint frame;     /* source */
    gint64 drawn_at; /* monotonic */
    bool model_changed;
    gint64 clicked_at;
    int clicked_x, clicked_y;
};

static struct screen *top(struct tui *tui)
{
    return tui->screens->len ? tui->screens->pdata[tui->screens->len - 1] : NULL;
}

/*
 * Frames.
 */

/* Screens hold machines that may be gone: they look again before they draw or act. */
static void tell_screens(struct tui *tui)
{
    if (!tui->model_changed)
        return;
    tui->model_changed = false;
    for (guint i = 0; i < tui->screens->len; i++) {
        struct screen *screen = tui->screens->pdata[i];

        if (screen->ops->changed)
            screen->ops->changed(screen);
    }
}

static gboolean draw_frame_now(gpointer opaque)
{
    struct tui *tui = opaque;

    tui->frame = 0;
    tell_screens(tui);
    g_array_set_size(tui->hot, 0);
    model_begin_visible(tui->model);
    term_begin(tui->term);
    for (guint i = 0; i < tui->screens->len; i++) {
        struct screen *screen = tui->screens->pdata[i];

        screen->ops->draw(screen);
    }
    term_end(tui->term);
    model_end_visible(tui->model);
    tui->drawn_at = g_get_monotonic_time();
    return G_SOURCE_REMOVE;
}

void tui_redraw(struct tui *tui)
{
    gint64 since = (g_get_monotonic_time() - tui->drawn_at) / 1000;

    if (tui->frame)
        return;
    /* below input, so that what has arrived is in the frame */
    tui->frame = g_timeout_add_full(G_PRIORITY_DEFAULT + 10,
                                    since < FRAME_MS ? (guint)(FRAME_MS - since) : 0,
                                    draw_frame_now, tui, NULL);
}

void tui_say(struct tui *tui, enum role role, const char *format, ...)
{
    va_list arguments;

    g_free(tui->message);
    va_start(arguments, format);
    tui->message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    tui->message_role = role;
    tui_redraw(tui);
}

const char *tui_message(struct tui *tui, enum role *ret_role)
{
    *ret_role = tui->message_role;
    return tui->message;
}

/*
 * Screens.
 */

void tui_push(struct tui *tui, struct screen *screen)
{
    g_ptr_array_add(tui->screens, screen);
    tui->clicked_at = 0;
    tui_redraw(tui);
}

void tui_pop(struct tui *tui, struct screen *screen)
{
    bool last = false;

    while (!last && tui->screens->len) {
        struct screen *one = g_ptr_array_steal_index(tui->screens, tui->screens->len - 1);

        last = one == screen;
        one->ops->free(one);
    }
    tui->clicked_at = 0;
    tui_redraw(tui);
}

struct screen *tui_bottom(struct tui *tui)
{
    return tui->screens->pdata[0];
}

struct terminal *tui_term(struct tui *tui)
{
    return tui->term;
}

struct model *tui_model(struct tui *tui)
{
    return tui->model;
}

void tui_quit(struct tui *tui)
{
    g_main_loop_quit(tui->loop);
}

void tui_suspend(struct tui *tui)
{
    term_suspend(tui->term);
}

void tui_hot(struct tui *tui, const struct rect *rect, uint32_t key)
{
    struct hot hot = {*rect, key};

    g_array_append_val(tui->hot, hot);
}

void tui_cover(struct tui *tui, const struct rect *rect)
{
    tui_hot(tui, rect, 0);
}

/*
 * Input.
 */

static void press(struct tui *tui, uint32_t key)
{
    struct screen *screen = top(tui);

    tell_screens(tui);
    g_clear_pointer(&tui->message, g_free);
    screen->ops->key(screen, key);
    tui_redraw(tui);
}

static void key_pressed(uint32_t key, void *opaque)
{
    press(opaque, key);
}

static bool is_double_click(struct tui *tui, int x, int y)
{
    gint64 now = g_get_monotonic_time();
    bool twice = x == tui->clicked_x && y == tui->clicked_y &&
                 now - tui->clicked_at < DOUBLE_CLICK_MS * 1000;

    tui->clicked_at = twice ? 0 : now;
    tui->clicked_x = x;
    tui->clicked_y = y;
    return twice;
}

static void mouse_pressed(int x, int y, enum mouse_button button, void *opaque)
{
    struct tui *tui = opaque;
    struct screen *screen = top(tui);
    bool twice = button == MOUSE_LEFT && is_double_click(tui, x, y);

    tell_screens(tui);
    for (guint i = tui->hot->len; button == MOUSE_LEFT && i-- > 0;) {
        struct hot hot = g_array_index(tui->hot, struct hot, i);

        if (!rect_contains(&hot.rect, x, y))
            continue;
        if (!hot.key)
            break;
        press(tui, hot.key);
        if (twice && top(tui) == screen && hot.key >= TUI_KEY_ROW && hot.key <= TUI_KEY_ROW_LAST)
            press(tui, TUI_KEY_ENTER);
        return;
    }
    if (screen->ops->mouse) {
        screen->ops->mouse(screen, x, y, button);
        tui_redraw(tui);
    }
}

static void resized(void *opaque)
{
    tui_redraw(opaque);
}

static void terminal_gone(void *opaque)
{
    tui_quit(opaque);
}

static const struct term_handlers term_handlers = {
    .key = key_pressed,
    .mouse = mouse_pressed,
    .resized = resized,
    .gone = terminal_gone,
};

static void model_changed(void *opaque)
{
    struct tui *tui = opaque;

    tui->model_changed = true;
    tui_redraw(tui);
}

static void model_message(enum role role, const char *text, void *opaque)
{
    tui_say(opaque, role, "%s", text);
}

static const struct model_handlers model_handlers = {
    .changed = model_changed,
    .message = model_message,
};

static void finish(struct tui *tui)
{
    while (tui->screens->len)
        tui_pop(tui, tui->screens->pdata[0]);
    g_ptr_array_free(tui->screens, TRUE);
    model_free(tui->model);
    store_free(tui->store);
    term_free(tui->term);
    g_clear_handle_id(&tui->frame, g_source_remove);
    g_array_free(tui->hot, TRUE);
    g_free(tui->message);
    g_main_loop_unref(tui->loop);
}

int tui_run(const struct tui_options *options, GError **err)
{
    const struct term_options term_options = {options->ascii, options->no_mouse, options->no_color};
    struct tui tui = {.loop = g_main_loop_new(NULL, FALSE)};

    tui.screens = g_ptr_array_new();
    tui.hot = g_array_new(FALSE, FALSE, sizeof(struct hot));
    tui.store = store_new(NULL);
    store_set_disk_maker(tui.store, new_disk_make);
    tui.term = term_new(&term_options, &term_handlers, &tui, err);
    if (tui.term) {
        tui.model = model_new(tui.store, &model_handlers, &tui);
        tui_push(&tui, main_screen_new(&tui, options->machine));
        /* The first frame needs the store only. */
        g_clear_handle_id(&tui.frame, g_source_remove);
        draw_frame_now(&tui);
        model_go(tui.model);
        g_main_loop_run(tui.loop);
    }
    finish(&tui);
    return tui.term ? 0 : -1;
}
