/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lists, PRD tables and received FIS: AHCI 1.3.1, chapters 4 and 5. */
#include <errno.h>
#include <string.h>

#include "core/log.h"
#include "engine/dev/ahci_internal.h"

/* Command header: 4.2.2 */
#define HEADER_SIZE 32
#define HEADER_PRDBC 4
#define HEADER_CFL_MASK 0x1fu
#define HEADER_ATAPI (1u << 5)
#define HEADER_CLEAR_BUSY (1u << 10)

/* Command table: 4.2.3 */
#define TABLE_ACMD 0x40
#define TABLE_PRDT 0x80
#define PRD_SIZE 16
#define PRD_COUNT_MASK 0x3fffffu
#define PRD_INTERRUPT (1u << 31)
#define PRDS_AT_ONCE 64

/* Received FIS: 4.2.1 */
#define RECEIVED_PIO_SETUP 0x20
#define RECEIVED_D2H 0x40
#define RECEIVED_SDB 0x58

/* Serial ATA 3.x, 10.5: the FIS */
enum { FIS_H2D = 0x27, FIS_D2H = 0x34, FIS_PIO_SETUP = 0x5f, FIS_SDB = 0xa1 };
#define FIS_H2D_SIZE 20
#define FIS_H2D_DWORDS 5
#define FIS_H2D_COMMAND 0x80 /* as opposed to an update of the device control register */
#define FIS_INTERRUPT 0x40
#define FIS_TO_HOST 0x20
#define CONTROL_SRST 0x04
/* What a Set Device Bits FIS leaves alone: BSY and DRQ. */
#define SDB_STATUS_MASK 0x77

static struct memory_map *memory(const struct ahci_port *port)
{
    return port->ahci->pci.board->memory;
}

/* 6.1.1: the lists lead to where there is no memory. The port stops until ST is cleared. */
static void host_bus_error(struct ahci_port *port, uint64_t address)
{
    log_guest("ahci", "port %u: no memory at %#" G_GINT64_MODIFIER "x", port->number, address);
    port->is |= PORT_IS_HBFS;
    port->halted = true;
}

static void command_free(struct ahci_command *command)
{
    g_free(command->ranges);
    g_free(command->iov);
    g_free(command->state);
    g_free(command);
}

/* The command leaves its port. */
static void command_detach(struct ahci_command *command)
{
    struct ahci_port *port = command->port;

    port->commands[command->slot] = NULL;
    if (command->protocol != ATA_QUEUED)
        port->busy = false;
}

void ahci_port_drop_commands(struct ahci_port *port)
{
    for (unsigned i = 0; i < AHCI_SLOTS; i++) {
        struct ahci_command *command = port->commands[i];

        if (command == NULL)
            continue;
        command_detach(command);
        command->dropped = true;
        port->dropped++;
    }
}

bool ahci_port_has_queued(const struct ahci_port *port)
{
    for (unsigned i = 0; i < AHCI_SLOTS; i++)
        if (port->commands[i] != NULL && port->commands[i]->protocol == ATA_QUEUED)
            return true;
    return false;
}

/* Received FIS. */

static void receive_fis(struct ahci_port *port, unsigned offset, const void *fis, size_t size)
{
    if ((port->cmd & PORT_CMD_FRE) &&
        !guest_memory_write(memory(port), port->fb + offset, fis, size))
        host_bus_error(port, port->fb + offset);
}

static void put_registers(uint8_t *fis, const struct ata_registers *regs)
{
    fis[2] = regs->status;
    fis[3] = regs->error;
    fis[4] = regs->lba;
    fis[5] = regs->lba >> 8;
    fis[6] = regs->lba >> 16;
    fis[7] = regs->device;
    fis[8] = regs->lba >> 24;
    fis[9] = regs->lba >> 32;
    fis[10] = regs->lba >> 40;
    fis[12] = regs->count;
    fis[13] = regs->count >> 8;
}

