/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a PS/2 device has still to send: a ring of bytes, zeroed when empty. */
#ifndef ENGINE_DEV_PS2_QUEUE_H
#define ENGINE_DEV_PS2_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS2_QUEUE_SIZE 256

struct ps2_queue {
    uint8_t bytes[PS2_QUEUE_SIZE];
    unsigned first, count;
};

static inline unsigned ps2_queue_room(const struct ps2_queue *queue)
{
    return PS2_QUEUE_SIZE - queue->count;
}

/* All of the bytes or, without room, none. */
static inline bool ps2_queue_push(struct ps2_queue *queue, const uint8_t *bytes, size_t size)
{
    if (size > ps2_queue_room(queue))
        return false;
    for (size_t i = 0; i < size; i++)
        queue->bytes[(queue->first + queue->count++) % PS2_QUEUE_SIZE] = bytes[i];
    return true;
}

static inline bool ps2_queue_pop(struct ps2_queue *queue, uint8_t *ret_byte)
{
    if (queue->count == 0)
        return false;
    *ret_byte = queue->bytes[queue->first];
    queue->first = (queue->first + 1) % PS2_QUEUE_SIZE;
    queue->count--;
    return true;
}

static inline void ps2_queue_clear(struct ps2_queue *queue)
{
    queue->count = 0;
}

#endif
