/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <png.h>
#include <string.h>

#include "core/error.h"
#include "display/display.h"
#include "tests/fakes/screen.h"
#include "tests/suite.h"

static struct fake_screen screen;
static struct display *display;

static void setup(void)
{
    fake_screen_init(&screen);
    display = display_new();
    display_set_source(display, &fake_screen_ops, &screen);
}

static void teardown(void)
{
    display_free(display);
    fake_screen_finish(&screen);
}

/* Listeners, driven from the test's thread. */

struct watcher {
    struct display_listener listener;
    GMutex lock;
    GCond changed;
    bool attached;
    unsigned resizes, updates;
    unsigned width, height;
    bool covered; /* the last damage covered the surface */
};

static void on_updated(struct display_listener *listener, const struct surface *surface,
                       const struct damage *damage)
{
    struct watcher *w = (struct watcher *)listener;
    const struct damage_rect *r = &damage->rects[0];

    g_mutex_lock(&w->lock);
    w->updates++;
    w->covered = damage->count == 1 && r->width == surface->width && r->height == surface->height;
    g_cond_broadcast(&w->changed);
    g_mutex_unlock(&w->lock);
}

static void on_resized(struct display_listener *listener, const struct surface *surface)
{
    struct watcher *w = (struct watcher *)listener;

    g_mutex_lock(&w->lock);
    w->resizes++;
    w->width = surface->width;
    w->height = surface->height;
    g_mutex_unlock(&w->lock);
}

static gboolean attach(gpointer data)
{
    struct watcher *w = data;

    if (w->attached)
        display_remove_listener(display, &w->listener);
    else
        display_add_listener(display, &w->listener);
    g_mutex_lock(&w->lock);
    w->attached = !w->attached;
    g_cond_broadcast(&w->changed);
    g_mutex_unlock(&w->lock);
    return G_SOURCE_REMOVE;
}

static void toggle(struct watcher *w, bool attached)
{
    GSource *source = g_idle_source_new();

    g_source_set_callback(source, attach, w, NULL);
    g_source_attach(source, display_context(display));
    g_source_unref(source);
    g_mutex_lock(&w->lock);
    while (w->attached != attached)
        g_cond_wait(&w->changed, &w->lock);
    g_mutex_unlock(&w->lock);
}

static void wait_updates(struct watcher *w, unsigned count)
{
    g_mutex_lock(&w->lock);
    while (w->updates < count)
        g_cond_wait(&w->changed, &w->lock);
    g_mutex_unlock(&w->lock);
}

static void watcher_init(struct watcher *w)
{
    memset(w, 0, sizeof(*w));
    w->listener.updated = on_updated;
    w->listener.resized = on_resized;
}

START_TEST(test_nobody_looks_nobody_works)
{
    struct watcher w;
    unsigned seen;

    watcher_init(&w);
    fake_screen_draw(&screen, 64, 48, 1);
    g_usleep(150000);
    display_wake(display);
    g_usleep(50000);
    ck_assert_uint_eq(fake_screen_refreshes(&screen), 0);
    toggle(&w, true);
    wait_updates(&w, 1);
    ck_assert_uint_eq(w.resizes, 1);
    ck_assert_uint_eq(w.width, 64);
    ck_assert(w.covered);
    toggle(&w, false);
    seen = fake_screen_refreshes(&screen);
    g_usleep(300000);
    ck_assert_uint_eq(fake_screen_refreshes(&screen), seen);

    /* Back again: the surface is there at once, and redrawn as a whole. */
    toggle(&w, true);
    wait_updates(&w, 2);
    ck_assert_uint_eq(w.resizes, 2);
    ck_assert(w.covered);
    ck_assert_uint_eq(screen.full_refreshes, 2);
    toggle(&w, false);
}
END_TEST

START_TEST(test_backoff_and_wake)
{
    struct watcher w;
    unsigned before, quiet, woken;

    watcher_init(&w);
    fake_screen_draw(&screen, 64, 48, 1);
    toggle(&w, true);
    wait_updates(&w, 1);
    g_usleep(1500000); /* the waits have grown to their most */
    before = fake_screen_refreshes(&screen);
    g_usleep(1000000);
    quiet = fake_screen_refreshes(&screen) - before;
    ck_assert_uint_ge(quiet, 1);
    ck_assert_uint_le(quiet, 6);
    ck_assert_uint_eq(w.updates, 1);

    before = fake_screen_refreshes(&screen);
    for (unsigned i = 0; i < 10; i++) {
        display_wake(display);
        g_usleep(30000);
    }
    woken = fake_screen_refreshes(&screen) - before;
    ck_assert_uint_gt(woken, quiet);

    /* A storm of wakes does not go over the full rate. */
    before = fake_screen_refreshes(&screen);
    for (gint64 end = g_get_monotonic_time() + 500000; g_get_monotonic_time() < end;)
        display_wake(display);
    ck_assert_uint_le(fake_screen_refreshes(&screen) - before, DISPLAY_REFRESH_HZ / 2 + 2);
    toggle(&w, false);
}
END_TEST

