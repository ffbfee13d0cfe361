/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The display's source: called on its thread. */
#include <string.h>

#include "core/log.h"
#include "engine/dev/vga_internal.h"

/* The cursor is on for 16 frames of 70 Hz and off for 16; blinking characters take twice that. */
#define CURSOR_PHASE_NS (16 * NSEC_PER_SEC / 70)

struct vga_renderer {
    struct vga_regs regs; /* of the current refresh */
    struct vga_frame frame;
    struct vga_mode last_mode;
    uint32_t last_colors[256];
    struct vga_text_shadow *text;
    struct vga_line_buffer *line;
};

struct vga_renderer *vga_renderer_new(void)
{
    struct vga_renderer *renderer = g_new0(struct vga_renderer, 1);

    renderer->text = vga_text_shadow_new();
    renderer->line = vga_line_buffer_new();
    return renderer;
}

void vga_renderer_free(struct vga_renderer *renderer)
{
    if (renderer == NULL)
        return;
    vga_text_shadow_free(renderer->text);
    vga_line_buffer_free(renderer->line);
    g_free(renderer);
}

void vga_damage_flush(struct vga_damage *d)
{
    damage_add(d->damage, d->rect.x, d->rect.y, d->rect.width, d->rect.height);
    d->rect.height = 0;
}

void vga_damage_span(struct vga_damage *d, unsigned x, unsigned y, unsigned width, unsigned height)
{
    struct damage_rect *r = &d->rect;

    if (r->height > 0) {
        unsigned left = MIN(r->x, x), right = MAX(r->x + r->width, x + width);

        /* Not when most of the joint rectangle would be unchanged. */
        if (r->y + r->height == y && right - left <= r->width + width) {
            *r = (struct damage_rect){left, r->y, right - left, r->height + height};
            return;
        }
        vga_damage_flush(d);
    }
    *r = (struct damage_rect){x, y, width, height};
}

/* The only part under the board's lock. What the guest writes from here on is in the next
 * refresh's dirty bits, so the memory may be read later. */
static void take_snapshot(struct vga *vga, struct vga_regs *regs, uint8_t dirty[VGA_VRAM_PAGES / 8])
{
    g_mutex_lock(&vga->board->lock);
    *regs = vga->regs;
    if (dirty != NULL)
        vga_fetch_dirty(vga, dirty);
    g_mutex_unlock(&vga->board->lock);
}

static void prepare_frame(struct vga *vga, struct vga_renderer *renderer)
{
    static const uint8_t clean[VGA_VRAM_PAGES / 8];
    struct vga_frame *frame = &renderer->frame;
    uint64_t phase = clock_now(vga->board->clock) / CURSOR_PHASE_NS;

    memset(frame->dirty, 0, sizeof(frame->dirty));
    take_snapshot(vga, &renderer->regs, frame->dirty);
    frame->vga = vga;
    vga_mode_decode(&renderer->regs, &frame->mode);
    vga_cursor_decode(&renderer->regs, &frame->mode, &frame->cursor);
    vga_colors_decode(&renderer->regs, &frame->mode, frame->colors);
    frame->cursor_on = phase % 2 == 0;
    frame->blink_on = phase / 2 % 2 == 0;
    frame->any_dirty = memcmp(frame->dirty, clean, sizeof(clean)) != 0;
}

static enum display_mode show_blank(struct vga_renderer *renderer, struct surface *surface,
                                    struct damage *damage, bool full)
{
    if (!full && renderer->last_mode.kind == VGA_BLANK)
        return DISPLAY_BLANK;
    renderer->last_mode = renderer->frame.mode;
    for (unsigned y = 0; y < surface->height; y++)
        memset(surface_row(surface, y), 0, surface->width * sizeof(uint32_t));
    damage_add(damage, 0, 0, surface->width, surface->height);
    return DISPLAY_BLANK;
}

static enum display_mode vga_refresh(void *opaque, struct surface *surface, struct damage *damage,
                                     bool full)
{
    struct vga *vga = opaque;
    struct vga_renderer *renderer = vga->renderer;
    struct vga_frame *frame = &renderer->frame;
    const struct vga_mode *mode = &frame->mode;
    struct vga_damage joined = {.damage = damage};

    prepare_frame(vga, renderer);
    if (mode->kind == VGA_BLANK)
        return show_blank(renderer, surface, damage, full);
    if (surface->width != mode->width || surface->height != mode->height) {
        if (!surface_resize(surface, mode->width, mode->height)) {
            log_guest("vga", "no memory for a screen of %u x %u: it stays blank", mode->width,
                      mode->height);
            frame->mode = (struct vga_mode){.kind = VGA_BLANK};
            return show_blank(renderer, surface, damage, full);
        }
        full = true;
    }
    frame->redraw = full || memcmp(mode, &renderer->last_mode, sizeof(*mode)) != 0 ||
                    memcmp(frame->colors, renderer->last_colors, sizeof(frame->colors)) != 0;
    renderer->last_mode = *mode;
    memcpy(renderer->last_colors, frame->colors, sizeof(frame->colors));

    if (mode->kind == VGA_TEXT)
        vga_text_draw(frame, renderer->text, surface, &joined);
    else if (frame->redraw || frame->any_dirty)
        vga_graphics_draw(frame, renderer->line, surface, &joined);
    vga_damage_flush(&joined);

    if (full)
        damage_add(damage, 0, 0, surface->width, surface->height);
    return mode->kind == VGA_TEXT ? DISPLAY_TEXT : DISPLAY_GRAPHICS;
}

static bool vga_text(void *opaque, struct text_screen *screen)
{
    struct vga *vga = opaque;
    struct vga_regs regs;
    struct vga_mode mode;
    struct vga_cursor cursor;

    take_snapshot(vga, &regs, NULL);
    vga_mode_decode(&regs, &mode);
    if (mode.kind != VGA_TEXT)
        return false;
    vga_cursor_decode(&regs, &mode, &cursor);
    vga_text_read(vga, &mode, &cursor, screen);
    return true;
}

static void vga_suggest_size(void *opaque, unsigned width, unsigned height)
{
    struct vga *vga = opaque;

    g_mutex_lock(&vga->board->lock);
    edid_fill(vga->edid, width, height);
    g_mutex_unlock(&vga->board->lock);
}

const struct display_source_ops vga_display_ops = {vga_refresh, vga_text, vga_suggest_size};
