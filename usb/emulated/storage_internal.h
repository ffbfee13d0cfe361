/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the transports of a storage device share. Thread: everything under the device's lock, but
 * where it says otherwise.
 */
#ifndef USB_EMULATED_STORAGE_INTERNAL_H
#define USB_EMULATED_STORAGE_INTERNAL_H

#include "usb/emulated/emulated.h"
#include "usb/emulated/scsi_disk.h"
#include "usb/emulated/storage.h"

enum {
    STORAGE_DATA_IN = 0x81,
    STORAGE_DATA_OUT = 0x02,
    STORAGE_STATUS = 0x83,  /* UAS only, */
    STORAGE_COMMAND = 0x04, /* as this one */
};

enum { STORAGE_PROTOCOL_BULK_ONLY = 0x50, STORAGE_PROTOCOL_UAS = 0x62 };

struct usb_storage;

/* A command on its way, and the request whose memory it moves. */
struct storage_command {
    struct scsi_command scsi;
    struct usb_storage *storage;
    struct usb_request *request; /* taken; NULL: none */
    uint64_t before;             /* scsi.moved when the piece began */
    bool busy;                   /* the image works for it */
    bool orphan;                 /* nobody waits for it any more */
    /* UAS: */
    GList link; /* in the list of commands; link.data is the command */
    uint16_t tag;
    unsigned state;
};

struct storage_transport {
    uint8_t protocol; /* of the interface's setting that speaks it */
    void (*work)(struct usb_storage *storage, uint8_t endpoint);
    /* Forgets all commands; those that are busy become orphans. */
    void (*reset)(struct usb_storage *storage);
    /* A busy command has come to the end of a step: SCSI_DONE of what it was started for. */
    void (*stepped)(struct usb_storage *storage, struct storage_command *command);
    /* The last orphan has come to its end. */
    void (*orphans_gone)(struct usb_storage *storage);
    void (*halt_cleared)(struct usb_storage *storage, uint8_t endpoint); /* May be NULL */
};

extern const struct storage_transport storage_bot, storage_uas;

enum storage_bot_state { BOT_COMMAND, BOT_DATA, BOT_FINISH, BOT_STATUS, BOT_BROKEN };

struct storage_bot {
    enum storage_bot_state state;
    struct storage_command *command;
    uint32_t tag, host_length, host_left; /* what the host expects to move */
    bool to_host, phase_error;
};

struct storage_uas {
    GQueue commands;                    /* struct storage_command */
    GQueue units;                       /* struct unit: information for the status pipe */
    struct storage_command *current[2]; /* without streams: whose data moves out, and in */
    unsigned streams[USB_ENDPOINTS];    /* of an endpoint; 0: none */
};

struct usb_storage {
    struct usb_emulated usb; /* must be first */
    struct scsi_disk disk;
    const struct storage_transport *transport;
    unsigned orphans; /* while there are some, no new command begins */
    struct storage_bot bot;
    struct storage_uas uas;
};

struct storage_command *storage_command_new(struct usb_storage *storage);
/* Frees it, or leaves that to the image's thread if it is busy; its request then ends as cancelled.
 * NULL is fine. */
void storage_command_drop(struct storage_command *command);
/* Moves length bytes at the beginning of the request's memory; or ends the command. True: it is
 * done, stepped() is not called. */
bool storage_command_move(struct storage_command *command, struct usb_request *request,
                          uint64_t length);
bool storage_command_finish(struct storage_command *command);
/* Ends the request that was moving, with as many bytes. */
void storage_command_end_request(struct storage_command *command, uint32_t actual);

/* storage_bot.c: a class request; as control in struct usb_emulated_ops. */
void storage_bot_control(struct usb_storage *storage, struct usb_request *request);
bool storage_uas_set_streams(struct usb_storage *storage, uint8_t endpoint, unsigned count);

#endif
