/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sections are those of Microsoft's [MS-VHDX]; numbers are little-endian. */
#include "disks/vhdx_log.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "disks/crc32c.h"

#define SECTOR VHDX_LOG_SECTOR
#define MAX_ZERO_SECTORS (256 * 1024) /* that a log can make of others' places */
/* Each entry is looked at when its turn comes in a sequence, and may be once more as the start of
 * one. Entries that overlap, which no program writes, would make it endless. */
#define MAX_CHECKED_LOGS 8

/* 2.3.1.1 */
struct entry_header {
    char signature[4];
    uint32_t checksum, length, tail;
    uint64_t sequence;
    uint32_t descriptors, reserved;
    uint8_t id[VHDX_GUID_SIZE];
    uint64_t flushed_file_size, last_file_size;
} __attribute__((packed));

/* 2.3.1.2 and 2.3.1.3 */
struct descriptor {
    char signature[4];
    uint32_t trailing;
    uint64_t leading; /* of zeros: how many bytes */
    uint64_t offset, sequence;
} __attribute__((packed));

/* 2.3.1.4 */
#define DATA_LEADING 8
#define DATA_TRAILING 4

struct log {
    struct file *base;
    uint8_t *bytes;
    uint32_t length;
    const uint8_t *id;
    uint64_t checked; /* bytes of entries that were looked at */
};

/* 2.3.2: entries in a row, each with the next number. */
struct sequence {
    uint64_t number;     /* of its last entry; 0: it is empty */
    uint32_t tail, head; /* where its first entry is and where it ends, in the log */
    uint32_t length;
    bool whole; /* its last entry's tail is one of its entries */
    uint32_t replay_from;
    uint64_t flushed_file_size, last_file_size;
};

struct replayed_file {
    struct file file;
    struct file *base;
    uint64_t size;
    uint8_t *log;        /* has the data */
    GHashTable *sectors; /* by number: bytes in the log, or NULL for zeros */
};

static bool fail_damaged(const struct file *base, GError **err)
{
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The VHDX image %s was not closed well, and its log is damaged: get the "
                       "image again, or repair a copy of it with Hyper-V.",
                       base->path);
}

/* Entries go on at the start of the log when they reach its end. */
static uint8_t *at(const struct log *log, uint64_t offset)
{
    return log->bytes + offset % log->length;
}

static struct descriptor descriptor_at(const struct log *log, uint64_t entry, uint32_t number)
{
    struct descriptor found;

    /* None crosses a sector: what is before them has two descriptors' size. */
    memcpy(&found, at(log, entry + sizeof(struct entry_header) + (uint64_t)number * sizeof(found)),
           sizeof(found));
    return found;
}

static bool is_data(const struct descriptor *descriptor)
{
    return memcmp(descriptor->signature, "desc", 4) == 0;
}

static uint32_t descriptor_sectors(uint32_t descriptors)
{
    return (sizeof(struct entry_header) + (uint64_t)descriptors * sizeof(struct descriptor) +
            SECTOR - 1) /
           SECTOR;
}

/* The checksum is that of the entry with zeros in its place. */
static bool checksum_fits(struct log *log, uint32_t offset, const struct entry_header *header)
{
    uint32_t length = GUINT32_FROM_LE(header->length);
    uint32_t first = MIN(length, log->length - offset), crc;
    struct entry_header zeroed = *header;

    log->checked += length;
    zeroed.checksum = 0;
    crc = crc32c(0, &zeroed, sizeof(zeroed));
    crc = crc32c(crc, at(log, offset) + sizeof(zeroed), first - sizeof(zeroed));
    crc = crc32c(crc, log->bytes, length - first);
    return crc == GUINT32_FROM_LE(header->checksum);
}

/* Each descriptor is of this entry, and so is each sector of data. */
static bool descriptors_fit(const struct log *log, uint32_t offset,
                            const struct entry_header *header)
{
    uint32_t count = GUINT32_FROM_LE(header->descriptors);
    uint64_t data = descriptor_sectors(count), sequence = GUINT64_FROM_LE(header->sequence);
    uint64_t sectors = GUINT32_FROM_LE(header->length) / SECTOR;

    for (uint32_t i = 0; i < count; i++) {
        struct descriptor descriptor = descriptor_at(log, offset, i);
        const uint8_t *sector = at(log, offset + data * SECTOR);
        uint32_t high, low;

        if (GUINT64_FROM_LE(descriptor.sequence) != sequence ||
            GUINT64_FROM_LE(descriptor.offset) % SECTOR != 0)
            return false;
        if (!is_data(&descriptor)) {
            if (memcmp(descriptor.signature, "zero", 4) != 0 ||
                GUINT64_FROM_LE(descriptor.leading) % SECTOR != 0)
                return false;
            continue;
        }
        if (data++ >= sectors || memcmp(sector, "data", 4) != 0)
            return false;
        memcpy(&high, sector + 4, sizeof(high));
        memcpy(&low, sector + SECTOR - sizeof(low), sizeof(low));
        if (((uint64_t)GUINT32_FROM_LE(high) << 32 | GUINT32_FROM_LE(low)) != sequence)
            return false;
    }
    return true;
}

