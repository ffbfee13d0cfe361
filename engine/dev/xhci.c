/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The controller: its PCI function, registers (5.3 to 5.6), capabilities (7), run, stop and reset.
 */
#include "engine/dev/xhci.h"

#include <string.h>

#include "core/log.h"
#include "engine/dev/xhci_internal.h"

#define BAR_SIZE 0x4000
#define BAR_INDEX 0
#define MSIX_BAR 2

/* Where the register sets lie in the BAR. */
enum {
    OPERATIONAL = 0x40,
    PORT_REGISTERS = OPERATIONAL + 0x400,
    EXTENDED = 0x600,
    RUNTIME = 0x1000,
    DOORBELLS = 0x2000,
};
#define PORT_REGISTER_SIZE 0x10

/* 1.0: what the drivers of all systems were written for; 1.1 and 1.2 add capability bits, none of
 * which is set here. */
#define HCI_VERSION 0x0100

/* Capability registers: 5.3 */
enum {
    CAP_LENGTH = 0x00,
    CAP_HCSPARAMS1 = 0x04,
    CAP_HCSPARAMS2 = 0x08,
    CAP_HCSPARAMS3 = 0x0c,
    CAP_HCCPARAMS1 = 0x10,
    CAP_DBOFF = 0x14,
    CAP_RTSOFF = 0x18,
};
#define HCSPARAMS2_IST 0x8 /* isochronous TDs are taken up to one frame before */
enum {
    HCC_AC64 = 1u << 0,
    HCC_PPC = 1u << 3,
    HCC_SPC = 1u << 9, /* Stopped - Short Packet */
    HCC_CFC = 1u << 11,
};

/* Operational registers: 5.4 */
enum {
    OP_USBCMD = 0x00,
    OP_USBSTS = 0x04,
    OP_PAGESIZE = 0x08,
    OP_DNCTRL = 0x14,
    OP_CRCR = 0x18,
    OP_CRCR_HIGH = 0x1c,
    OP_DCBAAP = 0x30,
    OP_DCBAAP_HIGH = 0x34,
    OP_CONFIG = 0x38,
};
#define CMD_WRITABLE (CMD_RUN | CMD_INTE | CMD_HSEE | CMD_EWE)
#define STS_WRITE_CLEAR (STS_HSE | STS_EINT | STS_PCD | STS_SRE)
#define CRCR_CRR 0x8
#define PAGE_4K 0x1
#define CONFIG_MASK 0x3ff

/* Extended capabilities: 7.1, 7.2 */
enum { EXT_LEGACY = 0x00, EXT_LEGACY_CONTROL = 0x04, EXT_USB2 = 0x10, EXT_USB3 = 0x20 };
#define EXT_ID_LEGACY 1
#define EXT_ID_PROTOCOL 2
#define LEGACY_BIOS (1u << 16)
#define LEGACY_OS (1u << 24)
#define LEGACY_CONTROL_MASK 0x0000e011u
#define NAME_USB 0x20425355u /* "USB " */

static struct xhci *to_xhci(struct device *device)
{
    return (struct xhci *)device;
}

static GMutex *lock_of(struct xhci *xhci)
{
    return &xhci->pci.board->lock;
}

static uint64_t now(const struct xhci *xhci)
{
    return clock_now(xhci->pci.board->clock);
}

/*
 * Run, stop, reset.
 */

uint64_t xhci_microframe(const struct xhci *xhci)
{
    if (xhci->usbsts & STS_HCH)
        return 0;
    return (now(xhci) - xhci->started_at) / XHCI_MICROFRAME_NS;
}

/* 4.14.2: every 2^14 microframes. */
static void arm_wrap(struct xhci *xhci)
{
    uint64_t period = (uint64_t)(XHCI_MFINDEX_MASK + 1) * XHCI_MICROFRAME_NS;
    uint64_t periods = (now(xhci) - xhci->started_at) / period + 1;

    if ((xhci->usbsts & STS_HCH) || !(xhci->usbcmd & CMD_EWE))
        vm_timer_cancel(&xhci->wrap);
    else
        vm_timer_set(&xhci->wrap, xhci->started_at + periods * period);
}

static void on_wrap(void *opaque)
{
    struct xhci *xhci = opaque;
    const struct trb event = {.status = (uint32_t)CODE_SUCCESS << 24,
                              .control = TRB_WRAP_EVENT << 10};

    xhci_event(xhci, 0, &event, false);
    arm_wrap(xhci);
    xhci_update_interrupts(xhci);
}

