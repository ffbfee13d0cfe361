/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/damage.h"

#include <glib.h>
#include <stdint.h>

void damage_clear(struct damage *damage)
{
    damage->count = 0;
}

static bool contains(const struct damage_rect *outer, const struct damage_rect *inner)
{
    return inner->x >= outer->x && inner->y >= outer->y &&
           inner->x + inner->width <= outer->x + outer->width &&
           inner->y + inner->height <= outer->y + outer->height;
}

static struct damage_rect bounds(const struct damage_rect *a, const struct damage_rect *b)
{
    struct damage_rect r = {.x = MIN(a->x, b->x), .y = MIN(a->y, b->y)};

    r.width = MAX(a->x + a->width, b->x + b->width) - r.x;
    r.height = MAX(a->y + a->height, b->y + b->height) - r.y;
    return r;
}

static uint64_t area(const struct damage_rect *r)
{
    return (uint64_t)r->width * r->height;
}

/* Pixels that a merge would add to both; 0 when they tile a rectangle, as rows of a screen do. */
static uint64_t merge_cost(const struct damage_rect *a, const struct damage_rect *b)
{
    struct damage_rect both = bounds(a, b);
    uint64_t sum = area(a) + area(b);

    return area(&both) > sum ? area(&both) - sum : 0;
}

static void remove_at(struct damage *damage, unsigned i)
{
    damage->rects[i] = damage->rects[--damage->count];
}

void damage_add(struct damage *damage, unsigned x, unsigned y, unsigned width, unsigned height)
{
    struct damage_rect added = {x, y, width, height};
    bool merged;

    if (width == 0 || height == 0)
        return;
    do {
        unsigned cheapest = 0;
        uint64_t least = UINT64_MAX;

        for (unsigned i = 0; i < damage->count; i++) {
            uint64_t cost;

            if (contains(&damage->rects[i], &added))
                return;
            cost = merge_cost(&damage->rects[i], &added);
            if (cost < least) {
                least = cost;
                cheapest = i;
            }
        }
        merged = least == 0 || damage->count == DAMAGE_MAX_RECTS;
        if (merged) {
            added = bounds(&damage->rects[cheapest], &added);
            remove_at(damage, cheapest);
        }
    } while (merged);
    damage->rects[damage->count++] = added;
}
