/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * USB Attached SCSI: UAS-2. Commands come in information units on one pipe, their status goes out
 * on another, and data moves on one pipe each way, for many commands at a time. With streams, the
 * number of a stream is the tag of its command; without, the device says by a unit whose data it
 * wants next, and moves one command's at a time each way.
 */
#include <string.h>

#include "usb/emulated/storage_internal.h"

#define MAX_COMMANDS 64
#define MAX_UNITS (2 * MAX_COMMANDS) /* that wait for the host; then no more is taken */
#define MAX_TAG 0xfffe
#define UNIT_MAX 128 /* of what the host sends */
#define SENSE_HEADER 16

/* Information units: UAS-2, 6.2. */
enum {
    UNIT_COMMAND = 0x01,
    UNIT_SENSE = 0x03,
    UNIT_RESPONSE = 0x04,
    UNIT_TASK_MANAGEMENT = 0x05,
    UNIT_READ_READY = 0x06,
    UNIT_WRITE_READY = 0x07,
};

#define COMMAND_SIZE 32
#define TASK_SIZE 16
#define RESPONSE_SIZE 8
#define READY_SIZE 4

/* Response codes: UAS-2, 6.2.5. */
enum response {
    RESPONSE_COMPLETE = 0x00,
    RESPONSE_INVALID_UNIT = 0x02,
    RESPONSE_NOT_SUPPORTED = 0x04,
    RESPONSE_SUCCEEDED = 0x08,
    RESPONSE_INCORRECT_LUN = 0x09,
    RESPONSE_OVERLAPPED_TAG = 0x0a,
};

/* Task management functions: UAS-2, 6.2.6. */
enum {
    TASK_ABORT = 0x01,
    TASK_ABORT_SET = 0x02,
    TASK_CLEAR_SET = 0x04,
    TASK_RESET_UNIT = 0x08,
    TASK_RESET_NEXUS = 0x10,
    TASK_QUERY = 0x80,
    TASK_QUERY_SET = 0x81,
};

enum command_state {
    COMMAND_WAITS,    /* for its turn with the data pipe */
    COMMAND_MOVES,    /* data */
    COMMAND_FINISHES, /* without data, or after it */
    COMMAND_TELLS,    /* its status waits for the host */
};

/* What waits for the status pipe. */
struct unit {
    uint16_t tag;
    bool after_orphans;              /* when what it tells of is really over */
    struct storage_command *command; /* over when the host has it; NULL: none */
    uint8_t size, data[SENSE_HEADER + SCSI_SENSE_SIZE];
};

static bool use_streams(const struct usb_storage *storage)
{
    return storage->uas.streams[usb_endpoint_index(STORAGE_STATUS)] > 0;
}

static uint16_t stream_of(const struct usb_storage *storage, uint16_t tag)
{
    return use_streams(storage) ? tag : 0;
}

bool storage_uas_set_streams(struct usb_storage *storage, uint8_t endpoint, unsigned count)
{
    const struct usb_endpoint_description *description =
        usb_standard_endpoint(&storage->usb.standard, endpoint);

    if (storage->usb.device.speed < USB_SPEED_SUPER || description == NULL ||
        description->streams == 0)
        return false;
    storage->uas.streams[usb_endpoint_index(endpoint)] = MIN(count, 1u << description->streams);
    return true;
}

/* Units for the host. */

static struct unit *add_unit(struct usb_storage *storage, uint8_t id, uint16_t tag, uint8_t size)
{
    struct unit *unit = g_new0(struct unit, 1);

    unit->tag = tag;
    unit->size = size;
    unit->data[0] = id;
    scsi_put16(unit->data + 2, tag);
    g_queue_push_tail(&storage->uas.units, unit);
    return unit;
}

static void respond(struct usb_storage *storage, uint16_t tag, enum response code)
{
    struct unit *unit = add_unit(storage, UNIT_RESPONSE, tag, RESPONSE_SIZE);

    unit->data[7] = code;
    unit->after_orphans = true;
}

static struct unit *tell_status(struct usb_storage *storage, uint16_t tag, enum scsi_status status)
{
    struct unit *unit = add_unit(storage, UNIT_SENSE, tag, SENSE_HEADER);

    unit->data[6] = status;
    return unit;
}

static void remove_command(struct usb_storage *storage, struct storage_command *command)
{
    g_queue_unlink(&storage->uas.commands, &command->link);
    for (unsigned i = 0; i < 2; i++)
        if (storage->uas.current[i] == command)
            storage->uas.current[i] = NULL;
    storage_command_drop(command);
}