static void run_all(struct xhci *xhci)
{
    xhci_events_release(xhci);
    xhci_command_continue(xhci);
    xhci_commands_run(xhci);
    xhci_endpoints_run(xhci);
}

static void on_kick(void *opaque)
{
    struct xhci *xhci = opaque;

    run_all(xhci);
    xhci_update_interrupts(xhci);
}

/* Not at once: a guest whose rings never end shall not keep the main loop from other work. */
void xhci_kick_later(struct xhci *xhci)
{
    if (!xhci->kick.armed)
        vm_timer_set(&xhci->kick, now(xhci) + XHCI_MICROFRAME_NS);
}

static void stop(struct xhci *xhci)
{
    if (xhci->usbsts & STS_HCH)
        return;
    xhci_commands_stop(xhci);
    xhci->usbcmd &= ~CMD_RUN;
    xhci->usbsts |= STS_HCH;
    vm_timer_cancel(&xhci->wrap);
}

static void start(struct xhci *xhci)
{
    if (!(xhci->usbsts & STS_HCH) || (xhci->usbsts & STS_HSE))
        return;
    xhci->usbcmd |= CMD_RUN;
    xhci->usbsts &= ~STS_HCH;
    xhci->started_at = now(xhci);
    arm_wrap(xhci);
    xhci_ports_started(xhci);
    xhci_endpoints_run(xhci);
}

void xhci_host_error(struct xhci *xhci, const char *what, uint64_t gpa)
{
    log_guest("xhci", "the %s at %#" G_GINT64_MODIFIER "x is not in memory: the controller stops",
              what, gpa);
    stop(xhci);
    xhci->usbsts |= STS_HSE;
}

static void finish_reset(struct xhci *xhci)
{
    if (!xhci->resetting || xhci->in_flight > 0)
        return;
    xhci->resetting = false;
    xhci_slots_free(xhci);
}

/* 4.2, 5.4.1: all but the PCI function and who owns the controller. */
static void reset_controller(struct xhci *xhci)
{
    stop(xhci);
    xhci->usbcmd = xhci->dnctrl = xhci->config = 0;
    xhci->usbsts = STS_HCH;
    xhci->crcr = xhci->dcbaap = 0;
    xhci->saved = false;
    xhci->command_ring = (struct xhci_ring){0};
    xhci->command_running = xhci->command_rung = false;
    xhci->command.waiting = false;
    vm_timer_cancel(&xhci->kick);
    xhci->starved = false;
    xhci->resetting = true;
    xhci_slots_reset(xhci);
    xhci_events_reset(xhci);
    xhci_ports_reset(xhci);
    finish_reset(xhci);
}

void xhci_request_gone(struct xhci *xhci)
{
    if (--xhci->in_flight == 0)
        g_cond_broadcast(&xhci->drained);
    finish_reset(xhci);
    xhci_command_continue(xhci);
}

/*
 * Registers.
 */

static uint32_t capability_read(unsigned reg)
{
    switch (reg) {
    case CAP_LENGTH:
        return OPERATIONAL | HCI_VERSION << 16;
    case CAP_HCSPARAMS1:
        return XHCI_SLOTS | XHCI_INTERRUPTERS << 8 | XHCI_ROOT_PORTS << 24;
    case CAP_HCSPARAMS2:
        return HCSPARAMS2_IST | XHCI_ERST_MAX_SHIFT << 4;
    case CAP_HCCPARAMS1:
        return HCC_AC64 | HCC_PPC | HCC_SPC | HCC_CFC | XHCI_PSA_SHIFT << 12 | (EXTENDED / 4) << 16;
    case CAP_DBOFF:
        return DOORBELLS;
    case CAP_RTSOFF:
        return RUNTIME;
    default:
        return 0;
    }
}

static uint32_t operational_read(struct xhci *xhci, unsigned reg)
{
    switch (reg) {
    case OP_USBCMD:
        return xhci->usbcmd | (xhci->resetting ? CMD_HCRST : 0);
    case OP_USBSTS:
        return xhci->usbsts | (xhci->resetting ? STS_CNR : 0);
    case OP_PAGESIZE:
        return PAGE_4K;
    case OP_DNCTRL:
        return xhci->dnctrl;
    case OP_CRCR: /* 5.4.5: the rest reads as 0 */
        return xhci->command_running ? CRCR_CRR : 0;
    case OP_DCBAAP:
        return xhci->dcbaap;
    case OP_DCBAAP_HIGH:
        return xhci->dcbaap >> 32;
    case OP_CONFIG:
        return xhci->config;
    default:
        return 0;
    }
}

/* 4.23.2: nothing is lost while the machine has power, so saving is remembering where the event
 * rings stand, and restoring fails only after a reset. */
