/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/bus/memory_map.h"

#include <glib.h>
#include <string.h>

#define PAGE_SIZE 4096

/* A section with what the listener was told about its host memory. */
struct flat_section {
    struct memory_section section;
    uint8_t *host;
    bool readonly, log_dirty;
    bool announced;
};

struct memory_map {
    GPtrArray *regions; /* struct region *: highest priority first, of equals the newest first */
    GArray *flat;       /* struct flat_section, by address */
    const struct memory_listener *listener;
    void *listener_opaque;
    unsigned depth; /* of begin */
    bool changed;
};

struct memory_map *memory_map_new(void)
{
    struct memory_map *map = g_new0(struct memory_map, 1);

    map->regions = g_ptr_array_new();
    map->flat = g_array_new(FALSE, TRUE, sizeof(struct flat_section));
    return map;
}

void memory_map_free(struct memory_map *map)
{
    if (map == NULL)
        return;
    memory_map_set_listener(map, NULL, NULL);
    g_ptr_array_free(map->regions, TRUE);
    g_array_free(map->flat, TRUE);
    g_free(map);
}

static struct flat_section *flat_at(const struct memory_map *map, size_t i)
{
    return &g_array_index(map->flat, struct flat_section, i);
}

/* Index of the first section that ends after gpa; the count when there is none. */
static size_t flat_search(const GArray *flat, uint64_t gpa)
{
    size_t low = 0, high = flat->len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct memory_section *s = &g_array_index(flat, struct flat_section, middle).section;

        if (gpa - s->base < s->size || gpa < s->base)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Puts the parts of region that flat does not cover yet into it. */
static void flat_fill(GArray *flat, struct region *region)
{
    uint64_t at = region->base, end = region->base + region->size;

    while (at < end) {
        size_t i = flat_search(flat, at);
        uint64_t stop = end;

        if (i < flat->len) {
            const struct memory_section *next =
                &g_array_index(flat, struct flat_section, i).section;

            if (next->base <= at) {
                at = next->base + next->size;
                continue;
            }
            stop = MIN(end, next->base);
        }
        struct flat_section piece = {
            .section = {.base = at,
                        .size = stop - at,
                        .region = region,
                        .offset = at - region->base},
            .host = region->host,
            .readonly = region->readonly,
            .log_dirty = region->log_dirty,
        };
        g_array_insert_val(flat, i, piece);
        at = stop;
    }
}

static bool same_section(const struct flat_section *a, const struct flat_section *b)
{
    return a->section.base == b->section.base && a->section.size == b->section.size &&
           a->section.region == b->section.region && a->section.offset == b->section.offset &&
           a->host == b->host && a->readonly == b->readonly && a->log_dirty == b->log_dirty;
}

static bool can_announce(const struct flat_section *s)
{
    return s->host != NULL && s->section.base % PAGE_SIZE == 0 &&
           s->section.size % PAGE_SIZE == 0 && s->section.offset % PAGE_SIZE == 0;
}

static void withdraw(struct memory_map *map, struct flat_section *s)
{
    if (!s->announced)
        return;
    s->announced = false;
    /* What was written since the last fetch can no longer be told: call it all written. */
    if (s->log_dirty)
        s->section.region->all_dirty = true;
    map->listener->remove(map->listener_opaque, &s->section);
}

static void announce(struct memory_map *map, struct flat_section *s)
{
    if (map->listener == NULL || s->announced || !can_announce(s))
        return;
    s->announced = true;
    map->listener->add(map->listener_opaque, &s->section);
}

static void rebuild(struct memory_map *map)
{
    GArray *old = map->flat;
    GArray *flat = g_array_new(FALSE, TRUE, sizeof(struct flat_section));

    for (guint i = 0; i < map->regions->len; i++)
        flat_fill(flat, g_ptr_array_index(map->regions, i));

    /* Sections that stay keep their slot; the others go before new ones come. */
    for (guint i = 0; i < old->len; i++) {
        struct flat_section *was = &g_array_index(old, struct flat_section, i);
        size_t at = flat_search(flat, was->section.base);
        struct flat_section *now =
            at < flat->len ? &g_array_index(flat, struct flat_section, at) : NULL;

        if (now != NULL && same_section(was, now))
            now->announced = was->announced;
        else
            withdraw(map, was);
    }
    map->flat = flat;
    g_array_free(old, TRUE);
    for (guint i = 0; i < flat->len; i++)
        announce(map, flat_at(map, i));
}

static void change(struct memory_map *map)
{
    map->changed = true;
    if (map->depth > 0)
        return;
    map->changed = false;
    rebuild(map);
}

void memory_map_begin(struct memory_map *map)
{
    map->depth++;
}

void memory_map_commit(struct memory_map *map)
{
    g_return_if_fail(map->depth > 0);
    map->depth--;
    if (map->depth == 0 && map->changed)
        change(map);
}

void memory_map_set_listener(struct memory_map *map, const struct memory_listener *listener,
                             void *opaque)
{
    for (guint i = 0; i < map->flat->len && map->listener != NULL; i++)
        withdraw(map, flat_at(map, i));
    map->listener = listener;
    map->listener_opaque = opaque;
    for (guint i = 0; i < map->flat->len; i++)
        announce(map, flat_at(map, i));
}

void memory_map_add(struct memory_map *map, struct region *region, uint64_t base, int priority)
{
    guint at = 0;

    g_return_if_fail(region->size > 0 && base + region->size > base);
    if (region->mapped)
        g_ptr_array_remove(map->regions, region);
    region->mapped = true;
    region->base = base;
    region->priority = priority;
    while (at < map->regions->len &&
           ((struct region *)g_ptr_array_index(map->regions, at))->priority > priority)
        at++;
    g_ptr_array_insert(map->regions, at, region);
    change(map);
}

void memory_map_remove(struct memory_map *map, struct region *region)
{
    if (!region->mapped)
        return;
    region->mapped = false;
    g_ptr_array_remove(map->regions, region);
    change(map);
    /* The region may be freed once this returns, so its sections cannot wait for a commit. */
    if (map->changed)
        rebuild(map);
}

void memory_map_update(struct memory_map *map, struct region *region)
{
    if (region->mapped)
        change(map);
}

const struct memory_section *memory_map_find(const struct memory_map *map, uint64_t gpa)
{
    size_t i = flat_search(map->flat, gpa);

    if (i == map->flat->len || flat_at(map, i)->section.base > gpa)
        return NULL;
    return &flat_at(map, i)->section;
}

const struct memory_section *memory_map_section(const struct memory_map *map, size_t index)
{
    return index < map->flat->len ? &flat_at(map, index)->section : NULL;
}

static uint64_t value_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
}

