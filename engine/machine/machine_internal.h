/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of a machine share: life (machine.c), media, statistics. */
#ifndef ENGINE_MACHINE_MACHINE_INTERNAL_H
#define ENGINE_MACHINE_MACHINE_INTERNAL_H

#include "engine/bus/board.h"
#include "engine/cpu/accel.h"
#include "engine/cpu/vcpu_set.h"
#include "engine/machine/input_router.h"
#include "engine/machine/machine.h"
#include "engine/machine/machine_usb.h"
#include "engine/machine/q35.h"
#include "engine/machine/ram.h"

struct message_source {
    GSource source;
    struct machine *machine;
};

struct machine {
    enum machine_state state;
    char *detail;
    enum config_crash_action on_crash;
    const struct machine_observer *observer;
    void *observer_opaque;

    struct board board;
    struct accel *accel;
    struct ram ram;
    struct q35 q35;
    struct vcpu_set *vcpus;
    struct io_context *io;
    struct display *display;
    struct vnc_server *vnc;
    struct serial_backend *serial;
    struct usb_ports *usb_ports;
    struct usb_hosts *usb_hosts;
    GMainContext *context;
    struct running_job *jobs[MACHINE_MAX_DISKS]; /* machine_jobs.c; NULL: none on that disk */
    struct machine_usb usb;
    struct input_router input;
    char *cd_path;     /* of the disc that the host put in last; NULL: none */
    gint64 started_us; /* monotonic time at which the engine's main() began; 0: not known */

    GMutex message_lock;
    GQueue messages; /* struct message *, from any thread */
    GSource *message_source;
};

/* machine_jobs.c: cancels and waits for whatever works on the disks. */
void machine_jobs_finish(struct machine *machine);

/* machine_hosts.c */
bool machine_hosts_init(struct machine *machine, const struct machine_options *options,
                        GError **err);

#endif