static void receive_d2h(struct ahci_port *port, const struct ata_registers *regs, bool interrupt)
{
    uint8_t fis[20] = {FIS_D2H, interrupt ? FIS_INTERRUPT : 0};

    put_registers(fis, regs);
    port->tfd = regs->error << 8 | regs->status;
    receive_fis(port, RECEIVED_D2H, fis, sizeof(fis));
    if (interrupt)
        port->is |= PORT_IS_DHRS;
    if (regs->status & ATA_STATUS_ERR)
        port->is |= PORT_IS_TFES;
}

/* Of a transfer in several DRQ blocks the guest sees the last FIS: each overwrites the one before.
 */
static void receive_pio_setup(struct ahci_port *port, const struct ahci_command *command)
{
    uint16_t last = command->drq_block != 0 ? command->moved % command->drq_block : 0;
    uint8_t fis[20] = {FIS_PIO_SETUP, FIS_INTERRUPT | FIS_TO_HOST};
    struct ata_registers regs = command->result;

    if (last == 0)
        last = command->drq_block != 0 ? command->drq_block : command->moved;
    regs.status = ATA_STATUS_GOOD | ATA_STATUS_DRQ;
    put_registers(fis, &regs);
    fis[15] = command->result.status;
    fis[16] = last;
    fis[17] = last >> 8;
    receive_fis(port, RECEIVED_PIO_SETUP, fis, sizeof(fis));
    port->tfd = command->result.status;
    port->is |= PORT_IS_PSS;
}

static void receive_sdb(struct ahci_port *port, uint8_t status, uint8_t error, uint32_t done)
{
    uint8_t fis[8] = {FIS_SDB,    FIS_INTERRUPT, status & SDB_STATUS_MASK, error, done, done >> 8,
                      done >> 16, done >> 24};

    port->tfd = error << 8 | (port->tfd & ~SDB_STATUS_MASK & 0xff) | (status & SDB_STATUS_MASK);
    receive_fis(port, RECEIVED_SDB, fis, sizeof(fis));
    port->sact &= ~done;
    port->is |= PORT_IS_SDBS;
    if (status & ATA_STATUS_ERR)
        port->is |= PORT_IS_TFES;
}

void ahci_port_signature(struct ahci_port *port, bool hard)
{
    struct ata_registers regs;

    port->device->ops->reset(port->device, hard, &regs);
    port->sig = (uint32_t)regs.lba << 8 | (uint8_t)regs.count;
    receive_d2h(port, &regs, false);
}

/* Data. */

/* Reads the PRD table until it describes length bytes; *ret_length: how many it does. */
static bool read_prdt(struct ahci_command *command, uint64_t length, uint64_t *ret_length)
{
    unsigned capacity = 0;
    uint8_t raw[PRDS_AT_ONCE * PRD_SIZE];

    for (*ret_length = 0; *ret_length < length && command->range_count < command->prdtl;) {
        unsigned count = MIN(PRDS_AT_ONCE, command->prdtl - command->range_count);
        uint64_t at = command->table + TABLE_PRDT + command->range_count * PRD_SIZE;

        if (!guest_memory_read(memory(command->port), at, raw, count * PRD_SIZE)) {
            host_bus_error(command->port, at);
            return false;
        }
        if (command->range_count + count > capacity) {
            struct guest_range *grown;

            capacity = MIN(MAX(capacity * 2, PRDS_AT_ONCE), command->prdtl);
            grown = g_try_renew(struct guest_range, command->ranges, capacity);
            if (grown == NULL)
                return false;
            command->ranges = grown;
        }
        for (unsigned i = 0; i < count && *ret_length < length; i++) {
            const uint8_t *prd = raw + i * PRD_SIZE;
            uint32_t last = pci_get32(prd + 12);
            /* Address and length are even: 4.2.3.3 */
            uint64_t size = ((last & PRD_COUNT_MASK) | 1) + 1;

            command->ranges[command->range_count++] = (struct guest_range){
                (pci_get32(prd) & ~1u) | (uint64_t)pci_get32(prd + 4) << 32,
                MIN(size, length - *ret_length),
            };
            command->prd_interrupt |= (last & PRD_INTERRUPT) != 0;
            *ret_length += MIN(size, length - *ret_length);
        }
    }
    return true;
}

