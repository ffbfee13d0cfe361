/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers of the controller and its ports: AHCI 1.3.1, chapters 3 and 10. */
#include <string.h>

#include "core/error.h"
#include "core/log.h"
#include "engine/dev/ahci_internal.h"

#define ABAR_SIZE 4096
#define ABAR_BAR 5
#define PORT_BASE 0x100
#define PORT_SIZE 0x80

/* ICH9's address map register: bits 7:6 say AHCI. */
#define ICH9_MAP 0x90
#define ICH9_MAP_AHCI 0x40

/* Generic host control: AHCI 3.1 */
enum {
    HBA_CAP = 0x00,
    HBA_GHC = 0x04,
    HBA_IS = 0x08,
    HBA_PI = 0x0c,
    HBA_VS = 0x10,
};

enum {
    CAP_NCS_SHIFT = 8,
    CAP_SAM = 1u << 18,
    CAP_ISS_GEN2 = 2u << 20,
    CAP_SCLO = 1u << 24,
    CAP_SNCQ = 1u << 30,
    CAP_S64A = 1u << 31,
};

enum { GHC_HR = 1u << 0, GHC_IE = 1u << 1, GHC_AE = 1u << 31 };

#define AHCI_VERSION 0x00010301

/* Port registers: AHCI 3.3 */
enum {
    PORT_CLB = 0x00,
    PORT_CLBU = 0x04,
    PORT_FB = 0x08,
    PORT_FBU = 0x0c,
    PORT_IS = 0x10,
    PORT_IE = 0x14,
    PORT_CMD = 0x18,
    PORT_TFD = 0x20,
    PORT_SIG = 0x24,
    PORT_SSTS = 0x28,
    PORT_SCTL = 0x2c,
    PORT_SERR = 0x30,
    PORT_SACT = 0x34,
    PORT_CI = 0x38,
};

#define PORT_IS_WRITE_CLEAR 0xfd8000afu /* all but UFS, PCS and PRCS, which follow PxSERR */
#define PORT_IE_MASK 0xfdc000ffu
#define PORT_CMD_WRITABLE (PORT_CMD_ST | PORT_CMD_FRE | PORT_CMD_ATAPI | PORT_CMD_DLAE)
#define PORT_SERR_N (1u << 16) /* PhyRdy change */
#define PORT_SERR_X (1u << 26) /* exchanged */
#define PORT_SCTL_MASK 0xfffu

enum { DET_NONE = 0, DET_INIT = 1, DET_OFFLINE = 4, DET_MASK = 0xf };

#define SSTS_ACTIVE_GEN2 0x123 /* active, second generation, device and link there */

#define TFD_NO_DEVICE 0x7f
#define SIG_NO_DEVICE 0xffffffff

static struct ahci *to_ahci(struct device *device)
{
    return (struct ahci *)device;
}

static uint32_t port_is(const struct ahci_port *port)
{
    return port->is | (port->serr & PORT_SERR_X ? PORT_IS_PCS : 0) |
           (port->serr & PORT_SERR_N ? PORT_IS_PRCS : 0);
}

/* The controller's IS latches what the ports report (10.7). An MSI goes out for each bit that
 * is set anew: also while others still stand, since their handler may be past looking. */
void ahci_update_irq(struct ahci *ahci)
{
    uint32_t pending = 0, fresh;
    bool level;

    for (unsigned i = 0; i < AHCI_PORTS; i++)
        if (port_is(&ahci->ports[i]) & ahci->ports[i].ie)
            pending |= 1u << i;
    fresh = pending & ~ahci->is;
    ahci->is |= pending;
    level = ahci->is != 0 && (ahci->ghc & GHC_IE);
    if (level && fresh != 0 && pci_device_msi_enabled(&ahci->pci))
        pci_device_set_irq(&ahci->pci, false);
    pci_device_set_irq(&ahci->pci, level);
}

static void link_up(struct ahci_port *port)
{
    port->link_pending = port->dropped > 0;
    if (port->link_pending || port->device == NULL)
        return;
    port->ssts = SSTS_ACTIVE_GEN2;
    port->serr |= PORT_SERR_X | PORT_SERR_N;
    ahci_port_signature(port, true);
}

static void link_down(struct ahci_port *port, uint32_t ssts)
{
    ahci_port_drop_commands(port);
    port->halted = port->cmd & PORT_CMD_ST; /* 10.4.2: software clears it before */
    port->link_pending = false;
    port->soft_reset = false;
    port->ssts = ssts;
    port->tfd = TFD_NO_DEVICE;
    port->sig = SIG_NO_DEVICE;
}

