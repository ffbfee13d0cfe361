/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/flash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"

/* P30 data sheet, "Command Codes and Definitions". */
enum {
    COMMAND_LOCK = 0x01,
    COMMAND_PROGRAM_ALTERNATE = 0x10,
    COMMAND_ERASE = 0x20,
    COMMAND_PROGRAM = 0x40,
    COMMAND_CLEAR_STATUS = 0x50,
    COMMAND_LOCK_SETUP = 0x60,
    COMMAND_READ_STATUS = 0x70,
    COMMAND_READ_ID = 0x90,
    COMMAND_CFI_QUERY = 0x98,
    COMMAND_CONFIRM = 0xd0,
    COMMAND_BUFFERED_PROGRAM = 0xe8,
    COMMAND_READ_ARRAY = 0xff,
};

/* P30 data sheet, "Read Status Register". */
enum {
    STATUS_LOCKED = 0x02,
    STATUS_PROGRAM_ERROR = 0x10,
    STATUS_ERASE_ERROR = 0x20,
    STATUS_READY = 0x80,
    STATUS_SEQUENCE_ERROR = STATUS_PROGRAM_ERROR | STATUS_ERASE_ERROR,
};

enum {
    ID_MANUFACTURER = 0x89, /* Intel */
    ID_DEVICE = 0x18,
};

#define BUFFER_SHIFT 8
#define BUFFER_SIZE (1 << BUFFER_SHIFT)
#define RETRY_SECONDS 5 /* after the file could not be written */

enum read_mode { READ_ARRAY, READ_STATUS, READ_ID, READ_CFI };

/* What the next write means. */
enum step {
    STEP_COMMAND,
    STEP_PROGRAM,
    STEP_ERASE,
    STEP_LOCK,
    STEP_COUNT,
    STEP_DATA,
    STEP_CONFIRM
};

struct flash {
    struct device device;
    struct board *board;
    struct region region;
    char *file;
    bool read_only;
    uint8_t *memory; /* of region.size bytes */

    enum read_mode mode;
    enum step step;
    uint8_t status;

    /* A buffered program: bytes that the guest does not give stay 0xff, which programs nothing. */
    uint8_t buffer[BUFFER_SIZE];
    unsigned buffer_left;
    bool buffer_placed;
    uint64_t buffer_offset; /* aligned to BUFFER_SIZE */

    GMutex lock; /* writing memory, and what follows */
    GCond wake;
    GThread *writer; /* from the first change on */
    bool dirty, stop;
};

static void set_mode(struct flash *f, enum read_mode mode)
{
    uint8_t *host = mode == READ_ARRAY ? f->memory : NULL;

    f->mode = mode;
    if (f->region.host == host)
        return;
    f->region.host = host;
    memory_map_update(f->board->memory, &f->region);
}

/* Replaces the file; under the lock, which is let go while the disk works. */
static bool save(struct flash *f)
{
    g_autofree char *copy = g_try_malloc(f->region.size);
    g_autoptr(GError) error = NULL;

    if (copy != NULL) {
        memcpy(copy, f->memory, f->region.size);
        f->dirty = false;
        g_mutex_unlock(&f->lock);
        g_file_set_contents_full(f->file, copy, f->region.size,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
                                 &error);
        g_mutex_lock(&f->lock);
    }
    if (copy != NULL && error == NULL)
        return true;
    log_error("flash",
              "The firmware's settings could not be saved: %s. Make room or give access; "
              "it is tried again every %d seconds.",
              error != NULL ? error->message : "out of memory", RETRY_SECONDS);
    f->dirty = true;
    return false;
}

static void wait_until(struct flash *f, gint64 time)
{
    while (!f->stop && g_cond_wait_until(&f->wake, &f->lock, time))
        ;
}

static gpointer run_writer(gpointer data)
{
    struct flash *f = data;

    g_mutex_lock(&f->lock);
    while (!f->stop) {
        if (!f->dirty) {
            g_cond_wait(&f->wake, &f->lock);
            continue;
        }
        wait_until(f, g_get_monotonic_time() + FLASH_WRITE_DELAY_MS * G_TIME_SPAN_MILLISECOND);
        if (!f->stop && !save(f))
            wait_until(f, g_get_monotonic_time() + RETRY_SECONDS * G_TIME_SPAN_SECOND);
    }
    g_mutex_unlock(&f->lock);
    return NULL;
}

/* Under the lock. Without a thread the change is saved when the board is finished. */
static void mark_dirty(struct flash *f)
{
    if (f->dirty)
        return;
    f->dirty = true;
    if (f->writer == NULL)
        f->writer = g_thread_try_new("flash", run_writer, f, NULL);
    g_cond_signal(&f->wake);
}

/* Programming turns ones into zeroes, never back. */
static void program(struct flash *f, uint64_t offset, const uint8_t *bytes, size_t size)
{
    f->status |= STATUS_READY;
    if (f->read_only) {
        f->status |= STATUS_PROGRAM_ERROR | STATUS_LOCKED;
        return;
    }
    g_mutex_lock(&f->lock);
    for (size_t i = 0; i < size; i++) {
        uint8_t *at = f->memory + offset + i;

        if (*at & ~bytes[i]) {
            *at &= bytes[i];
            mark_dirty(f);
        }
    }
    g_mutex_unlock(&f->lock);
}

