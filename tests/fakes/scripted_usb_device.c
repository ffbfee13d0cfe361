/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/scripted_usb_device.h"

static struct scripted_device *to_scripted(struct usb_device *device)
{
    return (struct scripted_device *)device;
}

static bool is_in(const struct usb_request *request)
{
    return request->endpoint == 0 ? request->setup.request_type & USB_DIR_IN
                                  : request->endpoint & USB_DIR_IN;
}

/* Moves the data; with the lock. Says how much that was. */
static uint32_t move(struct scripted_device *s, struct usb_request *request, uint32_t size)
{
    g_autofree uint8_t *data = NULL;

    size = MIN(size, request->length);
    data = g_malloc0(size + 1);
    if (is_in(request)) {
        for (uint32_t i = 0; i < size; i++)
            data[i] = i;
        return usb_request_copy_in(request, 0, data, size);
    }
    size = usb_request_copy_out(request, 0, data, size);
    g_byte_array_append(s->received, data, size);
    return size;
}

static enum usb_submitted submit(struct usb_device *device, struct usb_request *request)
{
    struct scripted_device *s = to_scripted(device);
    bool hold;

    g_mutex_lock(&s->lock);
    s->submits++;
    s->setup = request->setup;
    s->endpoint = request->endpoint;
    s->stream = request->stream;
    hold = s->hold && request->endpoint != 0;
    if (hold) {
        g_queue_push_tail_link(&s->waiting, &request->link);
    } else {
        request->actual = move(s, request, s->most);
        request->status = s->status;
    }
    g_mutex_unlock(&s->lock);
    return hold ? USB_SUBMIT_PENDING : USB_SUBMIT_DONE;
}

static bool cancel(struct usb_device *device, struct usb_request *request)
{
    struct scripted_device *s = to_scripted(device);
    bool out = false;

    g_mutex_lock(&s->lock);
    s->cancels++;
    for (GList *l = s->waiting.head; l != NULL && !s->stubborn && !out; l = l->next)
        out = l->data == request;
    if (out) {
        g_queue_unlink(&s->waiting, &request->link);
        request->status = USB_CANCELLED;
        request->actual = move(s, request, MIN(s->most, request->length / 2));
    }
    g_mutex_unlock(&s->lock);
    return out;
}

static void reset(struct usb_device *device)
{
    to_scripted(device)->resets++;
}

static void clear_halt(struct usb_device *device, uint8_t endpoint)
{
    to_scripted(device)->clear_halts++;
}

static bool set_streams(struct usb_device *device, uint8_t endpoint, unsigned count)
{
    struct scripted_device *s = to_scripted(device);

    s->streams = count;
    return !s->no_streams;
}

static struct usb_port *hub_port(struct usb_device *device, unsigned number)
{
    struct scripted_device *s = to_scripted(device);

    return number >= 1 && number <= s->port_count ? &s->ports[number - 1] : NULL;
}

static void scripted_free(struct usb_device *device)
{
    struct scripted_device *s = to_scripted(device);

    if (s->freed != NULL)
        *s->freed = true;
    g_byte_array_unref(s->received);
    g_mutex_clear(&s->lock);
    g_free(s);
}

static const struct usb_device_ops ops = {
    .name = "scripted",
    .submit = submit,
    .cancel = cancel,
    .reset = reset,
    .clear_halt = clear_halt,
    .set_streams = set_streams,
    .port = hub_port,
    .free = scripted_free,
};

struct scripted_device *scripted_new(unsigned speeds)
{
    struct scripted_device *s = g_new0(struct scripted_device, 1);

    usb_device_init(&s->device, &ops, "scripted", speeds);
    g_mutex_init(&s->lock);
    s->received = g_byte_array_new();
    s->most = UINT32_MAX - 1;
    return s;
}

bool scripted_answer(struct scripted_device *s, enum usb_status status, uint32_t actual)
{
    struct usb_request *request;
    GList *link;

    g_mutex_lock(&s->lock);
    link = g_queue_pop_head_link(&s->waiting);
    request = link != NULL ? link->data : NULL;
    if (request != NULL)
        actual = move(s, request, actual);
    g_mutex_unlock(&s->lock);
    if (request != NULL)
        usb_request_complete(request, status, actual);
    return request != NULL;
}

unsigned scripted_waiting(struct scripted_device *s)
{
    unsigned count;

    g_mutex_lock(&s->lock);
    count = s->waiting.length;
    g_mutex_unlock(&s->lock);
    return count;
}
