/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/bus/board.h"

#include <string.h>

void board_init(struct board *board, GMainContext *context)
{
    memset(board, 0, sizeof(*board));
    g_mutex_init(&board->lock);
    board->memory = memory_map_new();
    board->pio = pio_bus_new();
    board->clock = clock_new(&board->lock, context);
    board->devices = g_ptr_array_new();
    board->pci = pci_bus_new(board);
}

void board_finish(struct board *board)
{
    while (board->devices->len > 0) {
        struct device *device = g_ptr_array_steal_index(board->devices, board->devices->len - 1);

        device->class->destroy(device);
    }
    g_ptr_array_free(board->devices, TRUE);
    pci_bus_free(board->pci);
    clock_free(board->clock);
    pio_bus_free(board->pio);
    memory_map_free(board->memory);
    g_mutex_clear(&board->lock);
}

void board_add_device(struct board *board, struct device *device)
{
    g_ptr_array_add(board->devices, device);
}

void board_reset_devices(struct board *board)
{
    memory_map_begin(board->memory);
    for (guint i = 0; i < board->devices->len; i++) {
        struct device *device = g_ptr_array_index(board->devices, i);

        if (device->class->reset != NULL)
            device->class->reset(device);
    }
    memory_map_commit(board->memory);
}
