/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/port92.h"

enum { PORT92_RESET = 0x01, PORT92_A20 = 0x02 };

struct port92 {
    struct device device;
    struct board *board;
    struct region region;
    uint8_t value;
};

static uint64_t port92_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((struct port92 *)opaque)->value;
}

static void port92_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct port92 *p = opaque;
    bool asked = ~p->value & value & PORT92_RESET; /* by the edge */

    p->value = value & (PORT92_RESET | PORT92_A20);
    if (asked && p->board->events != NULL)
        p->board->events->reset(p->board->events_opaque, "port 0x92");
}

static const struct region_ops port92_ops = {port92_read, port92_write, .max_access = 1};

static void port92_reset(struct device *device)
{
    ((struct port92 *)device)->value = PORT92_A20;
}

static void port92_destroy(struct device *device)
{
    struct port92 *p = (struct port92 *)device;

    pio_bus_remove(p->board->pio, &p->region);
    g_free(p);
}

static const struct device_class port92_class = {"port92", port92_reset, port92_destroy};

struct port92 *port92_new(struct board *board)
{
    struct port92 *p = g_new0(struct port92, 1);

    p->device = (struct device){&port92_class, "port92"};
    p->board = board;
    p->region = (struct region){.name = "port92", .size = 1, .ops = &port92_ops, .opaque = p};
    port92_reset(&p->device);
    g_warn_if_fail(pio_bus_add(board->pio, &p->region, 0x92));
    board_add_device(board, &p->device);
    return p;
}
