/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A running xHCI controller with a scripted device at port 1, and what its tests look at. */
#ifndef TESTS_FAKES_XHCI_FIXTURE_H
#define TESTS_FAKES_XHCI_FIXTURE_H

#include "tests/fakes/scripted_usb_device.h"
#include "tests/fakes/xhci_driver.h"

#define GET_DESCRIPTOR(LENGTH) (UINT64_C(0x0000000001000680) | (uint64_t)(LENGTH) << 48)
#define SET_CONFIGURATION UINT64_C(0x0000000000010900)
#define BULK_OUT 2 /* device context indices of endpoints 1 */
#define BULK_IN 3

extern struct xhci_driver d;
extern struct scripted_device *device;
extern unsigned slot; /* of the device */

void xhci_setup(void);
void xhci_teardown(void);

void add_bulk(void);
uint64_t put(unsigned id, uint64_t data, uint32_t length, uint32_t flags); /* a normal TRB */
/* The next event is of this transfer. */
void assert_event(uint64_t at, enum xhci_code code, uint32_t length);
void assert_no_event(void);
uint64_t dequeue_of(unsigned id);
enum xhci_code set_dequeue(unsigned id, uint64_t pointer);

#endif
