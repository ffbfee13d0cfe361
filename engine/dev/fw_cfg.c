/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/fw_cfg.h"

#include <string.h>

#include "core/error.h"
#include "core/log.h"

#define PORT_SELECTOR 0x510 /* 16 bits; the data port is its upper half */
#define PORT_DMA 0x514      /* 64 bits, big-endian */

enum {
    ID_TRADITIONAL = 1,
    ID_DMA = 2,

    DMA_ERROR = 0x01,
    DMA_READ = 0x02,
    DMA_SKIP = 0x04,
    DMA_SELECT = 0x08, /* the key is in the upper half */
    DMA_WRITE = 0x10,
};

/* In guest memory, big-endian. */
struct dma_access {
    uint32_t control;
    uint32_t length;
    uint64_t address;
};

/* An entry of FW_CFG_FILE_DIR, big-endian; a count of 32 bits stands before the first. */
struct dir_entry {
    uint32_t size;
    uint16_t key;
    uint16_t reserved;
    char name[FW_CFG_MAX_FILE_NAME + 1];
};

G_STATIC_ASSERT(sizeof(struct dma_access) == 16);
G_STATIC_ASSERT(sizeof(struct dir_entry) == 64);

struct fw_cfg {
    struct device device;
    struct board *board;
    struct region port_region, dma_region;
    GHashTable *items; /* key -> GBytes */
    GArray *files;     /* struct dir_entry, by name */

    uint16_t selected;
    uint64_t offset; /* into the selected item, never past its end */

    uint32_t dma_high; /* the first half of a DMA address */
    /* A read that goes on: its control word is at dma_control; 0 left: none. */
    uint64_t dma_control, dma_address;
    uint32_t dma_left;
    struct vm_timer dma_timer;
};

static void select_item(struct fw_cfg *f, uint16_t key)
{
    f->selected = key;
    f->offset = 0;
}

/* What is left of the selected item; *ret_size is 0 at its end, or when there is no such item. */
static const uint8_t *rest_of_item(const struct fw_cfg *f, uint64_t *ret_size)
{
    GBytes *item = g_hash_table_lookup(f->items, GUINT_TO_POINTER(f->selected));
    gsize size = 0;
    const uint8_t *data = item != NULL ? g_bytes_get_data(item, &size) : NULL;

    *ret_size = size > f->offset ? size - f->offset : 0;
    return *ret_size > 0 ? data + f->offset : NULL;
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    struct fw_cfg *f = opaque;
    uint64_t left;
    const uint8_t *data = rest_of_item(f, &left);

    if (offset != 1 || left == 0)
        return 0;
    f->offset++;
    return data[0];
}

static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    if (offset == 0 && size == 2)
        select_item(opaque, value);
}

static const struct region_ops port_ops = {port_read, port_write, .max_access = 2};

static bool fill_zero(struct memory_map *map, uint64_t gpa, uint64_t size)
{
    static const uint8_t zeros[4096];

    while (size > 0) {
        size_t part = MIN(size, sizeof(zeros));

        if (!guest_memory_write(map, gpa, zeros, part))
            return false;
        gpa += part;
        size -= part;
    }
    return true;
}

static void end_dma(struct fw_cfg *f, uint64_t control_address, uint32_t result)
{
    uint32_t control = GUINT32_TO_BE(result);

    guest_memory_write(f->board->memory, control_address, &control, sizeof(control));
}

/* Moves one slice of the read in progress; behind the item's end come zeros. */
static bool read_slice(struct fw_cfg *f)
{
    uint64_t size = MIN(f->dma_left, FW_CFG_DMA_SLICE), left, from_item;
    const uint8_t *data = rest_of_item(f, &left);

    from_item = MIN(size, left);
    if (from_item > 0 && !guest_memory_write(f->board->memory, f->dma_address, data, from_item))
        return false;
    if (!fill_zero(f->board->memory, f->dma_address + from_item, size - from_item))
        return false;
    f->offset += from_item;
    f->dma_address += size;
    f->dma_left -= size;
    return true;
}