/* Makes room for one range's memory, which may stand in several regions. */
static bool append_iov(struct ahci_command *command, const struct guest_range *range,
                       unsigned *capacity)
{
    struct ahci_port *port = command->port;

    for (;;) {
        struct iovec *grown;

        if (*capacity > 0 &&
            guest_memory_iov(memory(port), range->address, range->size, command->to_guest,
                             command->iov, &command->iov_count, *capacity))
            return true;
        /* Full, or not memory: with room for the worst case it can only be the latter. */
        if (*capacity >= command->iov_count + 1 + range->size / 4096 + 1) {
            host_bus_error(port, range->address);
            return false;
        }
        *capacity = *capacity * 2 + 2 + range->size / 4096;
        grown = g_try_renew(struct iovec, command->iov, *capacity);
        if (grown == NULL)
            return false;
        command->iov = grown;
    }
}

/* Finds memory for up to length bytes; on failure the command stays for the caller to end. */
static bool map_data(struct ahci_command *command, uint64_t length, bool to_guest,
                     uint64_t *ret_length)
{
    unsigned capacity = 0;

    command->to_guest = to_guest;
    if (!read_prdt(command, length, ret_length))
        return false;
    for (unsigned i = 0; i < command->range_count; i++)
        if (!append_iov(command, &command->ranges[i], &capacity))
            return false;
    if (*ret_length < length)
        command->port->is |= PORT_IS_OFS; /* 6.1.5 */
    return true;
}

static void abandon(struct ahci_command *command)
{
    struct ahci_port *port = command->port;

    if (port->halted) { /* by host_bus_error() */
        command_detach(command);
        command_free(command);
        ahci_port_drop_commands(port);
        return;
    }
    ahci_command_end(command, ATA_STATUS_GOOD | ATA_STATUS_ERR, ATA_ERROR_ABRT);
}

bool ahci_command_map(struct ahci_command *command, uint64_t length, bool to_guest)
{
    uint64_t mapped;

    if (map_data(command, length, to_guest, &mapped) && mapped == length)
        return true;
    abandon(command);
    return false;
}

/* Copies between buffer and the mapped memory. */
static size_t copy_data(struct ahci_command *command, uint8_t *buffer, size_t size)
{
    size_t done = 0;

    for (unsigned i = 0; i < command->iov_count && done < size; i++) {
        const struct iovec *iov = &command->iov[i];
        size_t part = MIN(iov->iov_len, size - done);

        if (command->to_guest)
            memcpy(iov->iov_base, buffer + done, part);
        else
            memcpy(buffer + done, iov->iov_base, part);
        done += part;
    }
    return done;
}

static void tell_written(struct ahci_command *command)
{
    for (unsigned i = 0; command->to_guest && i < command->range_count; i++)
        guest_memory_written(memory(command->port), command->ranges[i].address,
                             command->ranges[i].size);
}

bool ahci_command_reply(struct ahci_command *command, const void *data, size_t size)
{
    uint64_t mapped;

    if (!map_data(command, size, true, &mapped)) {
        abandon(command);
        return false;
    }
    command->moved = copy_data(command, (uint8_t *)data, mapped);
    tell_written(command);
    return true;
}

bool ahci_command_fetch(struct ahci_command *command, void *data, size_t size)
{
    if (!ahci_command_map(command, size, false))
        return false;
    command->moved = copy_data(command, data, size);
    return true;
}

/* Disk requests. */

/* The next request: as many elements as the image takes, cut at a sector. A sector has at most
 * 256 elements, since each has two bytes or more. */
static void submit_part(struct ahci_command *command)
{
    struct block_request *request = &command->request;
    unsigned end = MIN(command->iov_count, command->iov_index + IMAGE_REQUEST_MAX_IOV);
    uint64_t sum = 0, excess;

    for (unsigned i = command->iov_index; i < end; i++)
        sum += command->iov[i].iov_len;
    excess = end < command->iov_count ? sum % IMAGE_SECTOR_SIZE : 0;
    sum -= excess;
    while (excess > 0 && excess >= command->iov[end - 1].iov_len)
        excess -= command->iov[--end].iov_len;
    command->iov_cut = excess;
    command->iov[end - 1].iov_len -= excess;
    request->iov = command->iov + command->iov_index;
    request->iov_count = end - command->iov_index;
    request->length = sum;
    command->left -= sum;
    image_submit(command->image, request);
}

