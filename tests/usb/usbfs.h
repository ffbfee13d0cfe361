/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's usbfs for one scripted device: what its ioctls do, whoever brings them. They are called
 * with the lock held.
 */
#ifndef TESTS_USB_USBFS_H
#define TESTS_USB_USBFS_H

#include <sys/types.h>

#include "tests/usb/scripted_device.h"

#define USBFS_MEMORY (16 * 1024 * 1024) /* of all transfers together: the kernel's default */

struct usbfs {
    GMutex lock;
    GCond changed; /* something may be due */
    struct scripted_device device;
    const char *root; /* where /sys is; "": at its place */
    bool plugged;
    unsigned address; /* of the device; another one each time it is plugged in */
    unsigned drivers; /* a bit for each interface that a kernel driver has */
    size_t memory;    /* of transfers that were not reaped */
    size_t memory_limit;
    GPtrArray *files; /* struct usbfs_file */
    void (*drivers_changed)(struct usbfs *usbfs);
};

/* An open node. */
struct usbfs_file {
    struct usbfs *usbfs;
    unsigned address; /* of the device that was opened */
    unsigned claimed;
    GQueue done;                             /* struct usbfs_urb */
    void *poll_handle;                       /* the owner's */
    void (*notify)(struct usbfs_file *file); /* poll has news */
};

void usbfs_init(struct usbfs *usbfs, struct scripted_disk *disk);
struct usbfs_file *usbfs_open(struct usbfs *usbfs);
void usbfs_close(struct usbfs_file *file);
/* argument is an address in process. Returns what the ioctl does, or a negative errno value. */
long usbfs_ioctl(struct usbfs_file *file, pid_t process, unsigned long request, uint64_t argument);
unsigned usbfs_poll(const struct usbfs_file *file);
/* Hands out what has ended. */
void usbfs_pump(struct usbfs *usbfs);
/* A thread that does so whenever a transfer that takes time is due; it never ends. */
void usbfs_start_clock(struct usbfs *usbfs);
void usbfs_unplug(struct usbfs *usbfs);
void usbfs_plug(struct usbfs *usbfs);

#endif
