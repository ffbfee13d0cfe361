/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/debugcon.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"

#define PROBE_VALUE 0xe9
#define MAX_LINE 1024

struct debugcon {
    struct device device;
    struct board *board;
    struct region region;
    int fd;           /* -1: characters go nowhere */
    GThread *writer;  /* with fd */
    GByteArray *line; /* not handed over yet; the board's lock */

    GMutex lock; /* what follows */
    GCond wake;
    GByteArray *pending;
    uint64_t dropped; /* bytes that did not fit into pending */
    bool stop;
};

/* False: the file takes no more. */
static bool write_all(struct debugcon *d, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    while (size > 0) {
        ssize_t n = write(d->fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            log_error("debugcon",
                      "The debug console's file cannot be written: %s. What the "
                      "firmware writes from here on is lost.",
                      g_strerror(errno));
            return false;
        }
        at += n;
        size -= n;
    }
    return true;
}

/* Writes what there is of the file's allowance; *room is what remains of it. */
static bool write_bounded(struct debugcon *d, GByteArray *bytes, uint64_t dropped, size_t *room)
{
    size_t size = MIN(bytes->len, *room);
    g_autofree char *notice = NULL;

    if (!write_all(d, bytes->data, size))
        return false;
    *room -= size;
    if (*room == 0)
        notice = g_strdup_printf("\n[%d MiB written: the rest is left out]\n",
                                 DEBUGCON_MAX_FILE / (1024 * 1024));
    else if (dropped > 0)
        notice = g_strdup_printf("\n[%" G_GUINT64_FORMAT
                                 " bytes left out: they came faster than the disk takes them]\n",
                                 dropped);
    return (notice == NULL || write_all(d, notice, strlen(notice))) && *room > 0;
}

static gpointer run_writer(gpointer data)
{
    struct debugcon *d = data;
    size_t room = DEBUGCON_MAX_FILE;
    bool more = true;

    g_mutex_lock(&d->lock);
    for (;;) {
        GByteArray *bytes;
        uint64_t dropped;

        while (d->pending->len == 0 && !d->stop)
            g_cond_wait(&d->wake, &d->lock);
        if (d->pending->len == 0)
            break;
        bytes = d->pending;
        dropped = d->dropped;
        d->pending = g_byte_array_new();
        d->dropped = 0;
        g_mutex_unlock(&d->lock);
        more = more && write_bounded(d, bytes, dropped, &room);
        g_byte_array_unref(bytes);
        g_mutex_lock(&d->lock);
    }
    g_mutex_unlock(&d->lock);
    return NULL;
}

static void hand_over_line(struct debugcon *d)
{
    g_mutex_lock(&d->lock);
    if (d->pending->len + d->line->len <= DEBUGCON_MAX_PENDING)
        g_byte_array_append(d->pending, d->line->data, d->line->len);
    else
        d->dropped += d->line->len;
    g_cond_signal(&d->wake);
    g_mutex_unlock(&d->lock);
    g_byte_array_set_size(d->line, 0);
}

static uint64_t debugcon_read(void *opaque, uint64_t offset, unsigned size)
{
    return PROBE_VALUE;
}

static void debugcon_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct debugcon *d = opaque;
    uint8_t byte = value;

    if (d->fd < 0)
        return;
    g_byte_array_append(d->line, &byte, 1);
    if (byte == '\n' || d->line->len == MAX_LINE)
        hand_over_line(d);
}

static const struct region_ops debugcon_ops = {debugcon_read, debugcon_write, .max_access = 1};

static void debugcon_free(struct debugcon *d)
{
    if (d->writer != NULL) {
        hand_over_line(d);
        g_mutex_lock(&d->lock);
        d->stop = true;
        g_cond_signal(&d->wake);
        g_mutex_unlock(&d->lock);
        g_thread_join(d->writer);
    }
    if (d->fd >= 0)
        close(d->fd);
    g_byte_array_unref(d->line);
    g_byte_array_unref(d->pending);
    g_cond_clear(&d->wake);
    g_mutex_clear(&d->lock);
    g_free(d);
}

static void debugcon_destroy(struct device *device)
{
    struct debugcon *d = (struct debugcon *)device;

    pio_bus_remove(d->board->pio, &d->region);
    debugcon_free(d);
}

static const struct device_class debugcon_class = {"debugcon", NULL, debugcon_destroy};

static bool open_file(struct debugcon *d, const char *file, GError **err)
{
    /* Without O_NONBLOCK a FIFO would keep the engine waiting for its reader. */
    d->fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (d->fd < 0)
        return vmdesk_error_from_errno(err, errno, "Choose another file for the debug console",
                                       "The debug console's file \"%s\" cannot be opened", file);
    d->writer = g_thread_try_new("debugcon", run_writer, d, err);
    return d->writer != NULL;
}

struct debugcon *debugcon_new(struct board *board, uint16_t port, const char *file, GError **err)
{
    struct debugcon *d = g_new0(struct debugcon, 1);

    d->device = (struct device){&debugcon_class, "debugcon"};
    d->board = board;
    d->region = (struct region){.name = "debugcon", .size = 1, .ops = &debugcon_ops, .opaque = d};
    d->fd = -1;
    d->line = g_byte_array_new();
    d->pending = g_byte_array_new();
    g_mutex_init(&d->lock);
    g_cond_init(&d->wake);
    if (file != NULL && !open_file(d, file, err)) {
        debugcon_free(d);
        return NULL;
    }
    if (!pio_bus_add(board->pio, &d->region, port)) {
        vmdesk_fail(err, VMDESK_ERROR_BUSY,
                    "The debug console's port 0x%x is taken by another device of the machine. "
                    "Choose another port.",
                    port);
        debugcon_free(d);
        return NULL;
    }
    board_add_device(board, &d->device);
    return d;
}