/* Gives the host what it has room for. True: something went. */
static bool send_units(struct usb_storage *storage)
{
    struct usb_emulated *usb = &storage->usb;
    GList *link = storage->uas.units.head, *next;
    bool sent = false;

    if (usb_standard_halted(&usb->standard, STORAGE_STATUS))
        return false;
    for (; link != NULL && usb_emulated_first(usb, STORAGE_STATUS) != NULL; link = next) {
        struct unit *unit = link->data;
        struct usb_request *request =
            usb_emulated_first_of(usb, STORAGE_STATUS, stream_of(storage, unit->tag));
        uint32_t size;

        next = link->next;
        if (request == NULL || (unit->after_orphans && storage->orphans > 0))
            continue;
        size = usb_request_copy_in(request, 0, unit->data, MIN(unit->size, request->length));
        usb_emulated_end(usb, request, size == unit->size ? USB_OK : USB_BABBLE, size);
        if (unit->command != NULL)
            remove_command(storage, unit->command);
        g_queue_delete_link(&storage->uas.units, link);
        g_free(unit);
        sent = true;
    }
    return sent;
}

static void drop_units_of(struct usb_storage *storage, const struct storage_command *command)
{
    GList *link = storage->uas.units.head, *next;

    for (; link != NULL; link = next) {
        struct unit *unit = link->data;

        next = link->next;
        if (unit->tag != command->tag || unit->data[0] == UNIT_RESPONSE)
            continue;
        g_queue_delete_link(&storage->uas.units, link);
        g_free(unit);
    }
}

/* Commands. */

static struct storage_command *find_command(struct usb_storage *storage, uint16_t tag)
{
    for (GList *link = storage->uas.commands.head; link != NULL; link = link->next) {
        struct storage_command *command = link->data;

        if (command->tag == tag)
            return command;
    }
    return NULL;
}

static void abort_command(struct usb_storage *storage, struct storage_command *command)
{
    drop_units_of(storage, command);
    remove_command(storage, command);
}

static void abort_all(struct usb_storage *storage)
{
    while (!g_queue_is_empty(&storage->uas.commands))
        abort_command(storage, storage->uas.commands.head->data);
}

static void uas_reset(struct usb_storage *storage)
{
    abort_all(storage);
    g_queue_clear_full(&storage->uas.units, g_free);
    memset(storage->uas.streams, 0, sizeof(storage->uas.streams));
}

static void end_command(struct usb_storage *storage, struct storage_command *command)
{
    const struct scsi_command *scsi = &command->scsi;
    struct unit *unit = tell_status(storage, command->tag, scsi->status);

    for (unsigned i = 0; i < 2; i++)
        if (storage->uas.current[i] == command)
            storage->uas.current[i] = NULL;
    if (scsi->status == SCSI_CHECK_CONDITION) {
        scsi_put_sense(unit->data + SENSE_HEADER, scsi->sense);
        scsi_put16(unit->data + 14, SCSI_SENSE_SIZE);
        unit->size += SCSI_SENSE_SIZE;
    }
    unit->command = command;
    command->state = COMMAND_TELLS;
}

static void finish_command(struct usb_storage *storage, struct storage_command *command)
{
    command->state = COMMAND_FINISHES;
    if (storage_command_finish(command))
        end_command(storage, command);
}

/* Without streams: the data pipe is for this command now, and the host is told. */
static bool begin_data(struct usb_storage *storage, struct storage_command *command)
{
    bool to_host = command->scsi.direction == SCSI_TO_HOST;

    if (storage->uas.current[to_host] != NULL)
        return false;
    storage->uas.current[to_host] = command;
    add_unit(storage, to_host ? UNIT_READ_READY : UNIT_WRITE_READY, command->tag, READY_SIZE);
    command->state = COMMAND_MOVES;
    return true;
}

static bool move_data(struct usb_storage *storage, struct storage_command *command)
{
    struct scsi_command *scsi = &command->scsi;
    uint8_t endpoint = scsi->direction == SCSI_TO_HOST ? STORAGE_DATA_IN : STORAGE_DATA_OUT;
    struct usb_request *request =
        usb_emulated_first_of(&storage->usb, endpoint, stream_of(storage, command->tag));

    if (request == NULL || usb_standard_halted(&storage->usb.standard, endpoint))
        return false;
    if (storage_command_move(command, request, request->length))
        storage_command_end_request(command, scsi->moved - command->before);
    return true;
}

/* Goes one step with a command. False: it waits for something. */
static bool step(struct usb_storage *storage, struct storage_command *command)
{
    const struct scsi_command *scsi = &command->scsi;

    if (command->busy)
        return false;
    switch (command->state) {
    case COMMAND_WAITS:
        return begin_data(storage, command);
    case COMMAND_MOVES:
        if (scsi->moved < scsi->length && scsi->status == SCSI_GOOD)
            return move_data(storage, command);
        finish_command(storage, command);
        return true;
    default:
        return false;
    }
}

