/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fuzz/usb_input.h"

#include <stdlib.h>
#include <string.h>

uint64_t take(struct input *in, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size && in->left > 0; i++, in->left--)
        value |= (uint64_t)*in->data++ << 8 * i;
    return value;
}

void take_bytes(struct input *in, void *buffer, size_t size)
{
    size_t now = MIN(size, in->left);

    memset(buffer, 0, size);
    if (now > 0)
        memcpy(buffer, in->data, now);
    in->data += now;
    in->left -= now;
}

void run_loop(struct usb_harness *h)
{
    for (unsigned i = 0; i < 16 && g_main_context_iteration(h->context, FALSE); i++)
        ;
}

void flights_init(struct flights *f, struct usb_harness *h, struct memory_file *file)
{
    *f = (struct flights){.h = h, .file = file};
}

void land(struct flights *f, unsigned n)
{
    struct flight *flight = &f->all[n % FLIGHTS];

    if (flight->memory == NULL)
        return;
    if (f->file != NULL)
        memory_file_release(f->file);
    harness_cancel(&flight->r);
    if (g_atomic_int_get(&flight->r.done) > 1 ||
        flight->r.request.actual > flight->r.request.length)
        abort();
    free(flight->memory);
    flight->memory = NULL;
}

void flights_finish(struct flights *f)
{
    for (unsigned i = 0; i < FLIGHTS; i++)
        land(f, i);
}

void fly(struct flights *f, uint8_t endpoint, uint16_t stream, const struct usb_setup *setup,
         const void *data, size_t data_size, uint32_t size, unsigned parts)
{
    struct flight *flight = &f->all[f->next % FLIGHTS];

    land(f, f->next++);
    size = MIN(size, FLIGHT_MAX);
    flight->memory = malloc(MAX(size, 1));
    memset(flight->memory, 0x5a, size);
    if (data_size > 0)
        memcpy(flight->memory, data, MIN(size, data_size));
    harness_prepare(f->h, &flight->r, endpoint, flight->memory, size,
                    size > 0 ? 1 + parts % HARNESS_MAX_PARTS : 0);
    flight->r.request.stream = stream;
    if (setup != NULL)
        flight->r.request.setup = *setup;
    harness_submit(&flight->r);
}
