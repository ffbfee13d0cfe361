/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupters: event rings (4.9.4) and when they interrupt (4.17), and the runtime registers
 * (5.5).
 */
#include <string.h>

#include "core/log.h"
#include "engine/dev/xhci_internal.h"

#define IMOD_UNIT_NS 250

#define IMAN_IP 0x1
#define IMAN_IE 0x2
#define ERDP_EHB 0x8
#define ERDP_FLAGS 0xf
#define ERST_ENTRY_WORDS 4
#define SEGMENT_MIN_TRBS 16

/* Runtime registers: 5.5.1, 5.5.2 */
enum { RT_MFINDEX = 0x00, RT_INTERRUPTERS = 0x20, RT_INTERRUPTER_SIZE = 0x20 };
enum {
    IR_IMAN = 0x00,
    IR_IMOD = 0x04,
    IR_ERSTSZ = 0x08,
    IR_ERSTBA = 0x10,
    IR_ERSTBA_HIGH = 0x14,
    IR_ERDP = 0x18,
    IR_ERDP_HIGH = 0x1c,
};

/*
 * Interrupts.
 */

/* The pin shows what no message has carried away (4.17.5). */
static void update_pin(struct xhci *xhci)
{
    bool level = false;

    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
        level |= (xhci->interrupters[i].iman & (IMAN_IP | IMAN_IE)) == (IMAN_IP | IMAN_IE);
    pci_device_set_irq(&xhci->pci, level && (xhci->usbcmd & CMD_INTE));
}

static uint64_t moderation(const struct xhci_interrupter *ir)
{
    return (uint64_t)(ir->imod & 0xffff) * IMOD_UNIT_NS;
}

/* A message carries the pending state with it: IP is clear again. */
static void send_message(struct xhci_interrupter *ir)
{
    struct xhci *xhci = ir->xhci;

    if (!(ir->iman & IMAN_IP) || !(ir->iman & IMAN_IE) || !(xhci->usbcmd & CMD_INTE))
        return;
    if (pci_device_msix_enabled(&xhci->pci)) {
        pci_device_send_msix(&xhci->pci, ir->number);
    } else if (pci_device_msi_enabled(&xhci->pci)) {
        pci_device_set_irq(&xhci->pci, true);
        pci_device_set_irq(&xhci->pci, false);
    } else {
        return;
    }
    ir->iman &= ~IMAN_IP;
    ir->rest = clock_now(xhci->pci.board->clock) + moderation(ir);
}

/* 4.17.2: an event makes an interrupt when the guest is not busy with the ring, and has had its
 * rest. */
static void update_interrupter(struct xhci_interrupter *ir)
{
    struct xhci *xhci = ir->xhci;
    uint64_t now;

    if (ir->wanted && !(ir->iman & IMAN_IP) && !(ir->erdp & ERDP_EHB)) {
        now = ir->rest != 0 ? clock_now(xhci->pci.board->clock) : 0;
        if (now < ir->rest) {
            if (!ir->timer.armed)
                vm_timer_set(&ir->timer, ir->rest);
            return;
        }
        ir->wanted = false;
        ir->iman |= IMAN_IP;
        ir->erdp |= ERDP_EHB;
        xhci->usbsts |= STS_EINT;
    }
    send_message(ir);
}

void xhci_update_interrupts(struct xhci *xhci)
{
    bool messages = pci_device_msix_enabled(&xhci->pci) || pci_device_msi_enabled(&xhci->pci);

    /* A level that the pin had before the guest chose messages would hide the next one. */
    if (messages)
        pci_device_set_irq(&xhci->pci, false);
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
        update_interrupter(&xhci->interrupters[i]);
    if (!messages)
        update_pin(xhci);
}

static void on_rest_over(void *opaque)
{
    struct xhci_interrupter *ir = opaque;

    xhci_update_interrupts(ir->xhci);
}

/*
 * Event rings.
 */

/* Reads the segment table, as ERSTBA's being written asks for (4.9.4.1); false: there is none. */
static bool load(struct xhci_interrupter *ir)
{
    struct xhci *xhci = ir->xhci;

    if (ir->loaded)
        return ir->segment_count > 0;
    ir->loaded = true;
    ir->segment_count = 0;
    ir->position = (struct event_position){.cycle = true};
    for (unsigned i = 0; i < MIN(ir->erstsz, 1u << XHCI_ERST_MAX_SHIFT); i++) {
        uint32_t entry[ERST_ENTRY_WORDS];
        uint64_t at = ir->erstba + i * sizeof(entry);

        if (!xhci_read_words(xhci_memory(xhci), at, entry, ERST_ENTRY_WORDS)) {
            ir->segment_count = 0;
            xhci_host_error(xhci, "event ring segment table", at);
            return false;
        }
        if ((entry[2] & 0xffff) < SEGMENT_MIN_TRBS || (entry[2] & 0xffff) > XHCI_SEGMENT_MAX_TRBS) {
            log_guest("xhci", "an event ring segment of %u TRBs is out of range",
                      entry[2] & 0xffff);
            break;
        }
        ir->segments[i].base = (entry[0] & ~0x3fu) | (uint64_t)entry[1] << 32;
        ir->segments[i].size = entry[2] & 0xffff;
        ir->segment_count = i + 1;
    }
    return ir->segment_count > 0;
}

