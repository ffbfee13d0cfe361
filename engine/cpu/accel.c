/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/accel.h"

#include "core/log.h"
#include "engine/cpu/kvm.h"
#include "engine/cpu/soft/soft.h"

static struct accel *accel_choose(struct board *board, unsigned cpus, GError **err)
{
    g_autofree char *reason = NULL;
    bool native = kvm_is_native(&reason);

    log_info("machine", "runs on %s: %s", native ? "KVM" : "the software CPU", reason);
    return native ? kvm_accel_new(board, cpus, err) : soft_accel_new(board, cpus, err);
}

struct accel *accel_new(enum config_accel kind, struct board *board, unsigned cpus, GError **err)
{
    switch (kind) {
    case ACCEL_AUTO:
        return accel_choose(board, cpus, err);
    case ACCEL_KVM:
        return kvm_accel_new(board, cpus, err);
    case ACCEL_SOFT:
        return soft_accel_new(board, cpus, err);
    }
    g_return_val_if_reached(NULL);
}

void accel_free(struct accel *accel)
{
    if (accel != NULL)
        accel->ops->free(accel);
}

uint32_t accel_pio_read(struct board *board, uint16_t port, unsigned size)
{
    uint32_t value;

    g_mutex_lock(&board->lock);
    value = pio_bus_read(board->pio, port, size);
    g_mutex_unlock(&board->lock);
    return value;
}

void accel_pio_write(struct board *board, uint16_t port, uint32_t value, unsigned size)
{
    g_mutex_lock(&board->lock);
    pio_bus_write(board->pio, port, value, size);
    g_mutex_unlock(&board->lock);
}

uint64_t accel_mmio_read(struct board *board, uint64_t gpa, unsigned size)
{
    uint64_t value;

    g_mutex_lock(&board->lock);
    value = memory_map_read(board->memory, gpa, size);
    g_mutex_unlock(&board->lock);
    return value;
}

void accel_mmio_write(struct board *board, uint64_t gpa, uint64_t value, unsigned size)
{
    g_mutex_lock(&board->lock);
    memory_map_write(board->memory, gpa, value, size);
    g_mutex_unlock(&board->lock);
}
