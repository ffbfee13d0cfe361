/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/usb/scripted_disk.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* USB Mass Storage Class, Bulk-Only Transport, 5.1 and 5.2. */
#define CBW_BYTES 31
#define CBW_SIGNATURE 0x43425355u
#define CSW_BYTES 13
#define CSW_SIGNATURE 0x53425355u
#define DATA_MAX (64 * 1024 * 1024)

enum disk_phase { PHASE_COMMAND, PHASE_DATA_IN, PHASE_DATA_OUT, PHASE_STATUS };

struct scripted_disk {
    uint8_t *bytes;
    size_t size;
    enum disk_phase phase;
    uint32_t tag, expected, done;
    uint8_t status;
    uint8_t sense_key, sense_code;
    uint8_t reply[64];
    const uint8_t *source; /* of data to the host */
    uint8_t *target;       /* of data from it */
    uint32_t source_size;
};

struct scripted_disk *scripted_disk_new(const char *file, size_t size)
{
    struct scripted_disk *disk = g_new0(struct scripted_disk, 1);
    int flags = file != NULL ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    int fd = file != NULL ? open(file, O_RDWR | O_CLOEXEC) : -1;
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0)
        size = st.st_size;
    disk->size = size / DISK_SECTOR * DISK_SECTOR;
    disk->bytes = mmap(NULL, disk->size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (fd >= 0)
        close(fd);
    if (disk->bytes == MAP_FAILED) {
        g_free(disk);
        return NULL;
    }
    return disk;
}

void scripted_disk_free(struct scripted_disk *disk)
{
    munmap(disk->bytes, disk->size);
    g_free(disk);
}

void scripted_disk_reset(struct scripted_disk *disk)
{
    disk->phase = PHASE_COMMAND;
}

static uint32_t big_32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void put_big_32(uint8_t *p, uint32_t value)
{
    p[0] = value >> 24;
    p[1] = value >> 16;
    p[2] = value >> 8;
    p[3] = value;
}

static void put_32(uint8_t *p, uint32_t value)
{
    p[0] = value;
    p[1] = value >> 8;
    p[2] = value >> 16;
    p[3] = value >> 24;
}

static uint32_t get_32(const uint8_t *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void refuse(struct scripted_disk *disk, uint8_t key, uint8_t code)
{
    disk->status = 1;
    disk->sense_key = key;
    disk->sense_code = code;
}

static void reply(struct scripted_disk *disk, uint32_t size)
{
    disk->source = disk->reply;
    disk->source_size = size;
}

static void read_or_write(struct scripted_disk *disk, const uint8_t *command)
{
    uint64_t start = (uint64_t)big_32(command + 2) * DISK_SECTOR;
    uint32_t size = (command[7] << 8 | command[8]) * DISK_SECTOR;

    if (start > disk->size || size > disk->size - start) {
        refuse(disk, 5, 0x21); /* logical block address out of range */
    } else if (command[0] == 0x28) {
        disk->source = disk->bytes + start;
        disk->source_size = size;
    } else {
        disk->target = disk->bytes + start;
        disk->source_size = size;
    }
}

static void run_command(struct scripted_disk *disk, const uint8_t *command)
{
    memset(disk->reply, 0, sizeof(disk->reply));
    switch (command[0]) {
    case 0x00: /* TEST UNIT READY */
    case 0x1b: /* START STOP UNIT */
    case 0x1e: /* PREVENT ALLOW MEDIUM REMOVAL */
    case 0x35: /* SYNCHRONIZE CACHE */
        break;
    case 0x03: /* REQUEST SENSE */
        disk->reply[0] = 0x70;
        disk->reply[2] = disk->sense_key;
        disk->reply[7] = 10;
        disk->reply[12] = disk->sense_code;
        disk->sense_key = disk->sense_code = 0;
        reply(disk, 18);
        break;
    case 0x12:                 /* INQUIRY */
        disk->reply[1] = 0x80; /* removable */
        disk->reply[2] = 4;
        disk->reply[3] = 2;
        disk->reply[4] = 31;
        memcpy(disk->reply + 8, "vmdesk  Scripted Disk   1.0 ", 28);
        if (command[1] & 1)
            refuse(disk, 5, 0x24); /* no vital product data */
        else
            reply(disk, 36);
        break;
    case 0x1a: /* MODE SENSE(6) */
        disk->reply[0] = 3;
        reply(disk, 4);
        break;
    case 0x25: /* READ CAPACITY(10) */
        put_big_32(disk->reply, disk->size / DISK_SECTOR - 1);
        put_big_32(disk->reply + 4, DISK_SECTOR);
        reply(disk, 8);
        break;
    case 0x28: /* READ(10) */
    case 0x2a: /* WRITE(10) */
        read_or_write(disk, command);
        break;
    default:
        refuse(disk, 5, 0x20); /* invalid operation code */
    }
}

bool scripted_disk_out(struct scripted_disk *disk, const uint8_t *data, uint32_t size)
{
    if (disk->phase == PHASE_DATA_OUT) {
        uint32_t room = disk->target != NULL ? disk->source_size - disk->done : 0;

        if (room > 0)
            memcpy(disk->target + disk->done, data, MIN(size, room));
        disk->done += size;
        if (disk->done >= disk->expected)
            disk->phase = PHASE_STATUS;
        return true;
    }
    if (size != CBW_BYTES || get_32(data) != CBW_SIGNATURE)
        return false;
    disk->tag = get_32(data + 4);
    disk->expected = MIN(get_32(data + 8), DATA_MAX);
    disk->done = disk->status = 0;
    disk->source = NULL;
    disk->target = NULL;
    disk->source_size = 0;
    run_command(disk, data + 15);
    disk->phase = disk->expected == 0 ? PHASE_STATUS
                  : data[12] & 0x80   ? PHASE_DATA_IN
                                      : PHASE_DATA_OUT;
    return true;
}

static uint32_t send_data(struct scripted_disk *disk, uint8_t *data, uint32_t size)
{
    uint32_t left = MIN(disk->source_size, disk->expected) - disk->done;
    uint32_t now = MIN(size, left);

    memcpy(data, disk->source + disk->done, now);
    disk->done += now;
    /* All, or a short packet that ends the phase. */
    if (disk->done == disk->expected || now < size)
        disk->phase = PHASE_STATUS;
    return now;
}

bool scripted_disk_in(struct scripted_disk *disk, uint8_t *data, uint32_t size,
                      uint32_t *ret_actual, bool *ret_stall)
{
    *ret_stall = false;
    *ret_actual = 0;
    if (disk->phase == PHASE_DATA_IN && disk->source == NULL) {
        disk->phase = PHASE_STATUS;
        *ret_stall = true;
        return true;
    }
    if (disk->phase == PHASE_DATA_IN) {
        *ret_actual = send_data(disk, data, size);
        return true;
    }
    if (disk->phase != PHASE_STATUS || size < CSW_BYTES)
        return false;
    put_32(data, CSW_SIGNATURE);
    put_32(data + 4, disk->tag);
    put_32(data + 8, disk->expected - MIN(disk->done, disk->expected));
    data[12] = disk->status;
    *ret_actual = CSW_BYTES;
    disk->phase = PHASE_COMMAND;
    return true;
}
