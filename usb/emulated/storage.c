/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device: its descriptors, its two transports, and commands while the image works for them. */
#include "usb/emulated/storage.h"

#include <string.h>

#include "usb/emulated/ids.h"
#include "usb/emulated/storage_internal.h"

#define CLASS_STORAGE 8
#define SUBCLASS_SCSI 6
#define SERIAL_DIGITS 12
#define BURST 15      /* packets after the first */
#define UAS_STREAMS 5 /* 2 to the power of it */
#define DT_PIPE_USAGE 0x24

/* UAS-2, 5.2.3.6: which pipe an endpoint is. */
enum { PIPE_COMMAND = 1, PIPE_STATUS = 2, PIPE_DATA_IN = 3, PIPE_DATA_OUT = 4 };

static const uint8_t pipes[][4] = {
    {4, DT_PIPE_USAGE, PIPE_COMMAND},
    {4, DT_PIPE_USAGE, PIPE_STATUS},
    {4, DT_PIPE_USAGE, PIPE_DATA_IN},
    {4, DT_PIPE_USAGE, PIPE_DATA_OUT},
};

static const struct usb_endpoint_description bot_endpoints[] = {
    {.address = STORAGE_DATA_IN, .transfer = USB_BULK, .burst = BURST},
    {.address = STORAGE_DATA_OUT, .transfer = USB_BULK, .burst = BURST},
};

static const struct usb_endpoint_description uas_endpoints[] = {
    {.address = STORAGE_COMMAND, .transfer = USB_BULK, .details = pipes[0], .details_size = 4},
    {.address = STORAGE_STATUS,
     .transfer = USB_BULK,
     .streams = UAS_STREAMS,
     .details = pipes[1],
     .details_size = 4},
    {.address = STORAGE_DATA_IN,
     .transfer = USB_BULK,
     .burst = BURST,
     .streams = UAS_STREAMS,
     .details = pipes[2],
     .details_size = 4},
    {.address = STORAGE_DATA_OUT,
     .transfer = USB_BULK,
     .burst = BURST,
     .streams = UAS_STREAMS,
     .details = pipes[3],
     .details_size = 4},
};

#define BOT_INTERFACE(ALTERNATE)                                                   \
    {                                                                              \
        .alternate = ALTERNATE, .class = CLASS_STORAGE, .subclass = SUBCLASS_SCSI, \
        .protocol = STORAGE_PROTOCOL_BULK_ONLY, .endpoints = bot_endpoints,        \
        .endpoint_count = G_N_ELEMENTS(bot_endpoints)                              \
    }
#define UAS_INTERFACE(ALTERNATE)                                                   \
    {                                                                              \
        .alternate = ALTERNATE, .class = CLASS_STORAGE, .subclass = SUBCLASS_SCSI, \
        .protocol = STORAGE_PROTOCOL_UAS, .endpoints = uas_endpoints,              \
        .endpoint_count = G_N_ELEMENTS(uas_endpoints)                              \
    }

static const struct usb_interface_description bot_only[] = {BOT_INTERFACE(0)};
static const struct usb_interface_description uas_only[] = {UAS_INTERFACE(0)};
static const struct usb_interface_description both[] = {BOT_INTERFACE(0), UAS_INTERFACE(1)};

#define DESCRIPTION(INTERFACES)                                                                   \
    {                                                                                             \
        .vendor = USB_VENDOR_VIRTUAL, .product = USB_PRODUCT_STORAGE, .release = 0x0100,          \
        .name = "USB Storage", .self_powered = true, .milliamperes = 8, .interfaces = INTERFACES, \
        .interface_count = G_N_ELEMENTS(INTERFACES)                                               \
    }

static const struct usb_description descriptions[] = {
    [USB_STORAGE_BULK_ONLY] = DESCRIPTION(bot_only),
    [USB_STORAGE_UAS] = DESCRIPTION(uas_only),
    [USB_STORAGE_BOTH] = DESCRIPTION(both),
};

static struct usb_storage *to_storage(struct usb_emulated *usb)
{
    return (struct usb_storage *)usb;
}

/* Commands. */

static void free_command(struct storage_command *command)
{
    scsi_command_clear(&command->scsi);
    g_free(command);
}

/* On a thread of the image's, without the lock. */
static void on_io_done(struct scsi_command *scsi)
{
    struct storage_command *command = scsi->opaque;
    struct usb_storage *storage = command->storage;

    usb_emulated_lock(&storage->usb);
    if (command->orphan) {
        if (command->request != NULL)
            usb_emulated_end(&storage->usb, command->request, USB_CANCELLED, 0);
        free_command(command);
        if (--storage->orphans == 0)
            storage->transport->orphans_gone(storage);
        usb_emulated_release(&storage->usb);
    } else if (scsi_command_continue(scsi) == SCSI_DONE) {
        command->busy = false;
        storage->transport->stepped(storage, command);
        usb_emulated_release(&storage->usb);
    }
    usb_emulated_unlock(&storage->usb);
}

