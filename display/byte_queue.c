/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/byte_queue.h"

#include <glib.h>
#include <string.h>

#define KEEP_WHEN_EMPTY (64 * 1024)

void byte_queue_finish(struct byte_queue *q)
{
    g_free(q->data);
    memset(q, 0, sizeof(*q));
}

uint8_t *byte_queue_reserve(struct byte_queue *q, size_t size)
{
    if (q->allocated - q->start - q->length < size && q->start > 0) {
        memmove(q->data, q->data + q->start, q->length);
        q->start = 0;
    }
    if (q->allocated - q->length < size) {
        size_t wanted = q->length + MAX(size, q->length / 2);
        uint8_t *data = g_try_realloc(q->data, wanted);

        if (data == NULL)
            return NULL;
        q->data = data;
        q->allocated = wanted;
    }
    return q->data + q->start + q->length;
}

void byte_queue_commit(struct byte_queue *q, size_t size)
{
    q->length += size;
}

bool byte_queue_add(struct byte_queue *q, const void *data, size_t size)
{
    uint8_t *room = byte_queue_reserve(q, size);

    if (room == NULL)
        return false;
    memcpy(room, data, size);
    byte_queue_commit(q, size);
    return true;
}

void byte_queue_consume(struct byte_queue *q, size_t size)
{
    q->start += size;
    q->length -= size;
    if (q->length > 0)
        return;
    q->start = 0;
    if (q->allocated > KEEP_WHEN_EMPTY)
        byte_queue_finish(q);
}
