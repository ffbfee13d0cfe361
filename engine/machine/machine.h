/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine: the board, its vCPUs, its displays and disks, and its life.
 *
 * Thread: every call is made on the engine's main loop. None of them waits for the guest.
 */
#ifndef ENGINE_MACHINE_MACHINE_H
#define ENGINE_MACHINE_MACHINE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"
#include "display/input.h"

struct machine;
struct display;
struct vnc_server;
struct serial_backend;
struct machine_usb;
struct usb_hosts;
struct usb_ports;

/* The names are QMP's RunState where it has one: machine_state_name(). */
enum machine_state {
    MACHINE_PRELAUNCH, /* built, never run */
    MACHINE_RUNNING,
    MACHINE_PAUSED,
    MACHINE_SHUTDOWN,       /* the guest powered off, or the user forced it: the engine ends */
    MACHINE_GUEST_PANICKED, /* triple fault, or the guest reported a panic */
    MACHINE_INTERNAL_ERROR, /* the host could not run the guest: see the detail */
};
const char *machine_state_name(enum machine_state state);

/* What the engine tells whoever watches (the control server). */
struct machine_observer {
    void (*state_changed)(void *opaque, enum machine_state state, const char *detail);
    /* The guest or the user reset it; "guest" or "host". */
    void (*was_reset)(void *opaque, const char *by);
    /* A USB device of the host came or went (usb/host/hosts.h): a name of core/protocol.h's events,
     * its port on the host, and a sentence or NULL. */
    void (*usb)(void *opaque, const char *event, const char *host_port, const char *message);
    /* The last word: the engine leaves its main loop after this with exit_code. */
    void (*ending)(void *opaque, int exit_code, const char *reason);
};

struct machine_options {
    const struct machine_config *config; /* outlives the machine, as folder does */
    const char *folder;                  /* of the machine: relative files, firmware variables */
    const char *runtime_folder;          /* mode 0700: sockets */
    GMainContext *context;
    gint64 started_us; /* g_get_monotonic_time() at main(), for the statistics; or 0 */
    const struct machine_observer *observer;
    void *observer_opaque;
};

/* Builds everything, opens every file; the guest does not run yet. */
struct machine *machine_new(const struct machine_options *options, GError **err);
void machine_free(struct machine *machine); /* stops it first; NULL is fine */

void machine_resume(struct machine *machine); /* from PRELAUNCH or PAUSED */
bool machine_pause(struct machine *machine, GError **err);
/* From any state but SHUTDOWN; a crashed machine runs again, a paused one stays paused. */
bool machine_reset(struct machine *machine, GError **err);
/* Presses the power button: the guest decides. */
bool machine_power_button(struct machine *machine, GError **err);
/* Ends the machine: force off. */
void machine_quit(struct machine *machine);

enum machine_state machine_get_state(const struct machine *machine);
/* What led to the state, a sentence for the user; "" when there is nothing to say. */
const char *machine_detail(const struct machine *machine);
const char *machine_accel_name(const struct machine *machine);   /* "kvm", "soft" */
const char *machine_accel_reason(const struct machine *machine); /* "software CPU: ..." */

struct display *machine_display(struct machine *machine);
struct vnc_server *machine_vnc(struct machine *machine);        /* NULL: off */
struct serial_backend *machine_serial(struct machine *machine); /* NULL: off */
const struct input_sink *machine_input(struct machine *machine);
struct machine_usb *machine_usb(struct machine *machine); /* never NULL */
struct usb_ports *machine_usb_ports(struct machine *machine);
struct usb_hosts *machine_usb_hosts(struct machine *machine);

/* The CD drive: path NULL takes the disc out. force overrides a guest that locked the tray. */
bool machine_change_cd(struct machine *machine, const char *path, bool force, GError **err);
/* The disc's path; NULL: empty, or no drive (*ret_drive tells). Owned by the machine. */
const char *machine_cd(struct machine *machine, bool *ret_drive, bool *ret_locked);

#define MACHINE_EXIT_KINDS 12
struct vcpu_stats {
    uint64_t cpu_time_ns;
    uint64_t exits[MACHINE_EXIT_KINDS];
};

struct machine_stats {
    uint64_t guest_time_ns;
    uint64_t memory;          /* guest RAM, bytes */
    uint64_t memory_resident; /* of guest RAM, what the host holds */
    uint64_t engine_pss;      /* the rest of this process: /proc/self/smaps_rollup Pss less it */
    unsigned cpus;
    struct vcpu_stats vcpu[MACHINE_MAX_CPUS];
    uint64_t start_to_first_exit_ns; /* from the engine's main() to the guest's first exit */
};
void machine_stats(struct machine *machine, struct machine_stats *ret_stats);
const char *machine_exit_kind_name(unsigned kind); /* "io", "mmio", ...; NULL past the last */

#endif
