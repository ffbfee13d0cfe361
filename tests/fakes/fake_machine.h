/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine without a guest: engine/machine/machine.h, machine_usb.h, and what of display/display.h
 * and display/vnc.h the control server asks. It writes down what it was told, and gives the screen
 * when the test says so.
 */
#ifndef TESTS_FAKES_FAKE_MACHINE_H
#define TESTS_FAKES_FAKE_MACHINE_H

#include "display/display.h"
#include "display/vnc.h"
#include "engine/machine/machine_jobs.h"
#include "engine/machine/machine_usb.h"
#include "usb/host/hosts.h"

struct fake_query {
    struct screen_query query;
    display_query_done done;
    display_png_done png_done;
    void *opaque;
};

struct machine {
    enum machine_state state;
    const char *detail;
    const char *fails; /* not NULL: what may fail does, with this message */
    GString *log;      /* "reset;key 1e down;..." */
    char *cd;
    bool cd_drive, cd_locked;
    struct image *disk; /* disk0; NULL: none */
    bool job_on;        /* of disk0, the only disk */
    struct machine_job job;
    bool vnc_on;
    struct vnc_info vnc;
    struct serial_backend *serial;
    struct input_sink sink;
    struct machine_usb usb;
    struct usb_port usb_port; /* of all devices */
    struct usb_device usb_device;
    const struct machine_observer *observer;
    void *observer_opaque;
    struct usb_ports *usb_ports; /* none is in it */
    struct usb_hosts *usb_hosts; /* of a host without USB */
    GQueue queries;              /* struct fake_query *: waiting for the screen */
};

struct machine *fake_machine_new(const struct machine_observer *observer, void *opaque);
/* The job of disk0 ends; error NULL: well. */
void fake_machine_end_job(struct machine *machine, const GError *error);
/* Answers the oldest query. */
void fake_machine_answer(struct machine *machine, const struct screen_answer *answer);
void fake_machine_answer_png(struct machine *machine, GBytes *png, const GError *error);

#endif