static void stop_commands(struct ahci_port *port)
{
    ahci_port_drop_commands(port);
    port->ci = 0;
    port->sact = 0;
    port->last_slot = 0;
    port->halted = false;
}

/* 10.4.3: all of a port but where its lists are. */
static void reset_port(struct ahci_port *port)
{
    port->is = port->ie = port->sctl = port->serr = 0;
    port->cmd = PORT_CMD_SUD | PORT_CMD_POD;
    stop_commands(port);
    link_down(port, 0);
    link_up(port);
}

static void finish_hba_reset(struct ahci *ahci)
{
    for (unsigned i = 0; i < AHCI_PORTS; i++)
        if (ahci->ports[i].dropped > 0)
            return;
    ahci->resetting = false;
}

static void reset_hba(struct ahci *ahci)
{
    ahci->ghc = GHC_AE;
    ahci->is = 0;
    ahci->resetting = true;
    for (unsigned i = 0; i < AHCI_PORTS; i++)
        reset_port(&ahci->ports[i]);
    finish_hba_reset(ahci);
}

void ahci_port_drained(struct ahci_port *port)
{
    if (port->dropped > 0)
        return;
    if (port->link_pending)
        link_up(port);
    if (port->ahci->resetting)
        finish_hba_reset(port->ahci);
}

static uint32_t read_port(const struct ahci_port *port, unsigned reg)
{
    uint32_t cmd = port->cmd;

    switch (reg) {
    case PORT_CLB:
        return port->clb;
    case PORT_CLBU:
        return port->clb >> 32;
    case PORT_FB:
        return port->fb;
    case PORT_FBU:
        return port->fb >> 32;
    case PORT_IS:
        return port_is(port);
    case PORT_IE:
        return port->ie;
    case PORT_CMD:
        if (cmd & PORT_CMD_FRE)
            cmd |= PORT_CMD_FR;
        if ((cmd & PORT_CMD_ST) || port->dropped > 0)
            cmd |= PORT_CMD_CR;
        if (cmd & PORT_CMD_ST)
            cmd |= port->last_slot << PORT_CMD_CCS_SHIFT;
        return cmd;
    case PORT_TFD:
        return port->tfd;
    case PORT_SIG:
        return port->sig;
    case PORT_SSTS:
        return port->ssts;
    case PORT_SCTL:
        return port->sctl;
    case PORT_SERR:
        return port->serr;
    case PORT_SACT:
        return port->sact;
    case PORT_CI:
        return port->ci;
    default:
        return 0;
    }
}

/* 10.3.1: ST starts and stops the command list; 3.3.7: CLO is for when it stands. */
static void write_port_cmd(struct ahci_port *port, uint32_t value)
{
    bool was_started = port->cmd & PORT_CMD_ST;

    port->cmd = (port->cmd & ~PORT_CMD_WRITABLE) | (value & PORT_CMD_WRITABLE);
    if (was_started && !(value & PORT_CMD_ST))
        stop_commands(port);
    if (!was_started && (value & PORT_CMD_CLO))
        port->tfd &= ~(ATA_STATUS_BSY | ATA_STATUS_DRQ);
}

/* 10.4.2: DET going from 1 to 0 is a COMRESET. */
static void write_port_sctl(struct ahci_port *port, uint32_t value)
{
    uint32_t was = port->sctl & DET_MASK, det = value & DET_MASK;

    port->sctl = value & PORT_SCTL_MASK;
    if (det == was)
        return;
    if (det == DET_INIT)
        link_down(port, 0);
    else if (det == DET_OFFLINE)
        link_down(port, DET_OFFLINE);
    else if (det == DET_NONE && (was == DET_INIT || was == DET_OFFLINE))
        link_up(port);
}

