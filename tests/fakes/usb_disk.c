/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/usb_disk.h"

#include <string.h>

#include "disks/image_format.h"
#include "disks/io_context.h"

void usb_disk_init(struct usb_disk *disk, uint64_t size, unsigned speeds,
                   const struct usb_storage_options *options, bool read_only)
{
    const struct image_options image_options = {.format = "raw", .read_only = read_only};
    g_autoptr(GError) error = NULL;
    struct usb_device *device = NULL;
    struct image *image;

    *disk = (struct usb_disk){.tag = 1000};
    harness_init(&disk->h, speeds);
    disk->file = memory_file_new(size);
    disk->io = io_context_new(4);
    image = image_open_file(&disk->file->file, &image_options, disk->io, &error);
    if (image != NULL)
        device = usb_storage_new(disk->h.context, "disk", image, options, &error);
    if (device == NULL)
        g_error("%s", error->message);
    harness_attach(&disk->h, device);
}

void usb_disk_finish(struct usb_disk *disk)
{
    harness_finish(&disk->h);
    io_context_free(disk->io);
    memory_file_free(disk->file);
}

static void put_le32(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = value >> 8 * i;
}

enum usb_status bot_wrapper(struct usb_disk *disk, const uint8_t *cdb, uint32_t length,
                            bool to_host)
{
    static const uint8_t sizes[8] = {6, 10, 10, 6, 16, 12, 6, 6};
    uint8_t cbw[31] = "USBC";

    put_le32(cbw + 4, ++disk->tag);
    put_le32(cbw + 8, length);
    cbw[12] = to_host ? 0x80 : 0;
    cbw[14] = sizes[cdb[0] >> 5];
    memcpy(cbw + 15, cdb, cbw[14]);
    return harness_transfer(&disk->h, DISK_OUT, cbw, sizeof(cbw), NULL);
}

uint32_t bot_data(struct usb_disk *disk, void *data, uint32_t length, bool to_host)
{
    uint32_t piece = disk->piece != 0 ? disk->piece : length, moved = 0;
    struct harness_request r;

    while (moved < length) {
        uint32_t now = MIN(piece, length - moved);

        harness_prepare(&disk->h, &r, to_host ? DISK_IN : DISK_OUT, (uint8_t *)data + moved, now,
                        disk->parts != 0 ? disk->parts : 1);
        harness_submit(&r);
        harness_wait(&r);
        moved += r.request.actual;
        if (r.request.status != USB_OK || r.request.actual < now)
            break;
    }
    return moved;
}

int bot_status(struct usb_disk *disk)
{
    uint8_t csw[13], tag[4];
    uint32_t actual;

    put_le32(tag, disk->tag);
    if (harness_transfer(&disk->h, DISK_IN, csw, sizeof(csw), &actual) != USB_OK || actual != 13 ||
        memcmp(csw, "USBS", 4) != 0 || memcmp(csw + 4, tag, 4) != 0)
        return -1;
    disk->residue = csw[8] | csw[9] << 8 | csw[10] << 16 | (uint32_t)csw[11] << 24;
    return csw[12];
}

int bot_command(struct usb_disk *disk, const uint8_t *cdb, void *data, uint32_t length,
                bool to_host)
{
    if (bot_wrapper(disk, cdb, length, to_host) != USB_OK)
        return -1;
    if (bot_data(disk, data, length, to_host) != length)
        return -1;
    return bot_status(disk);
}

void bot_reset_recovery(struct usb_disk *disk)
{
    harness_control(&disk->h, 0x21, 0xff, 0, 0, NULL, 0, NULL);
    harness_control(&disk->h, 0x02, 1, 0, DISK_IN, NULL, 0, NULL);
    harness_control(&disk->h, 0x02, 1, 0, DISK_OUT, NULL, 0, NULL);
}

uint32_t bot_sense(struct usb_disk *disk)
{
    static const uint8_t request_sense[6] = {0x03, 0, 0, 0, 18};
    uint8_t sense[18] = {0};

    if (bot_command(disk, request_sense, sense, sizeof(sense), true) != 0)
        return UINT32_MAX;
    return sense[2] << 16 | sense[12] << 8 | sense[13];
}
