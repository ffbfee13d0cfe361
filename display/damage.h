/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damage: which part of a surface changed, as a bounded list of rectangles. Adding past the bound
 * merges rectangles: damage may grow, it is never lost.
 */
#ifndef DISPLAY_DAMAGE_H
#define DISPLAY_DAMAGE_H

#include <stdbool.h>

#define DAMAGE_MAX_RECTS 64

struct damage_rect {
    unsigned x, y, width, height;
};

struct damage {
    unsigned count;
    struct damage_rect rects[DAMAGE_MAX_RECTS]; /* may overlap */
};

void damage_clear(struct damage *damage);
/* The rectangle must lie inside the surface; an empty one adds nothing. */
void damage_add(struct damage *damage, unsigned x, unsigned y, unsigned width, unsigned height);

static inline bool damage_is_empty(const struct damage *damage)
{
    return damage->count == 0;
}

#endif
