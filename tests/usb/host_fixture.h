/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One passed-through device in a test that fuse_usbfs or umockdev_usbfs runs, and calls to it that
 * wait. */
#ifndef TESTS_USB_HOST_FIXTURE_H
#define TESTS_USB_HOST_FIXTURE_H

#include "usb/host/device.h"

#define SCRIPT "/dev/bus/usb/script"
#define CALL_MAX_PARTS 64

bool has_script(void); /* it is run by either */
void script(const char *line);
int script_state(const char *name); /* a number of what the script file says */

/* Opens it; NULL: open_error() says why. close_device() is called after either. */
struct usb_device *try_open_device(void);
struct usb_device *open_device(void); /* it must work */
void begin_open_device(void);
struct usb_device *finish_open_device(void);
const GError *open_error(void);
void wait_until_gone(void);
void close_device(void); /* and waits until the host has it back */

struct call {
    struct usb_request request;
    struct iovec parts[CALL_MAX_PARTS];
    bool done;
};
/* The data stage in so many parts. */
enum usb_submitted call_start(struct call *call, uint8_t endpoint, void *data, uint32_t size,
                              unsigned parts);
enum usb_submitted call_start_stream(struct call *call, uint8_t endpoint, uint16_t stream,
                                     void *data, uint32_t size);
enum usb_status call_wait(struct call *call);

enum usb_status transfer(uint8_t endpoint, void *data, uint32_t size, unsigned parts,
                         uint32_t *ret_actual);
enum usb_status control(uint8_t type, uint8_t request, uint16_t value, uint16_t index, void *data,
                        uint16_t size, uint32_t *ret_actual);
/* A command of the disk that succeeds; returns the bytes of its data stage. */
uint32_t disk_command(const uint8_t command[16], bool in, void *data, uint32_t size,
                      unsigned parts);

#endif