/* Moves on past the request that has completed. */
static void next_part(struct ahci_command *command)
{
    struct iovec *last = &command->iov[command->iov_index + command->request.iov_count - 1];

    command->request.offset += command->request.length;
    command->iov_index += command->request.iov_count;
    if (command->iov_cut > 0) {
        last->iov_base = (char *)last->iov_base + last->iov_len;
        last->iov_len = command->iov_cut;
        command->iov_index--;
    }
    submit_part(command);
}

/* On a thread of the I/O context, without the lock. */
static void request_done(struct block_request *request, int error)
{
    struct ahci_command *command = request->opaque;
    struct ahci_port *port = command->port;
    struct ahci *ahci = port->ahci;
    GMutex *lock = &ahci->pci.board->lock;

    g_mutex_lock(lock);
    if (!command->dropped && error == 0 && command->left > 0) {
        next_part(command);
        g_mutex_unlock(lock);
        return;
    }
    if (request->op == BLOCK_READ)
        tell_written(command);
    ahci->in_flight--;
    if (command->dropped) {
        port->dropped--;
        command_free(command);
        ahci_port_drained(port);
    } else {
        command->then(command, error);
    }
    ahci_port_run(port);
    ahci_update_irq(ahci);
    if (ahci->in_flight == 0)
        g_cond_broadcast(&ahci->drained);
    g_mutex_unlock(lock);
}

void ahci_command_io(struct ahci_command *command, struct image *image, enum block_op op,
                     uint64_t offset, uint64_t length,
                     void (*then)(struct ahci_command *command, int error))
{
    bool moves = op == BLOCK_READ || op == BLOCK_WRITE;

    command->image = image;
    command->then = then;
    command->request = (struct block_request){
        .op = op, .offset = offset, .length = length, .done = request_done, .opaque = command};
    command->port->ahci->in_flight++;
    if (moves) {
        command->left = length;
        command->moved = length;
        submit_part(command);
    } else {
        command->left = 0;
        image_submit(image, &command->request);
    }
}

/* The end of commands. */

void ahci_command_accept(struct ahci_command *command)
{
    struct ahci_port *port = command->port;
    struct ata_registers regs = {.status = ATA_STATUS_GOOD, .device = command->device};

    command->protocol = ATA_QUEUED;
    port->busy = false;
    port->ci &= ~(1u << command->slot);
    receive_d2h(port, &regs, false);
}

static void report_end(struct ahci_command *command)
{
    struct ahci_port *port = command->port;
    bool failed = command->result.status & ATA_STATUS_ERR;
    uint8_t prdbc[4];

    if (command->protocol == ATA_QUEUED) {
        receive_sdb(port, command->result.status, command->result.error,
                    failed ? 0 : 1u << command->slot);
        return;
    }
    pci_set32(prdbc, failed ? 0 : command->moved);
    if (!guest_memory_write(memory(port), command->header + HEADER_PRDBC, prdbc, sizeof(prdbc)))
        host_bus_error(port, command->header);
    if (!failed && command->moved > 0 &&
        (command->protocol == ATA_PIO_IN || command->protocol == ATA_PACKET_PIO))
        receive_pio_setup(port, command);
    if (failed || command->protocol != ATA_PIO_IN)
        receive_d2h(port, &command->result, true);
    /* 6.1.4: a command that failed stays issued, and the port stops. */
    if (!failed)
        port->ci &= ~(1u << command->slot);
}

void ahci_command_end(struct ahci_command *command, uint8_t status, uint8_t error)
{
    struct ahci_port *port = command->port;

    command->result.status = status;
    command->result.error = error;
    command_detach(command);
    report_end(command);
    if (command->prd_interrupt && !(status & ATA_STATUS_ERR))
        port->is |= PORT_IS_DPS;
    if (status & ATA_STATUS_ERR)
        port->halted = true;
    if (port->halted)
        ahci_port_drop_commands(port);
    command_free(command);
}