static void continue_read(void *opaque)
{
    struct fw_cfg *f = opaque;

    if (!read_slice(f)) {
        log_guest("fw_cfg", "DMA to 0x%" G_GINT64_MODIFIER "x, which is not RAM", f->dma_address);
        f->dma_left = 0;
        end_dma(f, f->dma_control, DMA_ERROR);
    } else if (f->dma_left > 0) {
        vm_timer_set(&f->dma_timer, clock_now(f->board->clock));
    } else {
        end_dma(f, f->dma_control, 0);
    }
}

static void skip(struct fw_cfg *f, uint32_t length)
{
    uint64_t left;

    rest_of_item(f, &left);
    f->offset += MIN(length, left);
}

static void start_dma(struct fw_cfg *f, uint64_t control_address)
{
    struct dma_access access;
    uint32_t control, length;
    uint64_t address;

    if (!guest_memory_read(f->board->memory, control_address, &access, sizeof(access))) {
        log_guest("fw_cfg", "DMA descriptor at 0x%" G_GINT64_MODIFIER "x, which is not RAM",
                  control_address);
        return;
    }
    control = GUINT32_FROM_BE(access.control);
    length = GUINT32_FROM_BE(access.length);
    address = GUINT64_FROM_BE(access.address);
    if (f->dma_left > 0) {
        end_dma(f, control_address, DMA_ERROR);
        return;
    }
    if (control & DMA_SELECT)
        select_item(f, control >> 16);
    if ((control & DMA_READ) && length > 0 && address + length >= address) {
        f->dma_control = control_address;
        f->dma_address = address;
        f->dma_left = length;
        continue_read(f);
        return;
    }
    if ((control & (DMA_READ | DMA_WRITE)) && length > 0) {
        end_dma(f, control_address, DMA_ERROR); /* it wraps, or would write an item */
        return;
    }
    if (control & DMA_SKIP)
        skip(f, length);
    end_dma(f, control_address, 0);
}

static uint64_t dma_read(void *opaque, uint64_t offset, unsigned size)
{
    static const char signature[] = "QEMU CFG";
    uint64_t value = 0;

    memcpy(&value, signature + offset, size);
    return GUINT64_FROM_LE(value);
}

static void dma_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct fw_cfg *f = opaque;

    if (size != 4)
        return;
    if (offset == 0) {
        f->dma_high = GUINT32_SWAP_LE_BE((uint32_t)value);
    } else if (offset == 4) {
        uint64_t address = (uint64_t)f->dma_high << 32 | GUINT32_SWAP_LE_BE((uint32_t)value);

        f->dma_high = 0;
        start_dma(f, address);
    }
}

static const struct region_ops dma_ops = {dma_read, dma_write, .max_access = 4};

static void fw_cfg_reset(struct device *device)
{
    struct fw_cfg *f = (struct fw_cfg *)device;

    select_item(f, FW_CFG_SIGNATURE);
    f->dma_high = 0;
    f->dma_left = 0;
    vm_timer_cancel(&f->dma_timer);
}

static void fw_cfg_destroy(struct device *device)
{
    struct fw_cfg *f = (struct fw_cfg *)device;

    vm_timer_cancel(&f->dma_timer);
    pio_bus_remove(f->board->pio, &f->port_region);
    pio_bus_remove(f->board->pio, &f->dma_region);
    g_hash_table_unref(f->items);
    g_array_unref(f->files);
    g_free(f);
}

static const struct device_class fw_cfg_class = {"fw_cfg", fw_cfg_reset, fw_cfg_destroy};

void fw_cfg_add(struct fw_cfg *f, uint16_t key, GBytes *bytes)
{
    g_hash_table_insert(f->items, GUINT_TO_POINTER(key), g_bytes_ref(bytes));
}