static void save_or_restore(struct xhci *xhci, uint32_t value)
{
    if (!(xhci->usbsts & STS_HCH))
        return;
    if (value & CMD_CSS) {
        xhci_events_save(xhci);
        xhci->saved = true;
    }
    if (!(value & CMD_CRS))
        return;
    if (xhci->saved)
        xhci_events_restore(xhci);
    else
        xhci->usbsts |= STS_SRE;
}

static void write_usbcmd(struct xhci *xhci, uint32_t value)
{
    if (value & CMD_HCRST) {
        reset_controller(xhci);
        return;
    }
    xhci->usbcmd = (value & CMD_WRITABLE & ~CMD_RUN) | (xhci->usbcmd & CMD_RUN);
    save_or_restore(xhci, value);
    if (value & CMD_RUN)
        start(xhci);
    else
        stop(xhci);
    arm_wrap(xhci);
}

static void operational_write(struct xhci *xhci, unsigned reg, uint32_t value)
{
    switch (reg) {
    case OP_USBCMD:
        write_usbcmd(xhci, value);
        break;
    case OP_USBSTS:
        xhci->usbsts &= ~(value & STS_WRITE_CLEAR);
        break;
    case OP_DNCTRL:
        xhci->dnctrl = value & 0xffff;
        break;
    case OP_CRCR:
        xhci_command_write(xhci, (xhci->crcr & ~(uint64_t)UINT32_MAX) | value);
        break;
    case OP_CRCR_HIGH:
        xhci_command_write(xhci, (uint32_t)xhci->crcr | (uint64_t)value << 32);
        break;
    case OP_DCBAAP:
        xhci->dcbaap = (xhci->dcbaap & ~(uint64_t)UINT32_MAX) | (value & ~0x3fu);
        break;
    case OP_DCBAAP_HIGH:
        xhci->dcbaap = (uint32_t)xhci->dcbaap | (uint64_t)value << 32;
        break;
    case OP_CONFIG:
        xhci->config = value & CONFIG_MASK;
        break;
    default:
        break;
    }
}

/* 7.2: four ports from first on, with the speeds that belong to the protocol. */
static uint32_t protocol_read(unsigned word, unsigned major, unsigned first, unsigned next)
{
    const uint32_t words[] = {EXT_ID_PROTOCOL | next << 8 | major << 24, NAME_USB,
                              first | XHCI_PORTS << 8, 0};

    return words[word];
}

static uint32_t extended_read(struct xhci *xhci, unsigned reg)
{
    if (reg == EXT_LEGACY)
        return xhci->legacy_support;
    if (reg == EXT_LEGACY_CONTROL)
        return xhci->legacy_control;
    if (reg >= EXT_USB2 && reg < EXT_USB2 + 0x10)
        return protocol_read((reg - EXT_USB2) / 4, 2, 1, (EXT_USB3 - EXT_USB2) / 4);
    if (reg >= EXT_USB3 && reg < EXT_USB3 + 0x10)
        return protocol_read((reg - EXT_USB3) / 4, 3, 1 + XHCI_PORTS, 0);
    return 0;
}

/* 4.22.1: firmware owns it until a system asks. No SMI tells the firmware, so it is out at once. */
static void extended_write(struct xhci *xhci, unsigned reg, uint32_t value)
{
    if (reg == EXT_LEGACY) {
        xhci->legacy_support &= ~(LEGACY_BIOS | LEGACY_OS);
        xhci->legacy_support |= value & LEGACY_OS ? LEGACY_OS : value & LEGACY_BIOS;
    } else if (reg == EXT_LEGACY_CONTROL) {
        xhci->legacy_control = value & LEGACY_CONTROL_MASK;
    }
}

static void ring_doorbell(struct xhci *xhci, unsigned number, uint32_t value)
{
    if (xhci->usbsts & STS_HCH)
        return;
    if (number > 0) {
        xhci_endpoint_doorbell(xhci, number, value);
    } else if ((value & 0xff) == 0) {
        xhci->command_rung = true;
        xhci_commands_run(xhci);
    }
}

static uint32_t read_register(struct xhci *xhci, unsigned reg)
{
    if (reg < OPERATIONAL)
        return capability_read(reg);
    if (reg < PORT_REGISTERS)
        return operational_read(xhci, reg - OPERATIONAL);
    if (reg < PORT_REGISTERS + XHCI_ROOT_PORTS * PORT_REGISTER_SIZE)
        return xhci_port_read(xhci, reg - PORT_REGISTERS);
    if (reg >= EXTENDED && reg < RUNTIME)
        return extended_read(xhci, reg - EXTENDED);
    if (reg >= RUNTIME && reg < DOORBELLS)
        return xhci_runtime_read(xhci, reg - RUNTIME);
    return 0;
}