/* The start of commands. */

static void execute_control(struct ahci_port *port, const uint8_t *fis, unsigned slot,
                            bool clear_busy)
{
    bool reset = fis[15] & CONTROL_SRST;

    port->ci &= ~(1u << slot);
    if (reset) {
        ahci_port_drop_commands(port);
        port->tfd = clear_busy ? ATA_STATUS_GOOD : ATA_STATUS_BSY;
    } else if (port->soft_reset) {
        ahci_port_signature(port, false);
    } else if (clear_busy) {
        port->tfd &= ~ATA_STATUS_BSY;
    }
    port->soft_reset = reset;
}

static void decode_h2d(struct ahci_command *command, const uint8_t *fis)
{
    command->command = fis[2];
    command->features = fis[3] | fis[11] << 8;
    command->lba = fis[4] | fis[5] << 8 | (uint64_t)fis[6] << 16 | (uint64_t)fis[8] << 24 |
                   (uint64_t)fis[9] << 32 | (uint64_t)fis[10] << 40;
    command->device = fis[7];
    command->count = fis[12] | fis[13] << 8;
    command->result.lba = command->lba;
    command->result.device = command->device;
}

static void execute_command(struct ahci_port *port, unsigned slot, const struct ahci_command *from,
                            const uint8_t *fis)
{
    struct ahci_command *command = g_new(struct ahci_command, 1);

    *command = *from;
    decode_h2d(command, fis);
    port->commands[slot] = command;
    port->busy = true;
    port->tfd = ATA_STATUS_BSY;
    port->device->ops->execute(port->device, command);
}

/* Copies the header, the FIS and the packet of the slot, and starts what they say. */
static void start_slot(struct ahci_port *port, unsigned slot)
{
    struct ahci_command command = {.port = port,
                                   .slot = slot,
                                   .header = port->clb + slot * HEADER_SIZE};
    uint8_t header[HEADER_SIZE], fis[FIS_H2D_SIZE];
    uint32_t flags;

    port->last_slot = slot;
    if (!guest_memory_read(memory(port), command.header, header, sizeof(header))) {
        host_bus_error(port, command.header);
        return;
    }
    flags = pci_get32(header);
    command.prdtl = flags >> 16;
    command.table = (pci_get32(header + 8) & ~0x7fu) | (uint64_t)pci_get32(header + 12) << 32;
    command.has_packet = flags & HEADER_ATAPI;
    if (!guest_memory_read(memory(port), command.table, fis, sizeof(fis)) ||
        (command.has_packet && !guest_memory_read(memory(port), command.table + TABLE_ACMD,
                                                  command.packet, sizeof(command.packet)))) {
        host_bus_error(port, command.table);
        return;
    }
    if ((flags & HEADER_CFL_MASK) < FIS_H2D_DWORDS || fis[0] != FIS_H2D) {
        log_guest("ahci", "port %u: slot %u holds no register FIS", port->number, slot);
        port->is |= PORT_IS_IFS;
        port->halted = true;
        return;
    }
    if (fis[1] & FIS_H2D_COMMAND)
        execute_command(port, slot, &command, fis);
    else
        execute_control(port, fis, slot, flags & HEADER_CLEAR_BUSY);
}

/* The next slot, going round, that is issued and not under way; AHCI_SLOTS: none. */
static unsigned next_slot(const struct ahci_port *port)
{
    for (unsigned i = 1; i <= AHCI_SLOTS; i++) {
        unsigned slot = (port->last_slot + i) % AHCI_SLOTS;

        if ((port->ci & 1u << slot) && port->commands[slot] == NULL)
            return slot;
    }
    return AHCI_SLOTS;
}

void ahci_port_run(struct ahci_port *port)
{
    while ((port->cmd & PORT_CMD_ST) && port->device != NULL && !port->link_pending &&
           (port->ssts & 0xf) == 3 && !port->halted && !port->busy && port->dropped == 0 &&
           pci_device_is_master(&port->ahci->pci)) {
        unsigned slot = next_slot(port);

        if (slot == AHCI_SLOTS)
            return;
        start_slot(port, slot);
    }
}
