/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A USB host controller: four physical ports, each as a USB 2 and a USB 3 port, behind the register
 * interface of xHCI. eXtensible Host Controller Interface for USB, revision 1.2; section numbers in
 * the sources are of it.
 *
 * Thread: new while the machine is wired, without the lock; the rest on the main loop, without it.
 * What is plugged in and out comes by usb_port_attach() and _detach() at xhci_port().
 */
#ifndef ENGINE_DEV_XHCI_H
#define ENGINE_DEV_XHCI_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "usb/usb.h"

struct board;
struct xhci;

#define XHCI_PORTS 4 /* physical ones, from 1 on */

/* Adds itself to the board, which owns it. Destruction detaches the devices, and waits for the
 * requests that a device does not give back at once. References to devices are dropped on context's
 * loop, since the last one may close files; NULL: by the next call that comes without the lock. */
struct xhci *xhci_new(struct board *board, uint8_t devfn, GMainContext *context);

/* A physical port, 1 to XHCI_PORTS; the controller's. */
struct usb_port *xhci_port(struct xhci *xhci, unsigned number);

/* To be called around the time in which the vCPUs stand still. Pause takes back the requests that
 * wait for a device, to be made again by resume, and waits for the others. False: some are still
 * under way. Before the board's reset, too: a reset forgets requests, but a device that has not
 * given one back may still move data to where it said. */
bool xhci_pause(struct xhci *xhci, unsigned timeout_ms);
void xhci_resume(struct xhci *xhci);

#endif