static void write_register(struct xhci *xhci, unsigned reg, uint32_t value)
{
    if (reg >= EXTENDED && reg < RUNTIME)
        extended_write(xhci, reg - EXTENDED, value);
    else if (xhci->resetting || reg < OPERATIONAL)
        return;
    else if (reg < PORT_REGISTERS)
        operational_write(xhci, reg - OPERATIONAL, value);
    else if (reg < PORT_REGISTERS + XHCI_ROOT_PORTS * PORT_REGISTER_SIZE)
        xhci_port_write(xhci, reg - PORT_REGISTERS, value);
    else if (reg >= RUNTIME && reg < DOORBELLS)
        xhci_runtime_write(xhci, reg - RUNTIME, value);
    else if (reg >= DOORBELLS && reg <= DOORBELLS + XHCI_SLOTS * 4)
        ring_doorbell(xhci, (reg - DOORBELLS) / 4, value);
}

static uint64_t bar_read(void *opaque, uint64_t offset, unsigned size)
{
    return (uint64_t)read_register(opaque, offset & ~3u) >> (offset & 3) * 8;
}

/* Registers are written whole (5.1), but for the semaphores of the legacy capability, which are
 * bytes. */
static void bar_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct xhci *xhci = opaque;
    unsigned reg = offset & ~3u, shift = (offset & 3) * 8;

    if (size == 4 && shift == 0) {
        write_register(xhci, reg, value);
    } else if (reg == EXTENDED + EXT_LEGACY && size == 1) {
        uint32_t mask = 0xffu << shift;

        write_register(xhci, reg,
                       (xhci->legacy_support & ~mask) | ((uint32_t)value << shift & mask));
    } else {
        log_guest("xhci", "a write of %u bytes to register %#x has no effect", size,
                  (unsigned)offset);
        return;
    }
    xhci_update_interrupts(xhci);
}

static const struct region_ops bar_ops = {bar_read, bar_write, .max_access = 4};

/*
 * Devices that are not needed any more.
 */

void xhci_unref_unwanted(struct xhci *xhci)
{
    struct usb_device *device;

    do {
        g_mutex_lock(lock_of(xhci));
        device = g_queue_pop_head(&xhci->unwanted);
        g_mutex_unlock(lock_of(xhci));
        usb_device_unref(device);
    } while (device != NULL);
}

static gboolean on_unref(gpointer opaque)
{
    struct xhci *xhci = opaque;

    g_source_set_ready_time(xhci->unref_source, -1);
    xhci_unref_unwanted(xhci);
    return G_SOURCE_CONTINUE;
}

static gboolean dispatch_unref(GSource *source, GSourceFunc callback, gpointer opaque)
{
    return callback(opaque);
}

static GSourceFuncs unref_funcs = {.dispatch = dispatch_unref};

void xhci_unref_later(struct xhci *xhci, struct usb_device *device)
{
    if (device == NULL)
        return;
    g_queue_push_tail(&xhci->unwanted, device);
    if (xhci->unref_source != NULL)
        g_source_set_ready_time(xhci->unref_source, 0);
}

/*
 * The function.
 */

/* Requests that wait for a device come back, to be made again; the others go on. */
static void take_back_all(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_SLOTS; i++) {
        for (unsigned id = 1; id < XHCI_ENDPOINTS; id++) {
            struct xhci_endpoint *endpoint = xhci->slots[i].endpoints[id];

            /* A control transfer may have had its effect: it is not made twice. */
            if (endpoint != NULL && endpoint->type != ENDPOINT_CONTROL)
                xhci_endpoint_stop(endpoint, false);
        }
    }
}

/* Without being bus master it reaches no memory: all waits until it is again. */
static void config_written(struct pci_device *pci, unsigned offset, unsigned size)
{
    struct xhci *xhci = to_xhci(&pci->device);

    if (offset > PCI_COMMAND || offset + size <= PCI_COMMAND)
        return;
    if (!pci_device_is_master(pci))
        take_back_all(xhci);
    else if (!(xhci->usbsts & STS_HCH))
        run_all(xhci);
    xhci_update_interrupts(xhci);
}

static const struct pci_device_ops pci_ops = {.config_written = config_written};