static void erase_block(struct flash *f, uint64_t offset)
{
    f->status |= STATUS_READY;
    if (f->read_only) {
        f->status |= STATUS_ERASE_ERROR | STATUS_LOCKED;
        return;
    }
    g_mutex_lock(&f->lock);
    memset(f->memory + offset / FLASH_BLOCK_SIZE * FLASH_BLOCK_SIZE, 0xff, FLASH_BLOCK_SIZE);
    mark_dirty(f);
    g_mutex_unlock(&f->lock);
}

static void sequence_error(struct flash *f)
{
    f->status |= STATUS_READY | STATUS_SEQUENCE_ERROR;
}

static void begin(struct flash *f, enum step step)
{
    set_mode(f, READ_STATUS);
    f->step = step;
}

static void run_command(struct flash *f, uint8_t command)
{
    switch (command) {
    case COMMAND_PROGRAM:
    case COMMAND_PROGRAM_ALTERNATE:
        begin(f, STEP_PROGRAM);
        break;
    case COMMAND_ERASE:
        begin(f, STEP_ERASE);
        break;
    case COMMAND_LOCK_SETUP:
        begin(f, STEP_LOCK);
        break;
    case COMMAND_BUFFERED_PROGRAM:
        f->status |= STATUS_READY; /* the buffer is free */
        begin(f, STEP_COUNT);
        break;
    case COMMAND_CLEAR_STATUS:
        /* The real chip stays "ready"; OVMF knows the chip by a status of zero. */
        f->status = 0;
        break;
    case COMMAND_READ_STATUS:
        set_mode(f, READ_STATUS);
        break;
    case COMMAND_READ_ID:
        set_mode(f, READ_ID);
        break;
    case COMMAND_CFI_QUERY:
        set_mode(f, READ_CFI);
        break;
    case COMMAND_READ_ARRAY:
        set_mode(f, READ_ARRAY);
        break;
    default:
        log_guest("flash", "%s: unknown command 0x%02x", f->device.id, command);
        break;
    }
}

static void start_buffer(struct flash *f, uint8_t count_less_one)
{
    memset(f->buffer, 0xff, sizeof(f->buffer));
    f->buffer_left = count_less_one + 1;
    f->buffer_placed = false;
    f->step = STEP_DATA;
}

static void fill_buffer(struct flash *f, uint64_t offset, uint8_t byte)
{
    uint64_t place = offset / BUFFER_SIZE * BUFFER_SIZE;

    if (f->buffer_placed && place != f->buffer_offset) {
        sequence_error(f); /* all must go to one buffer's place */
        f->step = STEP_COMMAND;
        return;
    }
    f->buffer_placed = true;
    f->buffer_offset = place;
    f->buffer[offset % BUFFER_SIZE] = byte;
    if (--f->buffer_left == 0)
        f->step = STEP_CONFIRM;
}

/* The transition function: one byte written by the guest. */
static void flash_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct flash *f = opaque;
    enum step step = f->step;
    uint8_t byte = value;

    f->step = STEP_COMMAND;
    switch (step) {
    case STEP_COMMAND:
        run_command(f, byte);
        break;
    case STEP_PROGRAM:
        program(f, offset, &byte, 1);
        break;
    case STEP_ERASE:
        if (byte == COMMAND_CONFIRM)
            erase_block(f, offset);
        else
            sequence_error(f);
        break;
    case STEP_LOCK:
        /* Blocks have no locks of their own: asking is fine, and changes nothing. */
        if (byte == COMMAND_LOCK || byte == COMMAND_CONFIRM)
            f->status |= STATUS_READY;
        else
            sequence_error(f);
        break;
    case STEP_COUNT:
        start_buffer(f, byte);
        break;
    case STEP_DATA:
        f->step = STEP_DATA;
        fill_buffer(f, offset, byte);
        break;
    case STEP_CONFIRM:
        if (byte == COMMAND_CONFIRM)
            program(f, f->buffer_offset, f->buffer, sizeof(f->buffer));
        else
            sequence_error(f);
        break;
    }
}

static uint8_t read_id(const struct flash *f, uint64_t offset)
{
    switch (offset % FLASH_BLOCK_SIZE) {
    case 0:
        return ID_MANUFACTURER;
    case 1:
        return ID_DEVICE;
    case 2:
        return f->read_only; /* the block's lock */
    default:
        return 0;
    }
}

