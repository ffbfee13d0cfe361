/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/accel.h"

#include "core/log.h"
#include "engine/cpu/kvm.h"
#include "engine/cpu/soft/soft.h"

struct accel *accel_new(enum config_accel kind, struct board *board, unsigned cpus, GError **err)
{
    g_autofree char *reason = NULL;
    struct accel *accel;
    bool kvm = kind == ACCEL_KVM;

    if (kind == ACCEL_AUTO)
        kvm = kvm_is_native(&reason);
    else
        reason = g_strdup("machine.accel asks for it");
    accel = kvm ? kvm_accel_new(board, cpus, err) : soft_accel_new(board, cpus, err);
    if (accel == NULL)
        return NULL;
    accel->reason = g_strdup_printf("%s: %s", kvm ? "KVM" : "software CPU", reason);
    log_info("machine", "runs on %s", accel->reason);
    return accel;
}

void accel_free(struct accel *accel)
{
    if (accel == NULL)
        return;
    g_free(accel->reason);
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
