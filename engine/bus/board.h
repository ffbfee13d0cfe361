/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device may use of the machine around it. One lock guards all device state, the buses and
 * the memory map: vCPUs hold it while they access a device, timers and completions while they run.
 * Nothing that can wait (disk, network, display) happens under it.
 */
#ifndef ENGINE_BUS_BOARD_H
#define ENGINE_BUS_BOARD_H

#include <glib.h>

#include "engine/bus/clock.h"
#include "engine/bus/device.h"
#include "engine/bus/irq.h"
#include "engine/bus/memory_map.h"
#include "engine/bus/pci.h"
#include "engine/bus/pio.h"

/* What a device reports to the machine; called under the lock, acted on by the main loop. After
 * reset, power_off, panicked and debug_exit no vCPU runs another guest instruction. */
struct board_events {
    void (*reset)(void *opaque, const char *reason);
    void (*power_off)(void *opaque, const char *reason);
    void (*panicked)(void *opaque, const char *reason);
    void (*debug_exit)(void *opaque, uint32_t code);
};

/* What a processor drives when it meets an x87 error with CR0.NE clear: FERR#, as PCs wire it. */
#define BOARD_FERR_IRQ 13

struct board {
    GMutex lock;
    struct memory_map *memory;
    struct pio_bus *pio;
    struct pci_bus *pci;
    struct clock *clock;
    struct irq_line isa_irq[16];
    /* Writes an MSI message, as a DMA write to 0xfeexxxxx does. */
    void (*send_msi)(void *opaque, uint64_t address, uint32_t data);
    void *send_msi_opaque;
    const struct board_events *events;
    void *events_opaque;
    GPtrArray *devices; /* struct device *, in order of creation; owned */
};

/* The buses, clock and list; send_msi, events and IRQ ends are the caller's to set.
 * context as in clock_new(). */
void board_init(struct board *board, GMainContext *context);
/* Destroys the devices, last created first, then the rest. */
void board_finish(struct board *board);
void board_add_device(struct board *board, struct device *device); /* takes ownership */
void board_reset_devices(struct board *board);                     /* under the lock */

#endif