static void write_port(struct ahci_port *port, unsigned reg, uint32_t value)
{
    switch (reg) {
    case PORT_CLB:
        port->clb = (port->clb & ~(uint64_t)UINT32_MAX) | (value & ~0x3ffu);
        break;
    case PORT_CLBU:
        port->clb = (uint32_t)port->clb | (uint64_t)value << 32;
        break;
    case PORT_FB:
        port->fb = (port->fb & ~(uint64_t)UINT32_MAX) | (value & ~0xffu);
        break;
    case PORT_FBU:
        port->fb = (uint32_t)port->fb | (uint64_t)value << 32;
        break;
    case PORT_IS:
        port->is &= ~(value & PORT_IS_WRITE_CLEAR);
        break;
    case PORT_IE:
        port->ie = value & PORT_IE_MASK;
        break;
    case PORT_CMD:
        write_port_cmd(port, value);
        break;
    case PORT_SCTL:
        write_port_sctl(port, value);
        break;
    case PORT_SERR:
        port->serr &= ~value;
        break;
    case PORT_SACT:
        if (port->cmd & PORT_CMD_ST)
            port->sact |= value;
        break;
    case PORT_CI:
        if (port->cmd & PORT_CMD_ST)
            port->ci |= value;
        break;
    default:
        log_guest("ahci", "write to the read-only port register %#x", reg);
        return;
    }
    ahci_port_run(port);
}

static uint32_t read_register(const struct ahci *ahci, unsigned reg)
{
    unsigned port = (reg - PORT_BASE) / PORT_SIZE;

    if (reg >= PORT_BASE)
        return port < AHCI_PORTS ? read_port(&ahci->ports[port], reg % PORT_SIZE) : 0;
    switch (reg) {
    case HBA_CAP:
        return CAP_S64A | CAP_SNCQ | CAP_SCLO | CAP_ISS_GEN2 | CAP_SAM |
               (AHCI_SLOTS - 1) << CAP_NCS_SHIFT | (AHCI_PORTS - 1);
    case HBA_GHC:
        return ahci->ghc | (ahci->resetting ? GHC_HR : 0);
    case HBA_IS:
        return ahci->is;
    case HBA_PI:
        return (1u << AHCI_PORTS) - 1;
    case HBA_VS:
        return AHCI_VERSION;
    default:
        return 0;
    }
}

static void write_register(struct ahci *ahci, unsigned reg, uint32_t value)
{
    unsigned port = (reg - PORT_BASE) / PORT_SIZE;

    if (ahci->resetting)
        return;
    if (reg >= PORT_BASE) {
        if (port < AHCI_PORTS)
            write_port(&ahci->ports[port], reg % PORT_SIZE, value);
    } else if (reg == HBA_GHC) {
        ahci->ghc = GHC_AE | (value & GHC_IE);
        if (value & GHC_HR)
            reset_hba(ahci);
    } else if (reg == HBA_IS) {
        ahci->is &= ~value;
    }
}

/* Registers where a written 0 means nothing. */
static bool is_write_one(unsigned reg)
{
    unsigned port_reg = reg % PORT_SIZE;

    if (reg < PORT_BASE)
        return reg == HBA_IS;
    return port_reg == PORT_IS || port_reg == PORT_SERR || port_reg == PORT_SACT ||
           port_reg == PORT_CI;
}

static uint64_t abar_read(void *opaque, uint64_t offset, unsigned size)
{
    return (uint64_t)read_register(opaque, offset & ~3u) >> (offset & 3) * 8;
}

static void abar_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct ahci *ahci = opaque;
    unsigned reg = offset & ~3u, shift = (offset & 3) * 8;
    uint32_t mask = (size < 4 ? (1u << size * 8) - 1 : UINT32_MAX) << shift;
    uint32_t old = is_write_one(reg) ? 0 : read_register(ahci, reg);

    write_register(ahci, reg, (old & ~mask) | ((uint32_t)value << shift & mask));
    ahci_update_irq(ahci);
}

/* A port may have waited for the right to reach memory. */
static void config_written(struct pci_device *pci, unsigned offset, unsigned size)
{
    struct ahci *ahci = to_ahci(&pci->device);

    for (unsigned i = 0; i < AHCI_PORTS; i++)
        ahci_port_run(&ahci->ports[i]);
    ahci_update_irq(ahci);
}

static void ahci_reset(struct device *device)
{
    struct ahci *ahci = to_ahci(device);

    pci_device_reset(&ahci->pci);
    for (unsigned i = 0; i < AHCI_PORTS; i++)
        ahci->ports[i].clb = ahci->ports[i].fb = 0;
    reset_hba(ahci);
    ahci_update_irq(ahci);
}