static void add_copy(struct fw_cfg *f, uint16_t key, const void *bytes, size_t size)
{
    g_hash_table_insert(f->items, GUINT_TO_POINTER(key), g_bytes_new(bytes, size));
}

void fw_cfg_add_u16(struct fw_cfg *f, uint16_t key, uint16_t value)
{
    value = GUINT16_TO_LE(value);
    add_copy(f, key, &value, sizeof(value));
}

void fw_cfg_add_u32(struct fw_cfg *f, uint16_t key, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    add_copy(f, key, &value, sizeof(value));
}

void fw_cfg_add_u64(struct fw_cfg *f, uint16_t key, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    add_copy(f, key, &value, sizeof(value));
}

static void publish_directory(struct fw_cfg *f)
{
    uint32_t count = GUINT32_TO_BE(f->files->len);
    GByteArray *directory = g_byte_array_new();

    g_byte_array_append(directory, (const uint8_t *)&count, sizeof(count));
    g_byte_array_append(directory, (const uint8_t *)f->files->data,
                        f->files->len * sizeof(struct dir_entry));
    g_hash_table_insert(f->items, GUINT_TO_POINTER(FW_CFG_FILE_DIR),
                        g_byte_array_free_to_bytes(directory));
}

bool fw_cfg_add_file(struct fw_cfg *f, const char *name, GBytes *bytes, GError **err)
{
    uint16_t key = FW_CFG_FILE_FIRST + f->files->len;
    struct dir_entry entry = {.size = GUINT32_TO_BE((uint32_t)g_bytes_get_size(bytes)),
                              .key = GUINT16_TO_BE(key)};
    guint at = 0;

    if (name[0] == '\0' || strlen(name) > FW_CFG_MAX_FILE_NAME)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The firmware file name \"%s\" must have 1 to %d characters.", name,
                           FW_CFG_MAX_FILE_NAME);
    if (g_bytes_get_size(bytes) > FW_CFG_MAX_ITEM || f->files->len == FW_CFG_MAX_FILES)
        return vmdesk_fail(err, VMDESK_ERROR_NO_SPACE,
                           "The firmware file \"%s\" does not fit: there may be %d files of less "
                           "than 4 GiB each.",
                           name, FW_CFG_MAX_FILES);
    while (at < f->files->len &&
           strcmp(g_array_index(f->files, struct dir_entry, at).name, name) < 0)
        at++;
    if (at < f->files->len && strcmp(g_array_index(f->files, struct dir_entry, at).name, name) == 0)
        return vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                           "The firmware file \"%s\" is there already: give each file its own "
                           "name.",
                           name);
    strcpy(entry.name, name);
    g_array_insert_val(f->files, at, entry);
    fw_cfg_add(f, key, bytes);
    publish_directory(f);
    return true;
}

struct fw_cfg *fw_cfg_new(struct board *board)
{
    struct fw_cfg *f = g_new0(struct fw_cfg, 1);

    f->device = (struct device){&fw_cfg_class, "fw_cfg"};
    f->board = board;
    f->items = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_bytes_unref);
    f->files = g_array_new(FALSE, FALSE, sizeof(struct dir_entry));
    f->port_region = (struct region){.name = "fw_cfg", .size = 2, .ops = &port_ops, .opaque = f};
    f->dma_region = (struct region){.name = "fw_cfg DMA", .size = 8, .ops = &dma_ops, .opaque = f};
    vm_timer_init(&f->dma_timer, board->clock, continue_read, f);
    add_copy(f, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_u32(f, FW_CFG_ID, ID_TRADITIONAL | ID_DMA);
    publish_directory(f);
    g_warn_if_fail(pio_bus_add(board->pio, &f->port_region, PORT_SELECTOR));
    g_warn_if_fail(pio_bus_add(board->pio, &f->dma_region, PORT_DMA));
    board_add_device(board, &f->device);
    return f;
}
