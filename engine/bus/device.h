/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every device has in common. A device's own constructor takes the board and what it is wired
 * to, maps its regions, and returns a struct whose first member is this one; the board keeps the
 * device for reset and destruction.
 */
#ifndef ENGINE_BUS_DEVICE_H
#define ENGINE_BUS_DEVICE_H

struct device;

struct device_class {
    const char *name;                       /* "ahci": also the log subsystem */
    void (*reset)(struct device *device);   /* to its power-on state; under the board's lock */
    void (*destroy)(struct device *device); /* unmaps and frees; vCPUs have stopped, no lock held */
};

struct device {
    const struct device_class *class;
    const char *id; /* unique on the board: "serial0"; static */
};

#endif