static uint64_t address_of(const struct xhci_interrupter *ir, const struct event_position *at)
{
    return ir->segments[at->segment].base + (uint64_t)at->index * TRB_SIZE;
}

static struct event_position behind(const struct xhci_interrupter *ir, struct event_position at)
{
    if (++at.index < ir->segments[at.segment].size)
        return at;
    at.index = 0;
    if (++at.segment < ir->segment_count)
        return at;
    at.segment = 0;
    at.cycle = !at.cycle;
    return at;
}

static bool put(struct xhci_interrupter *ir, const struct trb *event)
{
    struct xhci *xhci = ir->xhci;
    uint64_t at = address_of(ir, &ir->position);
    uint32_t words[4] = {event->parameter, event->parameter >> 32, event->status, 0};
    uint32_t control = event->control | (ir->position.cycle ? TRB_CYCLE : 0);

    /* The cycle bit hands it over: last, and after all that a device has written. */
    if (!xhci_write_words(xhci_memory(xhci), at, words, 3)) {
        xhci_host_error(xhci, "event ring", at);
        return false;
    }
    xhci_keep_order();
    if (!xhci_write_words(xhci_memory(xhci), at + 12, &control, 1)) {
        xhci_host_error(xhci, "event ring", at);
        return false;
    }
    ir->position = behind(ir, ir->position);
    return true;
}

/* 4.9.4: the last TRB but one says that the ring is full. The last is never used: a ring that was
 * full, and has been taken as a whole, looks another than one of which nothing was taken. False:
 * there is no room. */
static bool has_room(struct xhci_interrupter *ir)
{
    const struct trb event = {.status = (uint32_t)CODE_EVENT_RING_FULL << 24,
                              .control = TRB_CONTROLLER_EVENT << 10};
    struct event_position next = behind(ir, ir->position), last = behind(ir, next);
    uint64_t dequeue = ir->erdp & ~(uint64_t)ERDP_FLAGS;

    if (address_of(ir, &next) == dequeue)
        return false;
    if (address_of(ir, &last) != dequeue)
        return true;
    if (put(ir, &event))
        ir->wanted = true;
    return false;
}

/* Nothing changes the memory of a machine that stands. */
static bool may_write(const struct xhci *xhci)
{
    return !xhci->paused && pci_device_is_master(&xhci->pci);
}

static void hold(struct xhci_interrupter *ir, const struct trb *event)
{
    if (ir->held->len < XHCI_MAX_HELD_EVENTS)
        g_array_append_val(ir->held, *event);
    else
        log_guest("xhci", "interrupter %u: an event is lost, its ring stays full", ir->number);
}

void xhci_event(struct xhci *xhci, unsigned number, const struct trb *event, bool quiet)
{
    struct xhci_interrupter *ir = &xhci->interrupters[number < XHCI_INTERRUPTERS ? number : 0];

    if (xhci->usbsts & (STS_HSE | STS_HCH))
        return;
    if (!load(ir)) {
        log_guest("xhci", "interrupter %u has no event ring", ir->number);
        return;
    }
    if (ir->held->len > 0 || !may_write(xhci) || !has_room(ir)) {
        hold(ir, event);
        return;
    }
    if (put(ir, event))
        ir->wanted |= !quiet;
}

bool xhci_events_blocked(const struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
        if (xhci->interrupters[i].held->len > 0)
            return true;
    return false;
}

static void release_held(struct xhci_interrupter *ir)
{
    guint done = 0;

    while (done < ir->held->len && may_write(ir->xhci) && has_room(ir) &&
           put(ir, &g_array_index(ir->held, struct trb, done))) {
        ir->wanted = true;
        done++;
    }
    if (done == 0)
        return;
    g_array_remove_range(ir->held, 0, done);
    if (!xhci_events_blocked(ir->xhci))
        xhci_kick_later(ir->xhci);
}

void xhci_events_release(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
        if (xhci->interrupters[i].segment_count > 0)
            release_held(&xhci->interrupters[i]);
}

/*
 * Registers.
 */

static uint32_t interrupter_read(const struct xhci_interrupter *ir, unsigned reg)
{
    switch (reg) {
    case IR_IMAN:
        return ir->iman;
    case IR_IMOD:
        return ir->imod;
    case IR_ERSTSZ:
        return ir->erstsz;
    case IR_ERSTBA:
        return ir->erstba;
    case IR_ERSTBA_HIGH:
        return ir->erstba >> 32;
    case IR_ERDP:
        return ir->erdp;
    case IR_ERDP_HIGH:
        return ir->erdp >> 32;
    default:
        return 0;
    }
}

