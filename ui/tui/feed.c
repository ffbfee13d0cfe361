/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "core/protocol.h"
#include "ui/tui/feed.h"

/* Past this, an engine with nothing new says so; it also bounds how long a dead one goes unseen. */
#define WAIT_MS 30000
#define WAIT_GRACE_MS 5000
/* After a failed request. */
#define RETRY_MS 1000

struct feed {
    unsigned interval_ms;
    void (*changed)(void *opaque);
    void *opaque;

    /* Whose screen it is: machines and their clients may go at any time. */
    struct model *model;
    char *name;
    unsigned connection;
    unsigned width, height;

    struct guest_screen screen;
    bool valid;
    char *problem;
    bool resized; /* the next request asks for a screen, new or not */
    uint64_t request;
    gint64 asked; /* monotonic */
    guint timer;
};

static void ask(struct feed *feed);
static void stop(struct feed *feed);

struct feed *feed_new(struct model *model, unsigned interval_ms, void (*changed)(void *opaque),
                      void *opaque)
{
    struct feed *feed = g_new0(struct feed, 1);

    feed->model = model;
    feed->interval_ms = interval_ms;
    feed->changed = changed;
    feed->opaque = opaque;
    return feed;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    stop(feed);
    guest_screen_finish(&feed->screen);
    g_clear_pointer(&feed->problem, g_free);
    g_free(feed->name);
    g_free(feed);
}

static struct client *get_client(const struct feed *feed)
{
    struct vm *vm = model_find(feed->model, feed->name);

    return vm && vm->connection == feed->connection ? vm->client : NULL;
}

static void stop(struct feed *feed)
{
    struct client *client = get_client(feed);

    if (feed->request && client)
        client_cancel(client, feed->request);
    feed->request = 0;
    g_clear_handle_id(&feed->timer, g_source_remove);
}

static gboolean ask_now(gpointer opaque)
{
    struct feed *feed = opaque;

    feed->timer = 0;
    ask(feed);
    return G_SOURCE_REMOVE;
}

static void ask_in(struct feed *feed, unsigned ms)
{
    if (!feed->timer)
        feed->timer = g_timeout_add(ms, ask_now, feed);
}

static void take_screen(const json_t *result, const GError *error, void *opaque)
{
    struct feed *feed = opaque;
    g_autoptr(GError) bad = NULL;
    gint64 since_asked = (g_get_monotonic_time() - feed->asked) / 1000;

    feed->request = 0;
    g_clear_pointer(&feed->problem, g_free);
    if (error || !guest_screen_take(&feed->screen, result, &bad)) {
        feed->problem = g_strdup(error ? error->message : bad->message);
        feed->changed(feed->opaque);
        ask_in(feed, RETRY_MS);
        return;
    }
    feed->resized = false;
    if (!json_is_true(json_object_get(result, "unchanged"))) {
        feed->valid = true;
        feed->changed(feed->opaque);
    }
    ask_in(feed, since_asked < feed->interval_ms ? feed->interval_ms - (unsigned)since_asked : 0);
}

static void ask(struct feed *feed)
{
    struct client *client = get_client(feed);
    bool wait = feed->valid && !feed->resized;
    json_t *arguments;

    if (!client)
        return;
    arguments = json_pack("{s:i,s:i}", "width", (int)feed->width, "height", (int)feed->height);
    if (wait) {
        json_object_set_new(arguments, "since", json_integer(feed->screen.generation));
        json_object_set_new(arguments, "wait", json_integer(WAIT_MS));
    }
    feed->asked = g_get_monotonic_time();
    feed->request = client_execute(client, "query-screen", arguments,
                                   WAIT_GRACE_MS + (wait ? WAIT_MS : 0), take_screen, feed);
}

static void follow(struct feed *feed, const struct vm *vm)
{
    stop(feed);
    guest_screen_finish(&feed->screen);
    g_clear_pointer(&feed->problem, g_free);
    g_free(feed->name);
    feed->valid = false;
    feed->name = vm ? g_strdup(vm->name) : NULL;
    feed->connection = vm ? vm->connection : 0;
}

void feed_update(struct feed *feed, struct vm *vm, unsigned width, unsigned height)
{
    bool same;

    if (vm && (!vm->client || !vm_is_answering(vm)))
        vm = NULL;
    same = vm && g_strcmp0(feed->name, vm->name) == 0 && feed->connection == vm->connection;
    width = MIN(width, PROTOCOL_MAX_SCREEN_PIXELS);
    height = MIN(height, PROTOCOL_MAX_SCREEN_PIXELS);
    if (!same)
        follow(feed, vm);
    if (!vm || (same && feed->width == width && feed->height == height))
        return;
    stop(feed);
    feed->width = width;
    feed->height = height;
    feed->resized = true;
    ask(feed);
}

const struct guest_screen *feed_screen(const struct feed *feed)
{
    return feed->valid ? &feed->screen : NULL;
}

const char *feed_problem(const struct feed *feed)
{
    return feed->problem;
}