START_TEST(test_resize_reaches_all)
{
    struct watcher a, b;

    watcher_init(&a);
    watcher_init(&b);
    toggle(&a, true);
    toggle(&b, true);
    fake_screen_draw(&screen, 32, 20, 1);
    wait_updates(&a, 1);
    wait_updates(&b, 1);
    fake_screen_draw(&screen, 20, 32, 1);
    for (bool done = false; !done;) {
        g_usleep(1000);
        g_mutex_lock(&a.lock);
        g_mutex_lock(&b.lock);
        done = a.height == 32 && b.height == 32;
        g_mutex_unlock(&b.lock);
        g_mutex_unlock(&a.lock);
    }
    toggle(&a, false);
    toggle(&b, false);
}
END_TEST

/* Queries. */

struct reply {
    bool done;
    struct screen_answer answer;
    uint8_t first[3];
    char text[6];
};

static void on_answer(const struct screen_answer *answer, void *opaque)
{
    struct reply *r = opaque;

    r->done = true;
    r->answer = *answer;
    if (answer->rgb != NULL)
        memcpy(r->first, answer->rgb, 3);
    for (unsigned i = 0; answer->text != NULL && i < 5; i++)
        r->text[i] = answer->text->cells[i].code;
}

static struct reply ask(uint64_t since, unsigned wait_ms, unsigned width, unsigned height)
{
    struct screen_query q = {since, wait_ms, width, height};
    struct reply r = {0};

    display_query(display, &q, NULL, on_answer, &r);
    while (!r.done)
        g_main_context_iteration(NULL, TRUE);
    return r;
}

START_TEST(test_query_graphics)
{
    struct reply r;
    uint64_t seen;

    fake_screen_draw(&screen, 640, 480, 0);
    r = ask(0, 0, 64, 64);
    ck_assert(!r.answer.unchanged);
    ck_assert_int_eq(r.answer.mode, DISPLAY_GRAPHICS);
    ck_assert_uint_eq(r.answer.guest_width, 640);
    ck_assert_uint_eq(r.answer.guest_height, 480);
    ck_assert_uint_eq(r.answer.width, 64);
    ck_assert_uint_eq(r.answer.height, 48);
    seen = r.answer.generation;
    ck_assert_uint_gt(seen, 0);

    r = ask(seen, 0, 64, 64);
    ck_assert(r.answer.unchanged);
    ck_assert_uint_eq(r.answer.generation, seen);
    r = ask(seen, 50, 64, 64);
    ck_assert(r.answer.unchanged);

    fake_screen_draw(&screen, 1, 1, 0x123456);
    r = ask(seen, 60000, 64, 64);
    ck_assert(!r.answer.unchanged);
    ck_assert_uint_gt(r.answer.generation, seen);
    ck_assert_uint_eq(r.answer.width, 1);
    ck_assert_uint_eq(r.first[0], 0x12);
    ck_assert_uint_eq(r.first[1], 0x34);
    ck_assert_uint_eq(r.first[2], 0x56);

    r = ask(0, 0, 0, 64);
    ck_assert_ptr_null(r.answer.rgb);
    ck_assert_uint_eq(r.answer.width, 0);
    r = ask(0, UINT_MAX, UINT_MAX, UINT_MAX);
    ck_assert_uint_eq(r.answer.width, 1);
}
END_TEST

START_TEST(test_query_text)
{
    struct reply r;

    screen.text = g_new0(struct text_screen, 1);
    screen.text->columns = 80;
    screen.text->rows = 25;
    for (unsigned i = 0; i < 5; i++)
        screen.text->cells[i].code = "hello"[i];
    screen.mode = DISPLAY_TEXT;
    fake_screen_draw(&screen, 720, 400, 0);
    r = ask(0, 0, 64, 64);
    ck_assert_int_eq(r.answer.mode, DISPLAY_TEXT);
    ck_assert_str_eq(r.text, "hello");
    ck_assert_ptr_null(r.answer.rgb);
}
END_TEST

START_TEST(test_query_blank)
{
    struct reply r;

    screen.mode = DISPLAY_BLANK;
    r = ask(0, 60000, 64, 64);
    ck_assert(!r.answer.unchanged);
    ck_assert_int_eq(r.answer.mode, DISPLAY_BLANK);
    ck_assert_uint_eq(r.answer.guest_width, 0);
}
END_TEST

START_TEST(test_query_without_source)
{
    struct display *bare = display_new();
    struct screen_query q = {.wait_ms = 60000};
    struct reply r = {0};

    display_query(bare, &q, NULL, on_answer, &r);
    while (!r.done)
        g_main_context_iteration(NULL, TRUE);
    ck_assert_int_eq(r.answer.mode, DISPLAY_BLANK);
    display_free(bare);
}
END_TEST