uint32_t xhci_runtime_read(struct xhci *xhci, unsigned offset)
{
    unsigned number = (offset - RT_INTERRUPTERS) / RT_INTERRUPTER_SIZE;

    if (offset == RT_MFINDEX)
        return xhci_microframe(xhci) & XHCI_MFINDEX_MASK;
    if (offset < RT_INTERRUPTERS || number >= XHCI_INTERRUPTERS)
        return 0;
    return interrupter_read(&xhci->interrupters[number], offset % RT_INTERRUPTER_SIZE);
}

/* 5.5.2.3.3: what the guest has taken; EHB ends its being busy with the ring. */
static void write_erdp(struct xhci_interrupter *ir, uint64_t value, bool low)
{
    uint64_t busy = ir->erdp & ERDP_EHB;

    if (low && (value & ERDP_EHB))
        busy = 0;
    ir->erdp = (value & ~(uint64_t)ERDP_EHB) | busy;
    if (!ir->loaded || ir->segment_count == 0)
        return;
    release_held(ir);
    /* What the guest has taken already needs no interrupt (4.17.2: IPE). */
    if (address_of(ir, &ir->position) == (ir->erdp & ~(uint64_t)ERDP_FLAGS))
        ir->wanted = false;
}

static void interrupter_write(struct xhci_interrupter *ir, unsigned reg, uint32_t value)
{
    switch (reg) {
    case IR_IMAN:
        if ((value & IMAN_IP) && (ir->iman & IMAN_IP)) {
            ir->iman &= ~IMAN_IP;
            ir->rest = clock_now(ir->xhci->pci.board->clock) + moderation(ir);
        }
        ir->iman = (ir->iman & IMAN_IP) | (value & IMAN_IE);
        break;
    case IR_IMOD:
        ir->imod = value;
        break;
    case IR_ERSTSZ:
        ir->erstsz = value & 0xffff;
        break;
    case IR_ERSTBA:
        ir->erstba = (ir->erstba & ~(uint64_t)UINT32_MAX) | (value & ~0x3fu);
        ir->loaded = false;
        break;
    case IR_ERSTBA_HIGH:
        ir->erstba = (uint32_t)ir->erstba | (uint64_t)value << 32;
        ir->loaded = false;
        break;
    case IR_ERDP:
        write_erdp(ir, (ir->erdp & ~(uint64_t)UINT32_MAX) | value, true);
        break;
    case IR_ERDP_HIGH:
        write_erdp(ir, (uint32_t)ir->erdp | (uint64_t)value << 32, false);
        break;
    default:
        break;
    }
}

void xhci_runtime_write(struct xhci *xhci, unsigned offset, uint32_t value)
{
    unsigned number = (offset - RT_INTERRUPTERS) / RT_INTERRUPTER_SIZE;

    if (offset >= RT_INTERRUPTERS && number < XHCI_INTERRUPTERS)
        interrupter_write(&xhci->interrupters[number], offset % RT_INTERRUPTER_SIZE, value);
}

/*
 * Life.
 */

void xhci_events_init(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++) {
        struct xhci_interrupter *ir = &xhci->interrupters[i];

        ir->xhci = xhci;
        ir->number = i;
        ir->held = g_array_new(FALSE, FALSE, sizeof(struct trb));
        vm_timer_init(&ir->timer, xhci->pci.board->clock, on_rest_over, ir);
    }
}

void xhci_events_finish(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++) {
        vm_timer_cancel(&xhci->interrupters[i].timer);
        g_array_free(xhci->interrupters[i].held, TRUE);
    }
}

void xhci_events_reset(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++) {
        struct xhci_interrupter *ir = &xhci->interrupters[i];

        vm_timer_cancel(&ir->timer);
        g_array_set_size(ir->held, 0);
        ir->iman = ir->erstsz = 0;
        ir->imod = 4000; /* 5.5.2.2: 1 ms */
        ir->erstba = ir->erdp = ir->rest = 0;
        ir->loaded = ir->wanted = false;
        ir->segment_count = 0;
    }
}

/* 4.23.2: where the rings stand is the only state that has no register. */
void xhci_events_save(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
        xhci->interrupters[i].saved = xhci->interrupters[i].position;
}

void xhci_events_restore(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++) {
        struct xhci_interrupter *ir = &xhci->interrupters[i];

        if (ir->erstsz == 0 || !load(ir) || ir->saved.segment >= ir->segment_count ||
            ir->saved.index >= ir->segments[ir->saved.segment].size)
            continue;
        ir->position = ir->saved;
    }
}
