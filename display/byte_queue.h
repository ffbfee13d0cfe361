/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes waiting to be written: added at the end, taken from the front. */
#ifndef DISPLAY_BYTE_QUEUE_H
#define DISPLAY_BYTE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty queue. */
struct byte_queue {
    uint8_t *data;
    size_t start, length, allocated;
};

void byte_queue_finish(struct byte_queue *queue);
/* Room for size bytes at the end, to be filled and then committed; NULL: no memory. */
uint8_t *byte_queue_reserve(struct byte_queue *queue, size_t size);
void byte_queue_commit(struct byte_queue *queue, size_t size);
bool byte_queue_add(struct byte_queue *queue, const void *data, size_t size);
/* size is at most length. An empty queue gives large memory back. */
void byte_queue_consume(struct byte_queue *queue, size_t size);

static inline const uint8_t *byte_queue_front(const struct byte_queue *queue)
{
    return queue->data + queue->start;
}

#endif
