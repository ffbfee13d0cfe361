/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A SCSI disk or CD over an image, for a transport to carry: one logical unit, number 0.
 *
 * A command goes through three steps: scsi_command_start() decodes it and says how many bytes it
 * moves and which way; scsi_command_move() moves them, in pieces as the transport gets memory,
 * straight between it and the image where the memory allows; scsi_command_finish() ends it. The
 * last two may be pending: then io_done is called later, and scsi_command_continue() goes on.
 *
 * Thread: everything under the transport's lock, but io_done, which is called on a thread of the
 * image's, without it.
 */
#ifndef USB_EMULATED_SCSI_DISK_H
#define USB_EMULATED_SCSI_DISK_H

#include <stdbool.h>
#include <stddef.h>

#include "disks/image.h"
#include "usb/emulated/scsi.h"

#define SCSI_CDB_MAX 16
#define SCSI_SENSE_SIZE 18
#define SCSI_SERIAL_MAX 36
#define SCSI_MAX_BLOCKS 65535 /* of one command */
#define SCSI_BUFFER_SIZE 1088 /* of what is not blocks: the longest is a list to unmap */

enum scsi_progress { SCSI_DONE, SCSI_PENDING };
enum scsi_direction { SCSI_NO_DATA, SCSI_TO_HOST, SCSI_FROM_HOST };

/* Sense key, additional code and qualifier: SPC-4, 4.5. */
struct scsi_sense {
    uint8_t key, code, qualifier;
};

struct scsi_disk {
    struct image *image;
    bool cd;        /* blocks of 2048 bytes, read-only */
    bool removable; /* can be ejected */
    char serial[SCSI_SERIAL_MAX + 1];
    uint32_t block_size;
    uint64_t blocks;
    bool write_cache;
    bool ejected, locked;
    bool media_event;            /* a CD's: the medium was put in */
    struct scsi_sense attention; /* for the next command; key 0: none */
    struct scsi_sense sense;     /* of the last failed command, for REQUEST SENSE */
};

struct scsi_command {
    /* The transport's: */
    struct scsi_disk *disk;
    uint8_t cdb[SCSI_CDB_MAX];
    bool wrong_unit; /* addressed to another logical unit */
    bool keep_sense; /* the host will come for it with REQUEST SENSE */
    void (*io_done)(struct scsi_command *command);
    void *opaque;
    /* The result: */
    enum scsi_direction direction;
    uint64_t length; /* bytes to be moved */
    uint64_t moved;  /* of them: those that have; all of them, unless the status is bad */
    enum scsi_status status;
    struct scsi_sense sense;
    /* The disk's: */
    const struct scsi_row *row;
    enum scsi_progress (*resume)(struct scsi_command *command, int error);
    struct block_request request;
    int error;                        /* of request */
    uint8_t buffer[SCSI_BUFFER_SIZE]; /* data that is not blocks */
    bool in_blocks;
    uint64_t offset;         /* where on the medium the first byte is */
    const struct iovec *iov; /* the piece that is moving, */
    unsigned iov_count;
    size_t iov_offset; /* how far in its first part, */
    uint64_t left;     /* and what is left of it */
    struct iovec *cut; /* a part of iov, of whole sectors */
    uint8_t *bounce;   /* for memory that is not cut in sectors */
    struct iovec bounce_iov;
    size_t bounced; /* bytes in there that wait to be written */
    uint64_t step;  /* bytes that the request in flight moves; also of lists: items done */
};

/* Takes the image, also on failure. serial: at most SCSI_SERIAL_MAX characters of it count. Fails
 * if the image is no disc of whole blocks. */
bool scsi_disk_init(struct scsi_disk *disk, struct image *image, bool cd, bool removable,
                    const char *serial, GError **err);
void scsi_disk_finish(struct scsi_disk *disk);
void scsi_disk_reset(struct scsi_disk *disk); /* and tells the next command of it */

/* For a command that is new or that scsi_command_clear() has seen. */
void scsi_command_start(struct scsi_command *command);
/* Moves the next length bytes, at most as many as are left. The memory stays until it is done. With
 * a bad status the command is over. */
enum scsi_progress scsi_command_move(struct scsi_command *command, const struct iovec *iov,
                                     unsigned iov_count, uint64_t length);
/* When all has been moved. */
enum scsi_progress scsi_command_finish(struct scsi_command *command);
enum scsi_progress scsi_command_continue(struct scsi_command *command);
void scsi_command_clear(struct scsi_command *command); /* frees what it holds */

/* As REQUEST SENSE and status information units have it: fixed format. */
void scsi_put_sense(uint8_t data[static SCSI_SENSE_SIZE], struct scsi_sense sense);

#endif
