/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/xhci_driver.h"

#include <string.h>

#define CMD_RUN 0x1
#define CMD_INTE 0x4
#define PORT_PR 0x10
#define PORT_PP 0x200
#define PORT_CHANGES 0xfe0000
#define EHB 0x8

static void on_intx(void *opaque, uint8_t devfn, unsigned pin, bool level)
{
    ((struct xhci_driver *)opaque)->intx = level;
}

static void on_msi(void *opaque, uint64_t address, uint32_t data)
{
    struct xhci_driver *d = opaque;

    d->msis++;
    d->last_msi = data;
}

void xd_config_write(struct xhci_driver *d, unsigned offset, uint32_t value, unsigned size)
{
    g_mutex_lock(&d->fake.board.lock);
    pci_bus_config_write(d->fake.board.pci, 0, XD_DEVFN, offset, value, size);
    g_mutex_unlock(&d->fake.board.lock);
}

void xd_enable(struct xhci_driver *d)
{
    xd_config_write(d, PCI_BAR0, (uint32_t)XD_BAR, 4);
    xd_config_write(d, PCI_BAR0 + 4, XD_BAR >> 32, 4);
    xd_config_write(d, PCI_BAR0 + 8, XD_MSIX_BAR, 4);
    xd_config_write(d, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

void xd_init(struct xhci_driver *d)
{
    memset(d, 0, sizeof(*d));
    fake_board_init(&d->fake, XD_RAM);
    d->fake.board.send_msi = on_msi;
    d->fake.board.send_msi_opaque = d;
    pci_bus_set_router(d->fake.board.pci, on_intx, d);
    d->xhci = xhci_new(&d->fake.board, XD_DEVFN, NULL);
    xd_enable(d);
}

void xd_finish(struct xhci_driver *d)
{
    fake_board_finish(&d->fake);
}

uint32_t xd_read(struct xhci_driver *d, unsigned reg)
{
    return fake_load(&d->fake, XD_BAR + reg, 4);
}

void xd_write(struct xhci_driver *d, unsigned reg, uint32_t value)
{
    fake_store(&d->fake, XD_BAR + reg, value, 4);
}

void xd_write64(struct xhci_driver *d, unsigned reg, uint64_t value)
{
    xd_write(d, reg, value);
    xd_write(d, reg + 4, value >> 32);
}

uint32_t xd_portsc(struct xhci_driver *d, unsigned port)
{
    return xd_read(d, XD_PORTSC + (port - 1) * 0x10);
}

void xd_port_write(struct xhci_driver *d, unsigned port, uint32_t bits)
{
    xd_write(d, XD_PORTSC + (port - 1) * 0x10, PORT_PP | bits);
}

uint32_t xd_word(struct xhci_driver *d, uint64_t gpa)
{
    return pci_get32(xd_ram(d, gpa));
}

void xd_set_word(struct xhci_driver *d, uint64_t gpa, uint32_t value)
{
    pci_set32(xd_ram(d, gpa), value);
}

static void init_ring(struct xhci_driver *d, struct xd_ring *ring, uint64_t base)
{
    *ring = (struct xd_ring){.base = base, .cycle = true};
    memset(xd_ram(d, base), 0, XD_RING_TRBS * TRB_SIZE);
}

void xd_set_commands(struct xhci_driver *d)
{
    init_ring(d, &d->commands, XD_COMMANDS);
    xd_write64(d, XD_CRCR, XD_COMMANDS | 1);
}

void xd_start(struct xhci_driver *d)
{
    memset(xd_ram(d, XD_EVENTS), 0, XD_EVENT_TRBS * TRB_SIZE);
    d->event_index = 0;
    d->event_cycle = true;
    for (unsigned slot = 1; slot <= 64; slot++)
        xd_set_word(d, XD_DCBAA + slot * 8, XD_CONTEXTS + slot * 0x1000);
    xd_set_word(d, XD_ERST, XD_EVENTS);
    xd_set_word(d, XD_ERST + 4, 0);
    xd_set_word(d, XD_ERST + 8, XD_EVENT_TRBS);
    xd_write(d, XD_CONFIG, 64);
    xd_write64(d, XD_DCBAAP, XD_DCBAA);
    xd_set_commands(d);
    xd_write(d, XD_IR + XD_ERSTSZ, 1);
    xd_write64(d, XD_IR + XD_ERDP, XD_EVENTS);
    xd_write64(d, XD_IR + XD_ERSTBA, XD_ERST);
    xd_write(d, XD_IR + XD_IMOD, 0);
    xd_write(d, XD_IR + XD_IMAN, 2);
    xd_write(d, XD_USBCMD, CMD_RUN | CMD_INTE);
}

bool xd_event(struct xhci_driver *d, struct trb *ret_event)
{
    uint64_t at = XD_EVENTS + d->event_index * TRB_SIZE;
    uint32_t control = xd_word(d, at + 12);

    if ((control & TRB_CYCLE) != d->event_cycle)
        return false;
    *ret_event = (struct trb){xd_word(d, at) | (uint64_t)xd_word(d, at + 4) << 32,
                              xd_word(d, at + 8), control};
    if (++d->event_index == XD_EVENT_TRBS) {
        d->event_index = 0;
        d->event_cycle = !d->event_cycle;
    }
    return true;
}

void xd_ack(struct xhci_driver *d)
{
    xd_write64(d, XD_IR + XD_ERDP, (XD_EVENTS + d->event_index * TRB_SIZE) | EHB);
}

void xd_skip_events(struct xhci_driver *d)
{
    struct trb event;

    while (xd_event(d, &event))
        ;
    xd_ack(d);
}

uint64_t xd_put(struct xhci_driver *d, struct xd_ring *ring, uint64_t parameter, uint32_t status,
                uint32_t control)
{
    uint64_t at = ring->base + ring->index * TRB_SIZE;

    xd_set_word(d, at, parameter);
    xd_set_word(d, at + 4, parameter >> 32);
    xd_set_word(d, at + 8, status);
    xd_set_word(d, at + 12, control | ring->cycle);
    if (++ring->index < XD_RING_TRBS - 1)
        return at;
    xd_set_word(d, at + TRB_SIZE, ring->base);
    xd_set_word(d, at + TRB_SIZE + 4, 0);
    xd_set_word(d, at + TRB_SIZE + 8, 0);
    xd_set_word(d, at + TRB_SIZE + 12,
                TRB_LINK << 10 | TRB_TOGGLE_CYCLE | (control & TRB_CHAIN) | ring->cycle);
    ring->index = 0;
    ring->cycle = !ring->cycle;
    return at;
}

enum xhci_code xd_command(struct xhci_driver *d, uint64_t parameter, uint32_t status,
                          uint32_t control, unsigned *ret_slot)
{
    uint64_t at = xd_put(d, &d->commands, parameter, status, control);
    enum xhci_code code = CODE_NONE;
    struct trb event;

    xd_write(d, XD_DOORBELL, 0);
    while (xd_event(d, &event)) {
        if (trb_type(&event) != TRB_COMMAND_EVENT || event.parameter != at)
            continue;
        code = event.status >> 24;
        if (ret_slot != NULL)
            *ret_slot = trb_slot(&event);
    }
    xd_ack(d);
    return code;
}

enum xhci_code xd_endpoint_command(struct xhci_driver *d, enum trb_type type, unsigned slot,
                                   unsigned id)
{
    return xd_command(d, 0, 0, type << 10 | id << 16 | slot << 24, NULL);
}

void xd_doorbell(struct xhci_driver *d, unsigned slot, uint32_t value)
{
    xd_write(d, XD_DOORBELL + slot * 4, value);
}

static uint64_t ring_base(unsigned slot, unsigned id)
{
    return XD_RINGS + (slot * 32 + id) * 0x1000;
}

void xd_endpoint_context(struct xhci_driver *d, unsigned slot, unsigned id, enum endpoint_type type,
                         unsigned streams)
{
    uint64_t at = XD_INPUT + (id + 1) * CONTEXT_SIZE;

    init_ring(d, &d->rings[slot][id], ring_base(slot, id));
    xd_set_word(d, at, streams << 10 | (streams > 0 ? 1u << 15 : 0));
    xd_set_word(d, at + 4, 3u << 1 | type << 3 | 64u << 16);
    xd_set_word(d, at + 8, ring_base(slot, id) | (streams == 0));
    xd_set_word(d, at + 12, 0);
    xd_set_word(d, at + 16, 0);
}

unsigned xd_address(struct xhci_driver *d, unsigned root, uint32_t route)
{
    unsigned slot = 0;

    xd_port_write(d, root, PORT_PR | PORT_CHANGES);
    xd_port_write(d, root, PORT_CHANGES);
    xd_skip_events(d);
    if (xd_command(d, 0, 0, TRB_ENABLE_SLOT << 10, &slot) != CODE_SUCCESS)
        return 0;
    memset(xd_ram(d, XD_INPUT), 0, 33 * CONTEXT_SIZE);
    memset(xd_ram(d, XD_CONTEXTS + slot * 0x1000), 0, 32 * CONTEXT_SIZE);
    xd_set_word(d, XD_INPUT + 4, 0x3);
    xd_set_word(d, XD_INPUT + CONTEXT_SIZE, route | 3u << 20 | 1u << SLOT_ENTRIES_SHIFT);
    xd_set_word(d, XD_INPUT + CONTEXT_SIZE + 4, root << 16);
    xd_endpoint_context(d, slot, 1, ENDPOINT_CONTROL, 0);
    if (xd_command(d, XD_INPUT, 0, TRB_ADDRESS_DEVICE << 10 | slot << 24, NULL) != CODE_SUCCESS)
        return 0;
    return slot;
}

enum xhci_code xd_configure(struct xhci_driver *d, unsigned slot, unsigned id,
                            enum endpoint_type type, unsigned streams)
{
    xd_set_word(d, XD_INPUT, 0);
    xd_set_word(d, XD_INPUT + 4, 1u << id | 1);
    xd_endpoint_context(d, slot, id, type, streams);
    return xd_command(d, XD_INPUT, 0, TRB_CONFIGURE_ENDPOINT << 10 | slot << 24, NULL);
}

enum endpoint_state xd_endpoint_state(struct xhci_driver *d, unsigned slot, unsigned id)
{
    return xd_word(d, XD_CONTEXTS + slot * 0x1000 + id * CONTEXT_SIZE) & 7;
}

void xd_control(struct xhci_driver *d, unsigned slot, uint64_t setup, uint64_t data,
                uint32_t length)
{
    struct xd_ring *ring = &d->rings[slot][1];
    uint32_t in = setup & USB_DIR_IN ? TRB_DIR_IN : 0;

    xd_put(d, ring, setup, 8, TRB_SETUP << 10 | TRB_IDT);
    if (length > 0)
        xd_put(d, ring, data, length, TRB_DATA << 10 | TRB_ISP | in);
    xd_put(d, ring, 0, 0, TRB_STATUS << 10 | TRB_IOC | (length > 0 ? in ^ TRB_DIR_IN : TRB_DIR_IN));
}
