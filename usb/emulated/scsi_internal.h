/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the SCSI disk share. */
#ifndef USB_EMULATED_SCSI_INTERNAL_H
#define USB_EMULATED_SCSI_INTERNAL_H

#include "usb/emulated/scsi_disk.h"

/* SPC-4, annex F. */
static const struct scsi_sense SENSE_NONE = {0x0, 0x00, 0x00};
static const struct scsi_sense SENSE_NO_MEDIUM = {0x2, 0x3a, 0x00};
static const struct scsi_sense SENSE_WRITE_ERROR = {0x3, 0x0c, 0x00};
static const struct scsi_sense SENSE_READ_ERROR = {0x3, 0x11, 0x00};
static const struct scsi_sense SENSE_INTERNAL = {0x4, 0x44, 0x00};
static const struct scsi_sense SENSE_PARAMETER_LENGTH = {0x5, 0x1a, 0x00};
static const struct scsi_sense SENSE_OPCODE = {0x5, 0x20, 0x00};
static const struct scsi_sense SENSE_OUT_OF_RANGE = {0x5, 0x21, 0x00};
static const struct scsi_sense SENSE_FIELD_IN_CDB = {0x5, 0x24, 0x00};
static const struct scsi_sense SENSE_UNIT = {0x5, 0x25, 0x00};
static const struct scsi_sense SENSE_FIELD_IN_PARAMETERS = {0x5, 0x26, 0x00};
static const struct scsi_sense SENSE_NO_SAVED_VALUES = {0x5, 0x39, 0x00};
static const struct scsi_sense SENSE_REMOVAL_PREVENTED = {0x5, 0x53, 0x02};
static const struct scsi_sense SENSE_MEDIUM_CHANGED = {0x6, 0x28, 0x00};
static const struct scsi_sense SENSE_RESET = {0x6, 0x29, 0x00};
static const struct scsi_sense SENSE_WRITE_PROTECTED = {0x7, 0x27, 0x00};
static const struct scsi_sense SENSE_NO_SPACE = {0x7, 0x27, 0x07};

enum scsi_row_flags {
    SCSI_ANY_UNIT = 1,         /* answered for units that do not exist */
    SCSI_BEFORE_ATTENTION = 2, /* answered though there is a unit attention */
    SCSI_NEEDS_MEDIUM = 4,
    SCSI_WRITES = 8,
    SCSI_DISK_ONLY = 16,
    SCSI_CD_ONLY = 32,
};

/* A command. start says what it moves, or fails; finish, which may be NULL, ends it. */
struct scsi_row {
    enum scsi_opcode opcode;
    unsigned flags;
    void (*start)(struct scsi_command *command, const uint8_t *cdb);
    enum scsi_progress (*finish)(struct scsi_command *command);
};

/* For start and finish functions. */

enum scsi_progress scsi_fail(struct scsi_command *command, struct scsi_sense sense);
/* By a positive errno. */
enum scsi_progress scsi_fail_io(struct scsi_command *command, int error);
/* Answers with the first size bytes of command->buffer, or as many as are allowed. */
void scsi_reply(struct scsi_command *command, size_t size, size_t allowed);
/* Takes size bytes to command->buffer, which must fit. */
void scsi_expect(struct scsi_command *command, size_t size);
/* Reads or writes blocks. */
void scsi_blocks(struct scsi_command *command, bool write, uint64_t first, uint64_t count);
/* Whether the disk has the blocks; otherwise fails. */
bool scsi_check_range(struct scsi_command *command, uint64_t first, uint64_t count);
/* Submits to the image; resume gets the error. */
enum scsi_progress scsi_io(struct scsi_command *command, enum block_op op, uint64_t offset,
                           uint64_t length, const struct iovec *iov, unsigned iov_count,
                           enum scsi_progress (*resume)(struct scsi_command *command, int error));
enum scsi_progress scsi_flush(struct scsi_command *command);

/* scsi_media.c: scsi_command_move() for blocks. */
enum scsi_progress scsi_move_blocks(struct scsi_command *command);

/* scsi_inquiry.c, scsi_mode.c, scsi_erase.c, scsi_cd.c */
void scsi_inquiry(struct scsi_command *command, const uint8_t *cdb);
void scsi_mode_sense_6(struct scsi_command *command, const uint8_t *cdb);
void scsi_mode_sense_10(struct scsi_command *command, const uint8_t *cdb);
void scsi_mode_select_6(struct scsi_command *command, const uint8_t *cdb);
void scsi_mode_select_10(struct scsi_command *command, const uint8_t *cdb);
enum scsi_progress scsi_mode_select_finish(struct scsi_command *command);
#define SCSI_MAX_UNMAP_RANGES 64
void scsi_unmap(struct scsi_command *command, const uint8_t *cdb);
enum scsi_progress scsi_unmap_finish(struct scsi_command *command);
void scsi_write_same(struct scsi_command *command, const uint8_t *cdb);
enum scsi_progress scsi_write_same_finish(struct scsi_command *command);
void scsi_read_toc(struct scsi_command *command, const uint8_t *cdb);
void scsi_get_configuration(struct scsi_command *command, const uint8_t *cdb);
void scsi_get_event_status(struct scsi_command *command, const uint8_t *cdb);
void scsi_read_disc_information(struct scsi_command *command, const uint8_t *cdb);

#endif