static void ahci_destroy(struct device *device)
{
    struct ahci *ahci = to_ahci(device);
    GMutex *lock = &ahci->pci.board->lock;

    g_mutex_lock(lock);
    for (unsigned i = 0; i < AHCI_PORTS; i++)
        link_down(&ahci->ports[i], 0);
    while (ahci->in_flight > 0)
        g_cond_wait(&ahci->drained, lock);
    pci_device_finish(&ahci->pci);
    g_mutex_unlock(lock);
    for (unsigned i = 0; i < AHCI_PORTS; i++)
        if (ahci->ports[i].device != NULL)
            ahci->ports[i].device->ops->destroy(ahci->ports[i].device);
    g_cond_clear(&ahci->drained);
    g_free(ahci);
}

bool ahci_drain(struct ahci *ahci, unsigned timeout_ms)
{
    gint64 end = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    GMutex *lock = &ahci->pci.board->lock;
    bool drained;

    g_mutex_lock(lock);
    while (ahci->in_flight > 0 && g_cond_wait_until(&ahci->drained, lock, end))
        ;
    drained = ahci->in_flight == 0;
    g_mutex_unlock(lock);
    return drained;
}

static void attach(struct ahci *ahci, unsigned port, struct ata_device *device)
{
    g_return_if_fail(port < AHCI_PORTS && ahci->ports[port].device == NULL);
    ahci->ports[port].device = device;
    link_up(&ahci->ports[port]);
}

void ahci_attach_disk(struct ahci *ahci, unsigned port, struct image *image, const char *serial)
{
    attach(ahci, port, ata_disk_new(image, serial));
}

void ahci_attach_cd(struct ahci *ahci, unsigned port, struct image *image)
{
    attach(ahci, port, atapi_new(image));
}

static struct ata_device *cd_at(struct ahci *ahci, unsigned port)
{
    struct ata_device *device = port < AHCI_PORTS ? ahci->ports[port].device : NULL;

    return device != NULL && atapi_is(device) ? device : NULL;
}

bool ahci_change_cd(struct ahci *ahci, unsigned port, struct image *new_image, bool force,
                    GError **err)
{
    GMutex *lock = &ahci->pci.board->lock;
    struct ata_device *device = cd_at(ahci, port);
    struct image *old = NULL;
    bool changed;

    if (device == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                           "SATA port %u has no CD-ROM drive: add one to the machine's settings.",
                           port);
    g_mutex_lock(lock);
    changed = atapi_change(device, new_image, force, &old);
    g_mutex_unlock(lock);
    if (!changed)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The guest has locked the tray of the CD-ROM drive: eject the disc in "
                           "the guest, or force it.");
    image_close(old);
    return true;
}

bool ahci_cd_locked(struct ahci *ahci, unsigned port)
{
    struct ata_device *device = cd_at(ahci, port);
    bool locked;

    g_mutex_lock(&ahci->pci.board->lock);
    locked = device != NULL && atapi_locked(device);
    g_mutex_unlock(&ahci->pci.board->lock);
    return locked;
}

bool ahci_cd_present(struct ahci *ahci, unsigned port)
{
    struct ata_device *device = cd_at(ahci, port);
    bool present;

    g_mutex_lock(&ahci->pci.board->lock);
    present = device != NULL && atapi_present(device);
    g_mutex_unlock(&ahci->pci.board->lock);
    return present;
}

struct ahci *ahci_new(struct board *board, uint8_t devfn)
{
    static const struct device_class class = {"ahci", ahci_reset, ahci_destroy};
    static const struct region_ops abar_ops = {abar_read, abar_write, 4};
    static const struct pci_device_ops pci_ops = {config_written};
    static const struct pci_ids ids = {
        .vendor = 0x8086,
        .device = 0x2922,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .revision = 2,
        .class_device = 0x0106,
        .class_prog = 0x01,
    };
    struct ahci *ahci = g_new0(struct ahci, 1);

    g_cond_init(&ahci->drained);
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ahci->ports[i].ahci = ahci;
        ahci->ports[i].number = i;
    }
    ahci->abar =
        (struct region){.name = "ahci", .size = ABAR_SIZE, .ops = &abar_ops, .opaque = ahci};
    pci_device_init(&ahci->pci, board, &class, "ahci", &ids);
    ahci->pci.ops = &pci_ops;
    pci_device_add_bar(&ahci->pci, ABAR_BAR, PCI_BAR_MEM32, &ahci->abar, false);
    pci_device_add_msi(&ahci->pci);
    pci_device_set_pin(&ahci->pci, 1);
    ahci->pci.config[ICH9_MAP] = ICH9_MAP_AHCI;
    pci_bus_plug(board->pci, &ahci->pci, devfn);
    reset_hba(ahci);
    board_add_device(board, &ahci->pci.device);
    return ahci;
}