/* An access that lies within one section. */
static uint64_t section_read(const struct memory_section *s, uint64_t gpa, unsigned size)
{
    struct region *region = s->region;
    uint64_t offset = s->offset + (gpa - s->base);
    uint64_t value = 0;

    if (region->host != NULL) {
        memcpy(&value, region->host + offset, size);
        return value;
    }
    if (region->ops == NULL || region->ops->read == NULL)
        return value_mask(size);
    unsigned step = MIN(size, region->ops->max_access);
    for (unsigned done = 0; done < size; done += step) {
        uint64_t part = region->ops->read(region->opaque, offset + done, step);

        value |= (part & value_mask(step)) << done * 8;
    }
    return value;
}

static void section_write(const struct memory_section *s, uint64_t gpa, uint64_t value,
                          unsigned size)
{
    struct region *region = s->region;
    uint64_t offset = s->offset + (gpa - s->base);

    if (region->host != NULL && !region->readonly) {
        memcpy(region->host + offset, &value, size);
        region->all_dirty |= region->log_dirty;
        return;
    }
    if (region->ops == NULL || region->ops->write == NULL)
        return;
    unsigned step = MIN(size, region->ops->max_access);
    for (unsigned done = 0; done < size; done += step)
        region->ops->write(region->opaque, offset + done, value >> done * 8 & value_mask(step),
                           step);
}

static bool within(const struct memory_section *s, uint64_t gpa, uint64_t size)
{
    return s != NULL && size <= s->size - (gpa - s->base);
}

uint64_t memory_map_read(struct memory_map *map, uint64_t gpa, unsigned size)
{
    const struct memory_section *s = memory_map_find(map, gpa);
    uint64_t value = 0;

    if (within(s, gpa, size))
        return section_read(s, gpa, size) & value_mask(size);
    for (unsigned i = 0; i < size; i++) {
        s = memory_map_find(map, gpa + i);
        value |= (s != NULL ? section_read(s, gpa + i, 1) & 0xff : 0xff) << i * 8;
    }
    return value;
}

void memory_map_write(struct memory_map *map, uint64_t gpa, uint64_t value, unsigned size)
{
    const struct memory_section *s = memory_map_find(map, gpa);

    if (within(s, gpa, size)) {
        section_write(s, gpa, value, size);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        s = memory_map_find(map, gpa + i);
        if (s != NULL)
            section_write(s, gpa + i, value >> i * 8 & 0xff, 1);
    }
}

/* ORs count bits of from into bitmap, starting at bit first. */
static void or_bits(uint8_t *bitmap, uint64_t first, const uint8_t *from, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (from[i / 8] == 0) {
            i |= 7;
            continue;
        }
        if (from[i / 8] >> i % 8 & 1)
            bitmap[(first + i) / 8] |= 1 << (first + i) % 8;
    }
}

void memory_map_fetch_dirty(struct memory_map *map, struct region *region, uint8_t *bitmap)
{
    uint64_t region_pages = region->size / PAGE_SIZE;

    for (guint i = 0; i < map->flat->len; i++) {
        struct flat_section *s = flat_at(map, i);

        if (s->section.region != region || !s->announced)
            continue;
        uint64_t pages = s->section.size / PAGE_SIZE;
        g_autofree uint8_t *bits = g_malloc0((pages + 63) / 64 * 8);

        map->listener->fetch_dirty(map->listener_opaque, &s->section, bits);
        or_bits(bitmap, s->section.offset / PAGE_SIZE, bits, pages);
    }
    if (region->all_dirty) {
        region->all_dirty = false;
        memset(bitmap, 0xff, (region_pages + 7) / 8);
    }
}

void guest_memory_written(struct memory_map *map, uint64_t gpa, uint64_t size)
{
    for (size_t i = flat_search(map->flat, gpa); i < map->flat->len; i++) {
        struct flat_section *s = flat_at(map, i);

        if (s->section.base >= gpa + size)
            break;
        s->section.region->all_dirty |= s->log_dirty;
    }
    if (map->listener != NULL && map->listener->written != NULL)
        map->listener->written(map->listener_opaque, gpa, size);
}