/* Whether an entry starts there, at most `left` bytes long. */
static bool read_entry(struct log *log, uint32_t offset, uint32_t left,
                       struct entry_header *ret_header)
{
    uint32_t length;

    memcpy(ret_header, at(log, offset), sizeof(*ret_header));
    length = GUINT32_FROM_LE(ret_header->length);
    return memcmp(ret_header->signature, "loge", 4) == 0 &&
           memcmp(ret_header->id, log->id, VHDX_GUID_SIZE) == 0 &&
           GUINT64_FROM_LE(ret_header->sequence) != 0 && length != 0 && length % SECTOR == 0 &&
           length <= left && GUINT32_FROM_LE(ret_header->tail) % SECTOR == 0 &&
           GUINT32_FROM_LE(ret_header->tail) < log->length &&
           descriptor_sectors(GUINT32_FROM_LE(ret_header->descriptors)) <= length / SECTOR &&
           checksum_fits(log, offset, ret_header) && descriptors_fit(log, offset, ret_header);
}

/* The sequence that starts at the offset. */
static struct sequence read_sequence(struct log *log, uint32_t offset)
{
    struct sequence found = {.tail = offset, .head = offset};
    g_autoptr(GHashTable) starts = g_hash_table_new(g_direct_hash, g_direct_equal);
    struct entry_header header;

    while (log->checked <= (uint64_t)MAX_CHECKED_LOGS * log->length &&
           read_entry(log, found.head, log->length - found.length, &header) &&
           (found.number == 0 || GUINT64_FROM_LE(header.sequence) == found.number + 1)) {
        g_hash_table_add(starts, GSIZE_TO_POINTER(found.head));
        found.number = GUINT64_FROM_LE(header.sequence);
        found.replay_from = GUINT32_FROM_LE(header.tail);
        found.whole = g_hash_table_contains(starts, GSIZE_TO_POINTER(found.replay_from));
        found.flushed_file_size = GUINT64_FROM_LE(header.flushed_file_size);
        found.last_file_size = GUINT64_FROM_LE(header.last_file_size);
        found.length += GUINT32_FROM_LE(header.length);
        found.head = (offset + found.length) % log->length;
    }
    return found;
}

/* 2.3.2: the active sequence is the whole one with the highest number. */
static struct sequence find_active(struct log *log)
{
    struct sequence active = {.number = 0};
    uint64_t tail = 0;

    while (tail < log->length) {
        struct sequence found = read_sequence(log, tail);

        if (found.whole && found.number > active.number)
            active = found;
        tail += found.whole ? found.length : SECTOR;
    }
    return active;
}

static bool add_zeros(struct replayed_file *replayed, uint64_t offset, uint64_t length)
{
    if (length / SECTOR >
        MAX_ZERO_SECTORS - MIN(g_hash_table_size(replayed->sectors), MAX_ZERO_SECTORS))
        return false;
    for (uint64_t i = 0; i < length / SECTOR; i++)
        g_hash_table_insert(replayed->sectors, GSIZE_TO_POINTER(offset / SECTOR + i), NULL);
    return true;
}

/* 2.3.3: the ends of a sector of data, where its own marks are, stand in its descriptor. */
static void add_data(struct replayed_file *replayed, const struct descriptor *descriptor,
                     uint8_t *sector)
{
    memcpy(sector, &descriptor->leading, DATA_LEADING);
    memcpy(sector + SECTOR - DATA_TRAILING, &descriptor->trailing, DATA_TRAILING);
    g_hash_table_insert(replayed->sectors,
                        GSIZE_TO_POINTER(GUINT64_FROM_LE(descriptor->offset) / SECTOR), sector);
}

static bool replay_entry(const struct log *log, uint64_t offset, struct replayed_file *replayed,
                         uint32_t *ret_length)
{
    struct entry_header header;
    uint64_t data;

    memcpy(&header, at(log, offset), sizeof(header));
    *ret_length = GUINT32_FROM_LE(header.length);
    data = offset + (uint64_t)descriptor_sectors(GUINT32_FROM_LE(header.descriptors)) * SECTOR;
    for (uint32_t i = 0; i < GUINT32_FROM_LE(header.descriptors); i++) {
        struct descriptor descriptor = descriptor_at(log, offset, i);

        if (is_data(&descriptor)) {
            add_data(replayed, &descriptor, at(log, data));
            data += SECTOR;
        } else if (!add_zeros(replayed, GUINT64_FROM_LE(descriptor.offset),
                              GUINT64_FROM_LE(descriptor.leading)))
            return false;
    }
    return true;
}

static bool replay(const struct log *log, const struct sequence *active,
                   struct replayed_file *replayed)
{
    uint32_t length = 0;
    uint64_t first = active->replay_from >= active->tail ? active->replay_from
                                                         : active->replay_from + log->length;

    for (uint64_t entry = first; entry < active->tail + active->length; entry += length)
        if (!replay_entry(log, entry, replayed, &length))
            return false;
    return true;
}

