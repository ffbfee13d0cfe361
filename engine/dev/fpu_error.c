/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/fpu_error.h"

#define COPROC_ERR_PORT 0xf0

struct fpu_error {
    struct device device;
    struct board *board;
    struct region region;
};

static uint64_t fpu_error_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0xff; /* write-only */
}

static void fpu_error_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    irq_line_set(&((struct fpu_error *)opaque)->board->isa_irq[BOARD_FERR_IRQ], false);
}

static const struct region_ops fpu_error_ops = {fpu_error_read, fpu_error_write, .max_access = 1};

static void fpu_error_reset(struct device *device)
{
    fpu_error_write(device, 0, 0, 1);
}

static void fpu_error_destroy(struct device *device)
{
    struct fpu_error *f = (struct fpu_error *)device;

    pio_bus_remove(f->board->pio, &f->region);
    g_free(f);
}

static const struct device_class fpu_error_class = {"fpu-error", fpu_error_reset,
                                                    fpu_error_destroy};

struct fpu_error *fpu_error_new(struct board *board)
{
    struct fpu_error *f = g_new0(struct fpu_error, 1);

    f->device = (struct device){&fpu_error_class, "fpu-error"};
    f->board = board;
    f->region = (struct region){.name = "fpu-error", .size = 1, .ops = &fpu_error_ops, .opaque = f};
    g_warn_if_fail(pio_bus_add(board->pio, &f->region, COPROC_ERR_PORT));
    board_add_device(board, &f->device);
    return f;
}
