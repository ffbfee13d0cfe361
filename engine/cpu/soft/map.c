/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/map.h"

#include <string.h>

#include "engine/cpu/soft/soft_internal.h"

struct soft_maps {
    struct soft_accel *accel;
    GPtrArray *rams; /* struct soft_ram *; the board's lock */
    GMutex lock;     /* what follows */
    struct soft_map *map;
};

const struct soft_section *soft_map_find(const struct soft_map *map, uint64_t gpa)
{
    unsigned low = 0, high = map->count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        const struct soft_section *s = &map->sections[middle];

        if (gpa < s->base)
            high = middle;
        else if (gpa - s->base >= s->size)
            low = middle + 1;
        else
            return s;
    }
    return NULL;
}

const struct soft_section *soft_map_find_host(const struct soft_map *map, const uint8_t *host)
{
    for (unsigned i = 0; i < map->count; i++) {
        if ((uint64_t)(host - map->sections[i].host) < map->sections[i].size)
            return &map->sections[i];
    }
    return NULL;
}

static struct soft_map *map_alloc(unsigned count)
{
    struct soft_map *map = g_malloc0(sizeof(struct soft_map) + count * sizeof(struct soft_section));

    map->references = 1;
    map->count = count;
    return map;
}

void soft_map_unref(struct soft_map *map)
{
    if (map != NULL && __atomic_sub_fetch(&map->references, 1, __ATOMIC_ACQ_REL) == 0)
        g_free(map);
}

struct soft_map *soft_maps_get(struct soft_maps *maps)
{
    struct soft_map *map;

    g_mutex_lock(&maps->lock);
    map = maps->map;
    __atomic_add_fetch(&map->references, 1, __ATOMIC_RELAXED);
    g_mutex_unlock(&maps->lock);
    return map;
}

static void replace(struct soft_maps *maps, struct soft_map *map)
{
    struct soft_map *old;

    g_mutex_lock(&maps->lock);
    old = maps->map;
    maps->map = map;
    g_mutex_unlock(&maps->lock);
    soft_map_unref(old);
    soft_accel_request_all(maps->accel, SOFT_REQUEST_MAP);
}

static struct soft_ram *ram_of(struct soft_maps *maps, const struct region *region)
{
    struct soft_ram *ram;
    uint64_t pages = region->size / 4096 + 1;

    for (guint i = 0; i < maps->rams->len; i++) {
        ram = g_ptr_array_index(maps->rams, i);
        if (ram->host == region->host && ram->size == region->size)
            return ram;
    }
    ram = g_new0(struct soft_ram, 1);
    ram->host = region->host;
    ram->size = region->size;
    ram->code = g_new0(uint64_t, pages);
    ram->dirty = g_new0(uint64_t, pages / 64 + 1);
    g_ptr_array_add(maps->rams, ram);
    return ram;
}

static void ram_free(gpointer data)
{
    struct soft_ram *ram = data;

    g_free(ram->code);
    g_free(ram->dirty);
    g_free(ram);
}

static void add(void *opaque, const struct memory_section *s)
{
    struct soft_maps *maps = opaque;
    const struct soft_map *old = maps->map;
    struct soft_map *map = map_alloc(old->count + 1);
    unsigned at = 0;

    while (at < old->count && old->sections[at].base < s->base)
        at++;
    memcpy(map->sections, old->sections, at * sizeof(*map->sections));
    map->sections[at] = (struct soft_section){
        .base = s->base,
        .size = s->size,
        .host = s->region->host + s->offset,
        .ram = ram_of(maps, s->region),
        .readonly = s->region->readonly,
        .log_dirty = s->region->log_dirty,
    };
    if (s->region->log_dirty)
        __atomic_store_n(&map->sections[at].ram->logged, true, __ATOMIC_RELAXED);
    memcpy(&map->sections[at + 1], &old->sections[at], (old->count - at) * sizeof(*map->sections));
    replace(maps, map);
}

static void remove_section(void *opaque, const struct memory_section *s)
{
    struct soft_maps *maps = opaque;
    const struct soft_section *gone = soft_map_find(maps->map, s->base);
    struct soft_map *map;
    unsigned at;

    if (gone == NULL)
        return;
    at = gone - maps->map->sections;
    map = map_alloc(maps->map->count - 1);
    memcpy(map->sections, maps->map->sections, at * sizeof(*map->sections));
    memcpy(&map->sections[at], gone + 1, (map->count - at) * sizeof(*map->sections));
    replace(maps, map);
}

/* A vCPU may still have a page open for fast writing: it marks such pages once more when it learns
 * of the fetch, so they are told twice rather than never. */
static void fetch_dirty(void *opaque, const struct memory_section *s, uint8_t *bitmap)
{
    struct soft_maps *maps = opaque;
    const struct soft_section *section = soft_map_find(maps->map, s->base);
    uint64_t first, any = 0;

    if (section == NULL)
        return;
    first = (section->host - section->ram->host) / 4096;
    for (uint64_t i = 0; i < section->size / 4096; i++) {
        uint64_t *word = &section->ram->dirty[(first + i) / 64];
        uint64_t bit = UINT64_C(1) << (first + i) % 64;

        if ((__atomic_load_n(word, __ATOMIC_RELAXED) & bit) == 0)
            continue;
        __atomic_fetch_and(word, ~bit, __ATOMIC_ACQ_REL);
        bitmap[i / 8] |= 1 << i % 8;
        any = bit;
    }
    if (any != 0)
        soft_accel_request_all(maps->accel, SOFT_REQUEST_DIRTY);
}

static void written(void *opaque, uint64_t gpa, uint64_t size)
{
    struct soft_maps *maps = opaque;
    uint64_t end = gpa + size;

    for (; gpa < end; gpa = (gpa | 4095) + 1) {
        const struct soft_section *s = soft_map_find(maps->map, gpa);
        uint8_t *host;

        if (s == NULL)
            continue;
        host = s->host + (gpa - s->base);
        soft_code_written(maps->accel, s, host, MIN(end - gpa, 4096 - gpa % 4096));
    }
}

const struct memory_listener soft_map_listener = {
    .add = add,
    .remove = remove_section,
    .fetch_dirty = fetch_dirty,
    .written = written,
};

struct soft_maps *soft_maps_new(struct soft_accel *accel)
{
    struct soft_maps *maps = g_new0(struct soft_maps, 1);

    maps->accel = accel;
    maps->rams = g_ptr_array_new_with_free_func(ram_free);
    g_mutex_init(&maps->lock);
    maps->map = map_alloc(0);
    return maps;
}

void soft_maps_free(struct soft_maps *maps)
{
    if (maps == NULL)
        return;
    soft_map_unref(maps->map);
    g_ptr_array_free(maps->rams, TRUE);
    g_mutex_clear(&maps->lock);
    g_free(maps);
}
