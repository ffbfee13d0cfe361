/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/debug_exit.h"

#include "core/error.h"

#define PORT_COUNT 4

struct debug_exit {
    struct device device;
    struct board *board;
    struct region region;
};

static uint64_t debug_exit_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void debug_exit_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct board *board = ((struct debug_exit *)opaque)->board;

    if (board->events != NULL)
        board->events->debug_exit(board->events_opaque, value);
}

static const struct region_ops debug_exit_ops = {debug_exit_read, debug_exit_write,
                                                 .max_access = 4};

static void debug_exit_destroy(struct device *device)
{
    struct debug_exit *d = (struct debug_exit *)device;

    pio_bus_remove(d->board->pio, &d->region);
    g_free(d);
}

static const struct device_class debug_exit_class = {"debug-exit", NULL, debug_exit_destroy};

struct debug_exit *debug_exit_new(struct board *board, uint16_t port, GError **err)
{
    struct debug_exit *d = g_new0(struct debug_exit, 1);

    d->device = (struct device){&debug_exit_class, "debug-exit"};
    d->board = board;
    d->region = (struct region){.name = "debug-exit",
                                .size = PORT_COUNT,
                                .ops = &debug_exit_ops,
                                .opaque = d};
    if (!pio_bus_add(board->pio, &d->region, port)) {
        vmdesk_fail(err, VMDESK_ERROR_BUSY,
                    "The debug exit port 0x%x is taken by another device of the machine. "
                    "Choose another port, such as 0xf4, as debug.exit-port.",
                    port);
        g_free(d);
        return NULL;
    }
    board_add_device(board, &d->device);
    return d;
}