static void start_command(struct usb_storage *storage, uint16_t tag, const uint8_t *unit)
{
    static const uint8_t lun_0[8];
    struct storage_command *command;

    if (storage->uas.commands.length >= MAX_COMMANDS) {
        tell_status(storage, tag, SCSI_TASK_SET_FULL);
        return;
    }
    command = storage_command_new(storage);
    command->tag = tag;
    command->scsi.wrong_unit = memcmp(unit + 8, lun_0, sizeof(lun_0)) != 0;
    memcpy(command->scsi.cdb, unit + 16, SCSI_CDB_MAX);
    g_queue_push_tail_link(&storage->uas.commands, &command->link);
    scsi_command_start(&command->scsi);
    if (command->scsi.length == 0)
        finish_command(storage, command);
    else
        command->state = use_streams(storage) ? COMMAND_MOVES : COMMAND_WAITS;
}

/* Task management. */

static void manage_task(struct usb_storage *storage, uint16_t tag, const uint8_t *unit)
{
    static const uint8_t lun_0[8];
    struct storage_command *task = find_command(storage, scsi_get16(unit + 6));
    uint8_t function = unit[4];

    if (function != TASK_RESET_NEXUS && memcmp(unit + 8, lun_0, sizeof(lun_0)) != 0) {
        respond(storage, tag, RESPONSE_INCORRECT_LUN);
        return;
    }
    switch (function) {
    case TASK_ABORT:
        if (task != NULL)
            abort_command(storage, task);
        respond(storage, tag, RESPONSE_COMPLETE);
        break;
    case TASK_RESET_UNIT:
    case TASK_RESET_NEXUS:
        scsi_disk_reset(&storage->disk);
        G_GNUC_FALLTHROUGH;
    case TASK_ABORT_SET:
    case TASK_CLEAR_SET:
        abort_all(storage);
        respond(storage, tag, RESPONSE_COMPLETE);
        break;
    case TASK_QUERY:
        respond(storage, tag, task != NULL ? RESPONSE_SUCCEEDED : RESPONSE_COMPLETE);
        break;
    case TASK_QUERY_SET:
        respond(storage, tag,
                storage->uas.commands.length > 0 ? RESPONSE_SUCCEEDED : RESPONSE_COMPLETE);
        break;
    default:
        respond(storage, tag, RESPONSE_NOT_SUPPORTED);
    }
}

/* Units from the host. */

/* Whether an answer with the tag can reach the host. */
static bool check_tag(const struct usb_storage *storage, uint16_t tag)
{
    unsigned streams = storage->uas.streams[usb_endpoint_index(STORAGE_STATUS)];

    return tag >= 1 && tag <= (streams > 0 ? streams : MAX_TAG);
}

static void take_unit(struct usb_storage *storage, struct usb_request *request)
{
    uint8_t data[UNIT_MAX] = {0};
    uint32_t size = usb_request_copy_out(request, 0, data, sizeof(data));
    uint16_t tag = scsi_get16(data + 2);

    if (size < 4 || request->length > sizeof(data) || !check_tag(storage, tag)) {
        usb_emulated_halt(&storage->usb, STORAGE_COMMAND);
        return;
    }
    usb_emulated_end(&storage->usb, request, USB_OK, size);
    if (find_command(storage, tag) != NULL) { /* UAS-2, 4.5: nothing of it can be trusted */
        abort_all(storage);
        respond(storage, tag, RESPONSE_OVERLAPPED_TAG);
    } else if (data[0] == UNIT_COMMAND && size >= COMMAND_SIZE) {
        start_command(storage, tag, data);
    } else if (data[0] == UNIT_TASK_MANAGEMENT && size >= TASK_SIZE) {
        manage_task(storage, tag, data);
    } else {
        respond(storage, tag, RESPONSE_INVALID_UNIT);
    }
}

static bool take_units(struct usb_storage *storage)
{
    struct usb_request *request;
    bool taken = false;

    while (storage->orphans == 0 && storage->uas.units.length < MAX_UNITS &&
           !usb_standard_halted(&storage->usb.standard, STORAGE_COMMAND) &&
           (request = usb_emulated_first(&storage->usb, STORAGE_COMMAND)) != NULL) {
        take_unit(storage, request);
        taken = true;
    }
    return taken;
}

/* Does what can be done. It ends: requests and units are used up, and states only go on. */
static void pump(struct usb_storage *storage)
{
    bool again;

    do {
        again = take_units(storage);
        for (GList *link = storage->uas.commands.head; link != NULL; link = link->next)
            again |= step(storage, link->data);
        again |= send_units(storage);
    } while (again);
}

static void uas_work(struct usb_storage *storage, uint8_t endpoint)
{
    pump(storage);
}

static void uas_stepped(struct usb_storage *storage, struct storage_command *command)
{
    if (command->state == COMMAND_FINISHES)
        end_command(storage, command);
    else
        storage_command_end_request(command, command->scsi.moved - command->before);
    pump(storage);
}

const struct storage_transport storage_uas = {
    .protocol = STORAGE_PROTOCOL_UAS,
    .work = uas_work,
    .reset = uas_reset,
    .stepped = uas_stepped,
    .orphans_gone = pump,
};
