/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's xHCI driver, as far as tests script it, over a board without a processor. */
#ifndef TESTS_FAKES_XHCI_DRIVER_H
#define TESTS_FAKES_XHCI_DRIVER_H

#include "engine/dev/xhci.h"
#include "engine/dev/xhci_trb.h"
#include "tests/fakes/fake_board.h"

#define XD_RAM (16 * 1024 * 1024)
#define XD_BAR UINT64_C(0x1e0000000)
#define XD_MSIX_BAR 0xe0000000
#define XD_DEVFN PCI_DEVFN(20, 0)
#define XD_DCBAA 0x1000
#define XD_ERST 0x2000
#define XD_EVENTS 0x3000 /* a segment of XD_EVENT_TRBS */
#define XD_EVENT_TRBS 64
#define XD_COMMANDS 0x4000
#define XD_RING_TRBS 32 /* of every ring, the last one a link */
#define XD_INPUT 0x8000
#define XD_CONTEXTS 0x10000 /* a device context a slot, 0x1000 each */
#define XD_RINGS 0x100000   /* a transfer ring an endpoint, 0x1000 each */
#define XD_DATA 0xa00000    /* free memory, up to the end of RAM */

/* Registers by their place in the BAR. */
enum {
    XD_USBCMD = 0x40,
    XD_USBSTS = 0x44,
    XD_CRCR = 0x58,
    XD_DCBAAP = 0x70,
    XD_CONFIG = 0x78,
    XD_PORTSC = 0x440, /* + 0x10 a port */
    XD_MFINDEX = 0x1000,
    XD_IR = 0x1020, /* + 0x20 an interrupter */
    XD_DOORBELL = 0x2000,
};
enum { XD_IMAN = 0x00, XD_IMOD = 0x04, XD_ERSTSZ = 0x08, XD_ERSTBA = 0x10, XD_ERDP = 0x18 };

struct xd_ring {
    uint64_t base;
    unsigned index;
    bool cycle;
};

struct xhci_driver {
    struct fake_board fake;
    struct xhci *xhci;
    bool intx;
    unsigned msis;
    uint32_t last_msi;
    struct xd_ring commands;
    unsigned event_index;
    bool event_cycle;
    struct xd_ring rings[65][32]; /* by slot and device context index */
};

void xd_init(struct xhci_driver *d);
void xd_finish(struct xhci_driver *d);
void xd_enable(struct xhci_driver *d); /* BARs and bus mastering */
/* Sets all rings up, and runs the controller. */
void xd_start(struct xhci_driver *d);

/* Begins the command ring anew; the controller does not run it. */
void xd_set_commands(struct xhci_driver *d);

uint32_t xd_read(struct xhci_driver *d, unsigned reg);
void xd_write(struct xhci_driver *d, unsigned reg, uint32_t value);
void xd_write64(struct xhci_driver *d, unsigned reg, uint64_t value);
void xd_config_write(struct xhci_driver *d, unsigned offset, uint32_t value, unsigned size);
uint32_t xd_portsc(struct xhci_driver *d, unsigned port);
/* Writes PORTSC so that only these bits act. */
void xd_port_write(struct xhci_driver *d, unsigned port, uint32_t bits);
uint32_t xd_word(struct xhci_driver *d, uint64_t gpa);
void xd_set_word(struct xhci_driver *d, uint64_t gpa, uint32_t value);

/* The next event; false: there is none. Taken events are given back by xd_ack(), which the calls
 * below do. */
bool xd_event(struct xhci_driver *d, struct trb *ret_event);
void xd_ack(struct xhci_driver *d);
void xd_skip_events(struct xhci_driver *d);

/* TRBs get their cycle bit here. Returns the TRB's address. */
uint64_t xd_put(struct xhci_driver *d, struct xd_ring *ring, uint64_t parameter, uint32_t status,
                uint32_t control);
/* A command, run; the events before its completion are passed over. CODE_NONE: it did not
 * complete. */
enum xhci_code xd_command(struct xhci_driver *d, uint64_t parameter, uint32_t status,
                          uint32_t control, unsigned *ret_slot);
enum xhci_code xd_endpoint_command(struct xhci_driver *d, enum trb_type type, unsigned slot,
                                   unsigned id);
void xd_doorbell(struct xhci_driver *d, unsigned slot, uint32_t value);

/* Resets the port's device and gives it a slot and an address; 0: failed. */
unsigned xd_address(struct xhci_driver *d, unsigned root, uint32_t route);
/* The input context's words of an endpoint. */
void xd_endpoint_context(struct xhci_driver *d, unsigned slot, unsigned id, enum endpoint_type type,
                         unsigned streams);
/* Adds one endpoint with a ring of its own. */
enum xhci_code xd_configure(struct xhci_driver *d, unsigned slot, unsigned id,
                            enum endpoint_type type, unsigned streams);
enum endpoint_state xd_endpoint_state(struct xhci_driver *d, unsigned slot, unsigned id);
/* The three stages of a control transfer; length 0: no data. Not rung. */
void xd_control(struct xhci_driver *d, unsigned slot, uint64_t setup, uint64_t data,
                uint32_t length);

static inline uint8_t *xd_ram(struct xhci_driver *d, uint64_t gpa)
{
    return d->fake.ram.host + gpa;
}

#endif