START_TEST(test_query_stops_work)
{
    struct reply r;
    unsigned seen;

    fake_screen_draw(&screen, 64, 48, 1);
    r = ask(0, 0, 0, 0);
    ck_assert(!r.answer.unchanged);
    g_usleep(1300000);
    seen = fake_screen_refreshes(&screen);
    g_usleep(500000);
    ck_assert_uint_eq(fake_screen_refreshes(&screen), seen);
}
END_TEST

START_TEST(test_query_cancel)
{
    struct screen_query q = {.wait_ms = 60000};
    struct reply waiting = {0}, raced = {0};
    struct display_ticket *ticket;
    unsigned seen;

    fake_screen_draw(&screen, 64, 48, 1);
    q.since = ask(0, 0, 0, 0).answer.generation;
    ticket = display_query(display, &q, NULL, on_answer, &waiting);
    g_usleep(20000);
    display_query_cancel(ticket);

    /* The answer of this one is already on its way. */
    q.since = 0;
    ticket = display_query(display, &q, NULL, on_answer, &raced);
    g_usleep(50000);
    display_query_cancel(ticket);

    fake_screen_draw(&screen, 64, 48, 2);
    g_usleep(1500000);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    ck_assert(!waiting.done);
    ck_assert(!raced.done);
    /* And a withdrawn question keeps nobody at work. */
    seen = fake_screen_refreshes(&screen);
    g_usleep(300000);
    ck_assert_uint_eq(fake_screen_refreshes(&screen), seen);
}
END_TEST

/* Screen dumps. */

struct dump {
    bool done;
    GBytes *png;
    GError *error;
};

static void on_png(GBytes *png, const GError *error, void *opaque)
{
    struct dump *d = opaque;

    d->done = true;
    d->png = png != NULL ? g_bytes_ref(png) : NULL;
    d->error = error != NULL ? g_error_copy(error) : NULL;
}

static void wait_dump(struct dump *d)
{
    while (!d->done)
        g_main_context_iteration(NULL, TRUE);
}

START_TEST(test_screendump)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    struct dump d = {0};
    g_autofree uint8_t *rgb = NULL;

    fake_screen_draw(&screen, 333, 111, 0xfedcba);
    display_screendump(display, NULL, on_png, &d);
    wait_dump(&d);
    ck_assert_ptr_null(d.error);
    ck_assert(png_image_begin_read_from_memory(&image, g_bytes_get_data(d.png, NULL),
                                               g_bytes_get_size(d.png)));
    image.format = PNG_FORMAT_RGB;
    ck_assert_uint_eq(image.width, 333);
    ck_assert_uint_eq(image.height, 111);
    rgb = g_malloc(PNG_IMAGE_SIZE(image));
    ck_assert(png_image_finish_read(&image, NULL, rgb, 0, NULL));
    for (unsigned y = 0; y < 111; y++)
        for (unsigned x = 0; x < 333; x++) {
            const uint8_t *p = rgb + (y * 333 + x) * 3;

            ck_assert_uint_eq(p[0] << 16 | p[1] << 8 | p[2], fake_screen_pixel(0xfedcba, x, y));
        }
    g_bytes_unref(d.png);
}
END_TEST

START_TEST(test_screendump_nothing_yet)
{
    struct dump d = {0};

    display_screendump(display, NULL, on_png, &d);
    wait_dump(&d);
    ck_assert_ptr_null(d.png);
    ck_assert(g_error_matches(d.error, VMDESK_ERROR, VMDESK_ERROR_BUSY));
    g_error_free(d.error);
}
END_TEST

START_TEST(test_screendump_flood)
{
    struct dump d[32] = {0};
    unsigned refused = 0;

    fake_screen_draw(&screen, SURFACE_MAX_WIDTH, SURFACE_MAX_HEIGHT, 3);
    for (unsigned i = 0; i < G_N_ELEMENTS(d); i++)
        display_screendump(display, NULL, on_png, &d[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(d); i++) {
        wait_dump(&d[i]);
        ck_assert((d[i].png == NULL) != (d[i].error == NULL));
        refused += d[i].error != NULL;
        g_clear_pointer(&d[i].png, g_bytes_unref);
        g_clear_error(&d[i].error);
    }
    ck_assert_uint_lt(refused, G_N_ELEMENTS(d));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("display");
    TCase *tc = tcase_create("display");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_nobody_looks_nobody_works);
    tcase_add_test(tc, test_backoff_and_wake);
    tcase_add_test(tc, test_resize_reaches_all);
    tcase_add_test(tc, test_query_graphics);
    tcase_add_test(tc, test_query_text);
    tcase_add_test(tc, test_query_blank);
    tcase_add_test(tc, test_query_without_source);
    tcase_add_test(tc, test_query_stops_work);
    tcase_add_test(tc, test_query_cancel);
    tcase_add_test(tc, test_screendump);
    tcase_add_test(tc, test_screendump_nothing_yet);
    tcase_add_test(tc, test_screendump_flood);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