/* JESD68, "CFI Query": a chip one byte wide with one erase region. */
static uint8_t read_cfi(const struct flash *f, uint64_t offset)
{
    const unsigned blocks_less_one = f->region.size / FLASH_BLOCK_SIZE - 1;
    const uint8_t table[] = {
        [0x10] = 'Q',
        'R',
        'Y',
        [0x13] = 0x01,
        0x00, /* Intel's extended command set */
        [0x15] = 0x31,
        0x00, /* whose table is there */
        [0x1b] = 0x17,
        0x20, /* 1.7 to 2.0 V */
        [0x1f] = 8,
        8,
        8, /* 2^n: us for a byte, us for a buffer, ms for a block */
        [0x23] = 1,
        1,
        1, /* at most 2^n times that */
        [0x27] = g_bit_storage(f->region.size - 1),
        [0x28] = 0x00,
        0x00, /* 8 bits wide */
        [0x2a] = BUFFER_SHIFT,
        0x00,
        [0x2c] = 1,
        [0x2d] = blocks_less_one,
        blocks_less_one >> 8,
        [0x2f] = FLASH_BLOCK_SIZE / 256 & 0xff,
        FLASH_BLOCK_SIZE / 256 >> 8,
        [0x31] = 'P',
        'R',
        'I',
        '1',
        '0',
    };

    return offset < sizeof(table) ? table[offset] : 0;
}

static uint64_t flash_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct flash *f = opaque;

    switch (f->mode) {
    case READ_STATUS:
        return f->status;
    case READ_ID:
        return read_id(f, offset);
    case READ_CFI:
        return read_cfi(f, offset);
    default:
        return f->memory[offset];
    }
}

static const struct region_ops flash_ops = {flash_read, flash_write, .max_access = 1};

static void flash_reset(struct device *device)
{
    struct flash *f = (struct flash *)device;

    f->step = STEP_COMMAND;
    f->status = STATUS_READY;
    set_mode(f, READ_ARRAY);
}

static void stop_writer(struct flash *f)
{
    g_mutex_lock(&f->lock);
    f->stop = true;
    g_cond_signal(&f->wake);
    g_mutex_unlock(&f->lock);
    if (f->writer != NULL)
        g_thread_join(f->writer);
    g_mutex_lock(&f->lock);
    if (f->dirty)
        save(f);
    g_mutex_unlock(&f->lock);
}

static void flash_free(struct flash *f)
{
    if (f->memory != NULL)
        munmap(f->memory, f->region.size);
    g_cond_clear(&f->wake);
    g_mutex_clear(&f->lock);
    g_free(f->file);
    g_free(f);
}

static void flash_destroy(struct device *device)
{
    struct flash *f = (struct flash *)device;

    memory_map_remove(f->board->memory, &f->region);
    stop_writer(f);
    flash_free(f);
}

static const struct device_class flash_class = {"flash", flash_reset, flash_destroy};

static bool read_all(int fd, uint8_t *to, size_t size, const char *file, GError **err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, to + done, size - done, done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vmdesk_error_from_errno(err, errno, NULL, "The flash file \"%s\" cannot be read",
                                           file);
        if (n == 0)
            return vmdesk_fail(err, VMDESK_ERROR_IO,
                               "The flash file \"%s\" was cut short while it was read. Start the "
                               "machine again when nobody else uses the file.",
                               file);
        done += n;
    }
    return true;
}

static bool load_from(struct flash *f, int fd, GError **err)
{
    const uint64_t size = f->region.size;
    struct stat st;
    void *memory;

    if (fstat(fd, &st) < 0)
        return vmdesk_error_from_errno(err, errno, NULL, "The flash file \"%s\" cannot be used",
                                       f->file);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The flash file \"%s\" must be a regular file of %" G_GUINT64_FORMAT
                           " bytes. Copy it again from the firmware's package.",
                           f->file, size);
    if (f->read_only)
        memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    else
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return vmdesk_error_from_errno(err, errno, NULL, "There is no memory for the flash \"%s\"",
                                       f->file);
    f->memory = memory;
    return f->read_only || read_all(fd, memory, size, f->file, err);
}

static bool load(struct flash *f, GError **err)
{
    /* Opened for writing only to find out now, not at the first change, that it is not allowed. */
    int fd = open(f->file, (f->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
    bool ok;

    if (fd < 0)
        return vmdesk_error_from_errno(err, errno, "Check the file's name and permissions",
                                       "The flash file \"%s\" cannot be opened", f->file);
    ok = load_from(f, fd, err);
    close(fd);
    return ok;
}

struct flash *flash_new(struct board *board, const char *id, uint64_t base, const char *file,
                        uint64_t size, bool read_only, GError **err)
{
    struct flash *f;

    g_return_val_if_fail(size > 0 && size % FLASH_BLOCK_SIZE == 0 && size <= FLASH_MAX_SIZE, NULL);
    f = g_new0(struct flash, 1);
    f->device = (struct device){&flash_class, id};
    f->board = board;
    f->file = g_strdup(file);
    f->read_only = read_only;
    f->status = STATUS_READY;
    f->region =
        (struct region){.name = id, .size = size, .ops = &flash_ops, .opaque = f, .readonly = true};
    g_mutex_init(&f->lock);
    g_cond_init(&f->wake);
    if (!load(f, err)) {
        flash_free(f);
        return NULL;
    }
    f->region.host = f->memory;
    memory_map_add(board->memory, &f->region, base, 0);
    board_add_device(board, &f->device);
    return f;
}