static void xhci_reset(struct device *device)
{
    struct xhci *xhci = to_xhci(device);

    pci_device_reset(&xhci->pci);
    xhci->legacy_support = EXT_ID_LEGACY | (EXT_USB2 / 4) << 8;
    xhci->legacy_control = 0;
    reset_controller(xhci);
    xhci_update_interrupts(xhci);
}

static void xhci_destroy(struct device *device)
{
    struct xhci *xhci = to_xhci(device);

    xhci_ports_finish(xhci);
    g_mutex_lock(lock_of(xhci));
    reset_controller(xhci);
    while (xhci->in_flight > 0)
        g_cond_wait(&xhci->drained, lock_of(xhci));
    xhci_events_finish(xhci);
    pci_device_finish(&xhci->pci);
    g_mutex_unlock(lock_of(xhci));
    if (xhci->unref_source != NULL) {
        g_source_destroy(xhci->unref_source);
        g_source_unref(xhci->unref_source);
    }
    xhci_unref_unwanted(xhci);
    g_cond_clear(&xhci->drained);
    g_free(xhci);
}

static const struct device_class xhci_class = {
    .name = "xhci",
    .reset = xhci_reset,
    .destroy = xhci_destroy,
};

bool xhci_pause(struct xhci *xhci, unsigned timeout_ms)
{
    gint64 end = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    bool drained;

    xhci_unref_unwanted(xhci);
    g_mutex_lock(lock_of(xhci));
    xhci->paused = true;
    take_back_all(xhci);
    while (xhci->in_flight > 0 && g_cond_wait_until(&xhci->drained, lock_of(xhci), end))
        ;
    drained = xhci->in_flight == 0;
    g_mutex_unlock(lock_of(xhci));
    return drained;
}

void xhci_resume(struct xhci *xhci)
{
    g_mutex_lock(lock_of(xhci));
    xhci->paused = false;
    if (!(xhci->usbsts & STS_HCH))
        run_all(xhci);
    xhci_update_interrupts(xhci);
    g_mutex_unlock(lock_of(xhci));
}

static void init_unref_source(struct xhci *xhci, GMainContext *context)
{
    if (context == NULL)
        return;
    xhci->unref_source = g_source_new(&unref_funcs, sizeof(GSource));
    g_source_set_callback(xhci->unref_source, on_unref, xhci, NULL);
    g_source_set_name(xhci->unref_source, "xhci devices");
    g_source_attach(xhci->unref_source, context);
}

struct xhci *xhci_new(struct board *board, uint8_t devfn, GMainContext *context)
{
    /* An id without a workaround in any driver: Linux has some for controllers of Fresco, NEC, AMD,
     * Intel, Etron, Renesas, VIA, ASMedia, TI and others, none for this. Windows, SeaBIOS and OVMF
     * go by the class. */
    static const struct pci_ids ids = {.vendor = 0x1b36,
                                       .device = 0x000d,
                                       .subsystem_vendor = 0x1af4,
                                       .subsystem = 0x1100,
                                       .revision = 1,
                                       .class_device = 0x0c03,
                                       .class_prog = 0x30};
    struct xhci *xhci = g_new0(struct xhci, 1);

    g_cond_init(&xhci->drained);
    xhci->region =
        (struct region){.name = "xhci", .size = BAR_SIZE, .ops = &bar_ops, .opaque = xhci};
    pci_device_init(&xhci->pci, board, &xhci_class, "xhci0", &ids);
    xhci->pci.ops = &pci_ops;
    xhci->pci.config[0x60] = 0x30; /* SBRN: USB 3.0 (5.2.3) */
    xhci->pci.config[0x61] = 0x20; /* FLADJ (5.2.4) */
    xhci->pci.write_mask[0x61] = 0x3f;
    pci_device_add_bar(&xhci->pci, BAR_INDEX, PCI_BAR_MEM64, &xhci->region, false);
    pci_device_add_msix(&xhci->pci, MSIX_BAR, XHCI_INTERRUPTERS);
    pci_device_add_msi(&xhci->pci);
    pci_device_set_pin(&xhci->pci, 1);
    vm_timer_init(&xhci->kick, board->clock, on_kick, xhci);
    vm_timer_init(&xhci->wrap, board->clock, on_wrap, xhci);
    init_unref_source(xhci, context);
    for (unsigned i = 0; i < XHCI_SLOTS; i++) {
        xhci->slots[i].xhci = xhci;
        xhci->slots[i].id = i + 1;
    }
    xhci_events_init(xhci);
    xhci_ports_init(xhci);
    pci_bus_plug(board->pci, &xhci->pci, devfn);
    xhci_reset(&xhci->pci.device);
    board_add_device(board, &xhci->pci.device);
    return xhci;
}
