/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/bus/pio.h"

#include <glib.h>

#define PORTS 0x10000

struct pio_bus {
    GPtrArray *regions; /* struct region *, by port */
};

struct pio_bus *pio_bus_new(void)
{
    struct pio_bus *bus = g_new0(struct pio_bus, 1);

    bus->regions = g_ptr_array_new();
    return bus;
}

void pio_bus_free(struct pio_bus *bus)
{
    if (bus == NULL)
        return;
    g_ptr_array_free(bus->regions, TRUE);
    g_free(bus);
}

/* Index of the first region that ends after port. */
static guint search(const struct pio_bus *bus, unsigned port)
{
    guint low = 0, high = bus->regions->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        const struct region *r = g_ptr_array_index(bus->regions, middle);

        if (port < r->base + r->size)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static struct region *find(const struct pio_bus *bus, unsigned port)
{
    guint i = search(bus, port);
    struct region *r = i < bus->regions->len ? g_ptr_array_index(bus->regions, i) : NULL;

    return r != NULL && r->base <= port ? r : NULL;
}

bool pio_bus_add(struct pio_bus *bus, struct region *region, uint16_t port)
{
    unsigned end = port + region->size;
    guint at;

    pio_bus_remove(bus, region);
    at = search(bus, port);
    if (region->size > PORTS || end > PORTS ||
        (at < bus->regions->len &&
         ((struct region *)g_ptr_array_index(bus->regions, at))->base < end))
        return false;
    region->mapped = true;
    region->base = port;
    g_ptr_array_insert(bus->regions, at, region);
    return true;
}

void pio_bus_remove(struct pio_bus *bus, struct region *region)
{
    if (!region->mapped)
        return;
    region->mapped = false;
    g_ptr_array_remove(bus->regions, region);
}

static bool serves(const struct region *r, unsigned port, unsigned size)
{
    return r != NULL && port + size <= r->base + r->size && size <= r->ops->max_access;
}

uint32_t pio_bus_read(struct pio_bus *bus, uint16_t port, unsigned size)
{
    struct region *r = find(bus, port);
    uint32_t value = 0;

    if (serves(r, port, size)) {
        uint32_t all = r->ops->read(r->opaque, port - r->base, size);

        return size == 4 ? all : all & ((1u << size * 8) - 1);
    }
    for (unsigned i = 0; i < size; i++) {
        r = find(bus, port + i);
        uint32_t byte = r != NULL ? r->ops->read(r->opaque, port + i - r->base, 1) & 0xff : 0xff;

        value |= byte << i * 8;
    }
    return value;
}

void pio_bus_write(struct pio_bus *bus, uint16_t port, uint32_t value, unsigned size)
{
    struct region *r = find(bus, port);

    if (serves(r, port, size)) {
        r->ops->write(r->opaque, port - r->base, size == 4 ? value : value & ((1u << size * 8) - 1),
                      size);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        r = find(bus, port + i);
        if (r != NULL)
            r->ops->write(r->opaque, port + i - r->base, value >> i * 8 & 0xff, 1);
    }
}
