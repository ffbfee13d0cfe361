/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/screen.h"

uint32_t fake_screen_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return (seed + x * 0x010203 + y * 0x000305) & 0xffffff;
}

static enum display_mode refresh(void *opaque, struct surface *surface, struct damage *damage,
                                 bool full)
{
    struct fake_screen *s = opaque;
    enum display_mode mode;

    g_mutex_lock(&s->lock);
    s->refreshes++;
    s->full_refreshes += full;
    if (s->width != surface->width || s->height != surface->height) {
        if (s->width > 0 && !surface_resize(surface, s->width, s->height))
            g_assert_not_reached();
        full = true;
    }
    if ((full || s->dirty) && surface->pixels != NULL) {
        for (unsigned y = 0; y < surface->height; y++)
            for (unsigned x = 0; x < surface->width; x++)
                surface_row(surface, y)[x] = fake_screen_pixel(s->seed, x, y);
        damage_add(damage, 0, 0, surface->width, surface->height);
    }
    s->dirty = false;
    mode = s->mode;
    g_cond_broadcast(&s->asked);
    g_mutex_unlock(&s->lock);
    return mode;
}

static bool text(void *opaque, struct text_screen *ret)
{
    struct fake_screen *s = opaque;
    bool ok;

    g_mutex_lock(&s->lock);
    ok = s->text != NULL;
    if (ok)
        *ret = *s->text;
    g_mutex_unlock(&s->lock);
    return ok;
}

static void suggest_size(void *opaque, unsigned width, unsigned height)
{
    struct fake_screen *s = opaque;

    g_mutex_lock(&s->lock);
    s->suggested_width = width;
    s->suggested_height = height;
    g_mutex_unlock(&s->lock);
}

const struct display_source_ops fake_screen_ops = {
    .refresh = refresh,
    .text = text,
    .suggest_size = suggest_size,
};

void fake_screen_init(struct fake_screen *s)
{
    *s = (struct fake_screen){.mode = DISPLAY_GRAPHICS};
    g_mutex_init(&s->lock);
    g_cond_init(&s->asked);
}

void fake_screen_finish(struct fake_screen *s)
{
    g_mutex_clear(&s->lock);
    g_cond_clear(&s->asked);
    g_free(s->text);
}

void fake_screen_draw(struct fake_screen *s, unsigned width, unsigned height, uint32_t seed)
{
    g_mutex_lock(&s->lock);
    s->width = width;
    s->height = height;
    s->seed = seed;
    s->dirty = true;
    g_mutex_unlock(&s->lock);
}

unsigned fake_screen_refreshes(struct fake_screen *s)
{
    unsigned n;

    g_mutex_lock(&s->lock);
    n = s->refreshes;
    g_mutex_unlock(&s->lock);
    return n;
}

unsigned fake_screen_suggested(struct fake_screen *s)
{
    unsigned size;

    g_mutex_lock(&s->lock);
    size = s->suggested_width << 16 | s->suggested_height;
    g_mutex_unlock(&s->lock);
    return size;
}