struct storage_command *storage_command_new(struct usb_storage *storage)
{
    struct storage_command *command = g_new0(struct storage_command, 1);

    command->storage = storage;
    command->link.data = command;
    command->scsi.disk = &storage->disk;
    command->scsi.io_done = on_io_done;
    command->scsi.opaque = command;
    return command;
}

void storage_command_drop(struct storage_command *command)
{
    if (command == NULL)
        return;
    if (command->busy) {
        command->orphan = true;
        command->storage->orphans++;
    } else {
        free_command(command);
    }
}

/* The device is not freed while the image works for it. */
static bool note_progress(struct storage_command *command, enum scsi_progress progress)
{
    command->busy = progress == SCSI_PENDING;
    if (command->busy)
        usb_emulated_hold(&command->storage->usb);
    return !command->busy;
}

bool storage_command_move(struct storage_command *command, struct usb_request *request,
                          uint64_t length)
{
    usb_emulated_take(&command->storage->usb, request);
    command->request = request;
    command->before = command->scsi.moved;
    return note_progress(command, scsi_command_move(&command->scsi, request->iov,
                                                    request->iov_count, length));
}

bool storage_command_finish(struct storage_command *command)
{
    return note_progress(command, scsi_command_finish(&command->scsi));
}

void storage_command_end_request(struct storage_command *command, uint32_t actual)
{
    usb_emulated_end(&command->storage->usb, command->request, USB_OK, actual);
    command->request = NULL;
}

/* The device. */

/* The transport of the interface's setting. */
static const struct storage_transport *find_transport(const struct usb_storage *storage)
{
    const struct usb_standard *standard = &storage->usb.standard;
    const struct usb_interface_description *interface =
        usb_find_interface(standard->description, 0, standard->alternate[0]);

    return interface->protocol == STORAGE_PROTOCOL_UAS ? &storage_uas : &storage_bot;
}

static void on_work(struct usb_emulated *usb, uint8_t endpoint)
{
    to_storage(usb)->transport->work(to_storage(usb), endpoint);
}

static void on_change(struct usb_emulated *usb, enum usb_change change, uint8_t index)
{
    struct usb_storage *storage = to_storage(usb);

    switch (change) {
    case USB_CHANGE_CONFIGURATION:
        scsi_disk_reset(&storage->disk);
        G_GNUC_FALLTHROUGH;
    case USB_CHANGE_INTERFACE:
        storage->transport->reset(storage);
        storage->transport = find_transport(storage);
        break;
    case USB_CHANGE_HALT_CLEARED:
        if (storage->transport->halt_cleared != NULL)
            storage->transport->halt_cleared(storage, index);
        usb_emulated_work(usb, index);
        break;
    default:
        break;
    }
}

static void on_control(struct usb_emulated *usb, struct usb_request *request)
{
    if (to_storage(usb)->transport == &storage_bot)
        storage_bot_control(to_storage(usb), request);
}

static bool on_set_streams(struct usb_emulated *usb, uint8_t endpoint, unsigned count)
{
    return storage_uas_set_streams(to_storage(usb), endpoint, count);
}

static void storage_free(struct usb_device *device)
{
    struct usb_storage *storage = (struct usb_storage *)device;

    usb_emulated_lock(&storage->usb);
    storage->transport->reset(storage);
    usb_emulated_unlock(&storage->usb);
    usb_emulated_finish(&storage->usb);
    scsi_disk_finish(&storage->disk);
    g_free(storage);
}

/* The same for the same id, so that the guest knows the disk again. */
static char *serial_of_id(const char *id)
{
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, id, -1);

    sum[SERIAL_DIGITS] = '\0';
    return g_ascii_strup(sum, -1);
}

struct usb_device *usb_storage_new(GMainContext *context, const char *id, struct image *image,
                                   const struct usb_storage_options *options, GError **err)
{
    static const struct usb_device_ops device_ops = {.name = "storage",
                                                     USB_EMULATED_OPS,
                                                     .free = storage_free};
    static const struct usb_emulated_ops ops = {
        .control = on_control,
        .work = on_work,
        .changed = on_change,
        .set_streams = on_set_streams,
    };
    struct usb_storage *storage = g_new0(struct usb_storage, 1);
    g_autofree char *serial =
        options->serial != NULL ? g_strdup(options->serial) : serial_of_id(id);

    if (!scsi_disk_init(&storage->disk, image, options->cd, options->removable, serial, err)) {
        g_free(storage);
        return NULL;
    }
    usb_emulated_init(&storage->usb, &device_ops, &ops, &descriptions[options->transports], context,
                      id, serial,
                      USB_SPEED_BIT(USB_SPEED_FULL) | USB_SPEED_BIT(USB_SPEED_HIGH) |
                          USB_SPEED_BIT(USB_SPEED_SUPER));
    storage->transport = find_transport(storage);
    return &storage->usb.device;
}
