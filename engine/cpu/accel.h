/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An accelerator: what runs guest code. It owns the vCPUs, their local APICs, and the interrupt
 * controllers and timer that stand next to them (PIC, I/O APIC, PIT), because hosts offer those in
 * one piece. Everything else of the machine is the board's and knows no accelerator.
 *
 * Adding one: fill in both ops tables and add a case to accel_new().
 */
#ifndef ENGINE_CPU_ACCEL_H
#define ENGINE_CPU_ACCEL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"
#include "engine/bus/board.h"
#include "engine/cpu/irqchip_state.h"
#include "engine/cpu/x86_state.h"

struct accel;
struct vcpu;

#define ACCEL_GSI_COUNT 24 /* inputs of the I/O APIC; 0 to 15 also reach the PIC */

struct accel_ops {
    const char *name;
    /* Any thread. GSI 0 to 15 are the ISA interrupts, 16 to 23 the PCI ones. */
    void (*set_irq)(struct accel *accel, unsigned gsi, bool level);
    void (*send_msi)(struct accel *accel, uint64_t address, uint32_t data);
    /* All vCPUs stand still: interrupt controllers and timer to their power-on state. */
    void (*reset)(struct accel *accel);
    /* The machine pauses or goes on: guest-visible time stops with it. vCPUs stand still. */
    void (*set_running)(struct accel *accel, bool running);
    /* All vCPUs stand still: interrupt controllers and timer. Set them before the vCPUs' states;
     * the levels of lines are what the state says until the devices change them. */
    bool (*get_state)(struct accel *accel, struct irqchip_state *ret_state);
    bool (*set_state)(struct accel *accel, const struct irqchip_state *state);
    struct vcpu *(*vcpu_new)(struct accel *accel, unsigned index, GError **err);
    void (*free)(struct accel *accel);
};

struct accel {
    const struct accel_ops *ops;
    struct board *board;
    unsigned cpus; /* how many vCPUs the machine will have */
    char *reason;  /* "KVM: ..." or "software CPU: ...": what it is and why; accel_new()'s */
};

/* Why a vCPU came back. */
enum vcpu_stop {
    VCPU_KICKED,       /* somebody asked: it stands between two instructions */
    VCPU_TRIPLE_FAULT, /* the guest gave up */
    VCPU_FAILED,       /* the host cannot go on: *reason says why */
};

enum vcpu_exit_kind {
    VCPU_EXIT_PIO,
    VCPU_EXIT_MMIO,
    VCPU_EXIT_HALT,
    VCPU_EXIT_INTERRUPTED,
    VCPU_EXIT_SHUTDOWN,
    VCPU_EXIT_HANDED_OFF, /* to the software CPU, for what KVM cannot execute */
    VCPU_EXIT_OTHER,
    VCPU_EXIT_KINDS
};

struct vcpu_ops {
    /* Runs guest code on the calling thread, serving the guest's accesses through the board's
     * buses (it takes the board's lock itself), until there is a reason to stop. *reason is set
     * with VCPU_FAILED; the caller frees it. */
    enum vcpu_stop (*run)(struct vcpu *vcpu, char **reason);
    /* Makes run() return soon; once it has returned it returns at once until unkick(). Any thread,
     * with or without the board's lock. */
    void (*kick)(struct vcpu *vcpu);
    void (*unkick)(struct vcpu *vcpu);
    /* The vCPU stands still: */
    void (*reset)(struct vcpu *vcpu); /* to its power-on state; vCPU 0 starts, others wait */
    bool (*get_state)(struct vcpu *vcpu, struct x86_state *ret_state);
    bool (*set_state)(struct vcpu *vcpu, const struct x86_state *state);
    void (*free)(struct vcpu *vcpu);
};

struct vcpu {
    const struct vcpu_ops *ops;
    struct accel *accel;
    unsigned index;
    /* Written by its thread, read relaxed by any: */
    uint64_t exits[VCPU_EXIT_KINDS];
    gint64 first_exit_us; /* monotonic time; 0: none yet */
};

static inline void vcpu_count_exit(struct vcpu *vcpu, enum vcpu_exit_kind kind)
{
    if (vcpu->first_exit_us == 0)
        __atomic_store_n(&vcpu->first_exit_us, g_get_monotonic_time(), __ATOMIC_RELAXED);
    __atomic_fetch_add(&vcpu->exits[kind], 1, __ATOMIC_RELAXED);
}

/* Opens the accelerator that the configuration asks for and announces the board's memory to it. Auto
 * takes KVM where it runs guests natively, otherwise the software CPU, and logs why.
 * The message of a failure says which device, group or setting to look at. */
struct accel *accel_new(enum config_accel kind, struct board *board, unsigned cpus, GError **err);
/* vCPUs and board are gone. NULL is fine. */
void accel_free(struct accel *accel);

/* Accesses that a vCPU makes; they take the board's lock. */
uint32_t accel_pio_read(struct board *board, uint16_t port, unsigned size);
void accel_pio_write(struct board *board, uint16_t port, uint32_t value, unsigned size);
uint64_t accel_mmio_read(struct board *board, uint64_t gpa, unsigned size);
void accel_mmio_write(struct board *board, uint64_t gpa, uint64_t value, unsigned size);

#endif
