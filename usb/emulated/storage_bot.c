/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bulk-only transport: USB Mass Storage Class, Bulk-Only Transport 1.0. One command at a time:
 * a wrapper out, data one way, a status in.
 *
 * Where the host expects more data than the device has, data is padded with zeros, or taken and
 * dropped, and the residue tells (6.7.2 and 6.7.3 allow it): a stall instead is more than some
 * firmware can get over.
 */
#include <string.h>

#include "usb/emulated/storage_internal.h"

#define CBW_SIZE 31
#define CBW_SIGNATURE 0x43425355 /* "USBC" */
#define CBW_TO_HOST 0x80
#define CSW_SIZE 13
#define CSW_SIGNATURE 0x53425355 /* "USBS" */

enum { CSW_PASSED = 0, CSW_FAILED = 1, CSW_PHASE_ERROR = 2 };

#define REQUEST_RESET (0x21 << 8 | 0xff)
#define REQUEST_GET_MAX_LUN (0xa1 << 8 | 0xfe)

static uint32_t get_le32(const uint8_t *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_le32(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = value >> 8 * i & 0xff;
}

static void bot_reset(struct usb_storage *storage)
{
    storage_command_drop(storage->bot.command);
    storage->bot = (struct storage_bot){.state = BOT_COMMAND};
}

/* 6.6.1: only a reset recovery helps. */
static void break_down(struct usb_storage *storage)
{
    bot_reset(storage);
    storage->bot.state = BOT_BROKEN;
    usb_emulated_halt(&storage->usb, STORAGE_DATA_IN);
    usb_emulated_halt(&storage->usb, STORAGE_DATA_OUT);
}

static void bot_halt_cleared(struct usb_storage *storage, uint8_t endpoint)
{
    if (storage->bot.state == BOT_BROKEN)
        usb_emulated_halt(&storage->usb, endpoint);
}

void storage_bot_control(struct usb_storage *storage, struct usb_request *request)
{
    static const uint8_t max_lun = 0;
    const struct usb_setup *setup = &request->setup;

    if (setup->value != 0 || setup->index != 0)
        return;
    switch (setup->request_type << 8 | setup->request) {
    case REQUEST_RESET:
        bot_reset(storage);
        request->status = USB_OK;
        usb_emulated_work(&storage->usb, STORAGE_DATA_OUT);
        break;
    case REQUEST_GET_MAX_LUN:
        usb_answer(request, &max_lun, 1);
        break;
    }
}

static void finish_command(struct usb_storage *storage)
{
    struct storage_bot *bot = &storage->bot;

    bot->state = BOT_FINISH;
    if (bot->phase_error || storage_command_finish(bot->command))
        bot->state = BOT_STATUS;
}

/* Whether the device's data fits what the host expects: 6.7, the thirteen cases. */
static bool phases_differ(const struct storage_bot *bot, const struct scsi_command *scsi)
{
    bool device_to_host = scsi->direction == SCSI_TO_HOST;

    if (scsi->length == 0)
        return false; /* 1, 4 and 9 */
    if (bot->host_length == 0)
        return true; /* 2 and 3 */
    if (device_to_host != bot->to_host)
        return true;                        /* 8 and 10 */
    return scsi->length > bot->host_length; /* 7 and 13, and not 5, 6, 11 and 12 */
}

static void begin_command(struct usb_storage *storage, const uint8_t *cbw)
{
    struct storage_bot *bot = &storage->bot;
    struct storage_command *command = storage_command_new(storage);

    bot->command = command;
    bot->tag = get_le32(cbw + 4);
    bot->host_length = bot->host_left = get_le32(cbw + 8);
    bot->to_host = cbw[12] & CBW_TO_HOST;
    command->scsi.wrong_unit = cbw[13] != 0;
    command->scsi.keep_sense = true;
    memcpy(command->scsi.cdb, cbw + 15, cbw[14]);
    scsi_command_start(&command->scsi);
    bot->phase_error = phases_differ(bot, &command->scsi);
    if (bot->host_left > 0)
        bot->state = BOT_DATA;
    else
        finish_command(storage);
}

/* 6.2: valid, and meaningful as far as the transport can tell. */
static void take_wrapper(struct usb_storage *storage, struct usb_request *request)
{
    uint8_t cbw[CBW_SIZE];

    if (request->length != CBW_SIZE ||
        usb_request_copy_out(request, 0, cbw, CBW_SIZE) != CBW_SIZE ||
        get_le32(cbw) != CBW_SIGNATURE || cbw[13] > 15 || cbw[14] < 1 || cbw[14] > SCSI_CDB_MAX) {
        break_down(storage);
        return;
    }
    usb_emulated_end(&storage->usb, request, USB_OK, CBW_SIZE);
    begin_command(storage, cbw);
}

/* Zeros from an offset of the request's memory on, up to another. */
static void pad(struct usb_request *request, uint32_t from, uint32_t to)
{
    static const uint8_t zeros[4096];

    while (from < to) {
        uint32_t now = MIN(to - from, sizeof(zeros));

        usb_request_copy_in(request, from, zeros, now);
        from += now;
    }
}

/* The request holds what the device has moved; now the rest of its part of the data. */
static void end_piece(struct usb_storage *storage, struct usb_request *request, uint32_t moved)
{
    struct storage_bot *bot = &storage->bot;
    uint32_t size = MIN(request->length, bot->host_left);

    if (bot->to_host)
        pad(request, moved, size);
    bot->host_left -= size;
    usb_emulated_end(&storage->usb, request, USB_OK, size);
    if (bot->host_left == 0)
        finish_command(storage);
}

static void end_moved_piece(struct usb_storage *storage)
{
    struct storage_command *command = storage->bot.command;
    struct usb_request *request = command->request;

    command->request = NULL;
    end_piece(storage, request, command->scsi.moved - command->before);
}

static void move_piece(struct usb_storage *storage, struct usb_request *request)
{
    struct storage_bot *bot = &storage->bot;
    struct scsi_command *scsi = &bot->command->scsi;
    uint64_t left = scsi->length - scsi->moved;
    bool moves = !bot->phase_error && scsi->status == SCSI_GOOD && left > 0;

    if (!bot->to_host && request->length > bot->host_left)
        break_down(storage); /* more than the host has announced */
    else if (!moves || request->length == 0)
        end_piece(storage, request, 0);
    else if (storage_command_move(bot->command, request,
                                  MIN(request->length, MIN(left, bot->host_left))))
        end_moved_piece(storage);
}

static void send_status(struct usb_storage *storage, struct usb_request *request)
{
    struct storage_bot *bot = &storage->bot;
    const struct scsi_command *scsi = &bot->command->scsi;
    uint64_t moved = bot->phase_error ? 0 : scsi->moved;
    uint32_t size = MIN(request->length, CSW_SIZE);
    uint8_t csw[CSW_SIZE];

    put_le32(csw, CSW_SIGNATURE);
    put_le32(csw + 4, bot->tag);
    put_le32(csw + 8, bot->host_length - moved);
    csw[12] = bot->phase_error            ? CSW_PHASE_ERROR
              : scsi->status == SCSI_GOOD ? CSW_PASSED
                                          : CSW_FAILED;
    usb_request_copy_in(request, 0, csw, size);
    usb_emulated_end(&storage->usb, request, size == CSW_SIZE ? USB_OK : USB_BABBLE, size);
    bot_reset(storage);
}

/* The endpoint that matters in a state; 0: none, something else is awaited. */
static uint8_t awaited(const struct usb_storage *storage)
{
    const struct storage_bot *bot = &storage->bot;

    switch (bot->state) {
    case BOT_COMMAND:
        return storage->orphans > 0 ? 0 : STORAGE_DATA_OUT;
    case BOT_DATA:
        return bot->command->busy ? 0 : bot->to_host ? STORAGE_DATA_IN : STORAGE_DATA_OUT;
    case BOT_STATUS:
        return STORAGE_DATA_IN;
    default:
        return 0;
    }
}

static void bot_work(struct usb_storage *storage, uint8_t endpoint)
{
    struct storage_bot *bot = &storage->bot;
    struct usb_request *request;
    uint8_t from;

    while ((from = awaited(storage)) != 0 && !usb_standard_halted(&storage->usb.standard, from) &&
           (request = usb_emulated_first(&storage->usb, from)) != NULL) {
        if (bot->state == BOT_COMMAND)
            take_wrapper(storage, request);
        else if (bot->state == BOT_DATA)
            move_piece(storage, request);
        else
            send_status(storage, request);
    }
}

static void bot_stepped(struct usb_storage *storage, struct storage_command *command)
{
    if (storage->bot.state == BOT_FINISH)
        storage->bot.state = BOT_STATUS;
    else
        end_moved_piece(storage);
    bot_work(storage, 0);
}

static void bot_orphans_gone(struct usb_storage *storage)
{
    bot_work(storage, 0);
}

const struct storage_transport storage_bot = {
    .protocol = STORAGE_PROTOCOL_BULK_ONLY,
    .work = bot_work,
    .reset = bot_reset,
    .stepped = bot_stepped,
    .orphans_gone = bot_orphans_gone,
    .halt_cleared = bot_halt_cleared,
};