/* Bytes from the offset on that are all in the file below, or all in one sector of the log. */
static uint64_t run_length(const struct replayed_file *replayed, uint64_t offset, uint64_t wanted,
                           bool *ret_replayed, const uint8_t **ret_sector)
{
    uint64_t end = offset + wanted, sector = offset / SECTOR;
    void *found = NULL;

    *ret_replayed =
        g_hash_table_lookup_extended(replayed->sectors, GSIZE_TO_POINTER(sector), NULL, &found);
    *ret_sector = found;
    do
        sector++;
    while (!*ret_replayed && sector * SECTOR < end &&
           !g_hash_table_contains(replayed->sectors, GSIZE_TO_POINTER(sector)));
    return MIN(sector * SECTOR, end) - offset;
}

/* As preadv(2) may, it moves fewer bytes than asked where something else begins. */
static ssize_t replayed_read(struct file *file, const struct iovec *iov, unsigned count,
                             uint64_t offset)
{
    struct replayed_file *replayed = (struct replayed_file *)file;
    const uint8_t *sector;
    bool in_log;
    uint64_t length;
    ssize_t moved;

    while (count > 0 && iov->iov_len == 0) {
        iov++;
        count--;
    }
    if (count == 0 || offset >= replayed->size)
        return 0;
    length =
        run_length(replayed, offset, MIN(iov->iov_len, replayed->size - offset), &in_log, &sector);
    if (!in_log) {
        const struct iovec part = {iov->iov_base, length};

        moved = replayed->base->ops->read(replayed->base, &part, 1, offset);
        if (moved != 0)
            return moved;
    }
    /* Also what the log makes the file longer by. */
    if (sector != NULL)
        memcpy(iov->iov_base, sector + offset % SECTOR, length);
    else
        memset(iov->iov_base, 0, length);
    return length;
}

static ssize_t replayed_write(struct file *file, const struct iovec *iov, unsigned count,
                              uint64_t offset)
{
    return -EROFS;
}

static int replayed_flush(struct file *file)
{
    return 0;
}

static int replayed_discard(struct file *file, uint64_t offset, uint64_t length)
{
    return -EROFS;
}

static int replayed_size(struct file *file, uint64_t *ret_size)
{
    *ret_size = ((struct replayed_file *)file)->size;
    return 0;
}

static int replayed_truncate(struct file *file, uint64_t size)
{
    return -EROFS;
}

static void replayed_close(struct file *file)
{
    struct replayed_file *replayed = (struct replayed_file *)file;

    g_hash_table_unref(replayed->sectors);
    g_free(replayed->log);
    g_free(file->path);
    g_free(replayed);
}

static const struct file_ops replayed_ops = {
    .read = replayed_read,
    .write = replayed_write,
    .flush = replayed_flush,
    .discard = replayed_discard,
    .size = replayed_size,
    .truncate = replayed_truncate,
    .close = replayed_close,
};

/* Takes the bytes of the log. */
static struct file *replayed_new(const struct log *log, uint64_t size)
{
    struct replayed_file *replayed = g_new0(struct replayed_file, 1);

    replayed->file.ops = &replayed_ops;
    replayed->file.path = g_strdup(log->base->path);
    replayed->file.read_only = true;
    replayed->base = log->base;
    replayed->size = size;
    replayed->log = log->bytes;
    replayed->sectors = g_hash_table_new(g_direct_hash, g_direct_equal);
    return &replayed->file;
}

static bool read_log(struct log *log, uint64_t offset, uint64_t file_size, GError **err)
{
    int result;

    if (log->length == 0 || log->length % SECTOR != 0 || log->length > VHDX_LOG_MAX_LENGTH ||
        offset > file_size || log->length > file_size - offset)
        return fail_damaged(log->base, err);
    log->bytes = g_malloc(log->length);
    result = file_read_buffer(log->base, log->bytes, log->length, offset);
    return result == 0 ||
           vmdesk_error_from_errno(err, -result, NULL, "Cannot read the image %s", log->base->path);
}

struct file *vhdx_log_replay(struct file *base, uint64_t offset, uint32_t length,
                             const uint8_t id[VHDX_GUID_SIZE], GError **err)
{
    struct log log = {.base = base, .length = length, .id = id};
    struct sequence active;
    struct file *file;
    uint64_t size;
    int result = base->ops->size(base, &size);

    if (result < 0) {
        vmdesk_error_from_errno(err, -result, NULL, "Cannot tell the size of the image %s",
                                base->path);
        return NULL;
    }
    if (!read_log(&log, offset, size, err)) {
        g_free(log.bytes);
        return NULL;
    }
    active = find_active(&log);
    /* The log was written after the file had this size. */
    if (active.number == 0 || active.flushed_file_size > size ||
        active.last_file_size > INT64_MAX) {
        fail_damaged(base, err);
        g_free(log.bytes);
        return NULL;
    }
    file = replayed_new(&log, MAX(size, active.last_file_size));
    if (!replay(&log, &active, (struct replayed_file *)file)) {
        fail_damaged(base, err);
        g_clear_pointer(&file, file_close);
    }
    return file;
}
