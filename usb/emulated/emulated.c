/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/emulated/emulated.h"

#include "usb/emulated/wake.h"

/* Where a pending request is: request->device_private is its queue, or NULL when it was taken. */

static struct usb_emulated *to_emulated(struct usb_device *device)
{
    return (struct usb_emulated *)device;
}

static void run_on_loop(struct usb_device *device);

void usb_emulated_init(struct usb_emulated *usb, const struct usb_device_ops *device_ops,
                       const struct usb_emulated_ops *ops,
                       const struct usb_description *description, GMainContext *context,
                       const char *id, const char *serial, unsigned speeds)
{
    usb_device_init(&usb->device, device_ops, id, speeds);
    usb->ops = ops;
    g_mutex_init(&usb->lock);
    g_cond_init(&usb->left);
    usb_standard_init(&usb->standard, description, serial);
    for (unsigned i = 0; i < USB_ENDPOINTS; i++)
        g_queue_init(&usb->waiting[i]);
    g_queue_init(&usb->finished);
    usb->timer = -1;
    usb->wake = usb_wake_new(context, &usb->device, run_on_loop);
}

void usb_emulated_finish(struct usb_emulated *usb)
{
    g_mutex_lock(&usb->lock);
    while (usb->users > 0)
        g_cond_wait(&usb->left, &usb->lock);
    g_mutex_unlock(&usb->lock);
    usb_wake_free(usb->wake);
    usb_standard_finish(&usb->standard);
    g_cond_clear(&usb->left);
    g_mutex_clear(&usb->lock);
}

static void push(GQueue *queue, struct usb_request *request)
{
    g_queue_push_tail_link(queue, &request->link);
    request->device_private = queue;
}

static struct usb_request *pop(GQueue *queue)
{
    struct usb_request *request = g_queue_pop_head_link(queue)->data;

    request->device_private = NULL;
    return request;
}

static void unqueue(struct usb_request *request)
{
    if (request->device_private != NULL)
        g_queue_unlink(request->device_private, &request->link);
    request->device_private = NULL;
}

/* Handing back. One thread does it at a time, so that the requests of an endpoint come back in
 * their order. */

static void deliver(struct usb_emulated *usb)
{
    if (usb->delivering)
        return;
    usb->delivering = true;
    while (!g_queue_is_empty(&usb->finished)) {
        struct usb_request *request = pop(&usb->finished);

        usb->delivering_endpoint = request->endpoint;
        usb->delivering_stream = request->stream;
        g_mutex_unlock(&usb->lock);
        usb_request_complete(request, request->status, request->actual);
        g_mutex_lock(&usb->lock);
    }
    usb->delivering = false;
}

static void set_wake(struct usb_emulated *usb)
{
    gint64 when = usb->wake_asked ? 0 : usb->timer;

    usb_wake_at(usb->wake, when);
}

static void ask_wake(struct usb_emulated *usb)
{
    usb->wake_asked = true;
    set_wake(usb);
}

/* The end of an op: what it has finished is for the main loop to hand back. */
static void unlock_op(struct usb_emulated *usb)
{
    if (!g_queue_is_empty(&usb->finished) && !usb->delivering && !usb->wake_asked)
        ask_wake(usb);
    g_mutex_unlock(&usb->lock);
}

void usb_emulated_hold(struct usb_emulated *usb)
{
    usb->users++;
}

void usb_emulated_release(struct usb_emulated *usb)
{
    usb->users--;
    if (usb->users == 0)
        g_cond_signal(&usb->left);
}

void usb_emulated_lock(struct usb_emulated *usb)
{
    g_mutex_lock(&usb->lock);
    usb_emulated_hold(usb);
}

/* Who hears of a request's end may free the device, but not before this is over. */
void usb_emulated_unlock(struct usb_emulated *usb)
{
    deliver(usb);
    usb_emulated_release(usb);
    g_mutex_unlock(&usb->lock);
}

static void run_on_loop(struct usb_device *device)
{
    struct usb_emulated *usb = to_emulated(device);
    struct usb_port *port = device->port;
    bool host_wanted, call_out;

    g_mutex_lock(&usb->lock);
    usb->wake_asked = false;
    if (usb->timer >= 0 && usb->timer <= g_get_monotonic_time()) {
        usb->timer = -1;
        usb->ops->timer(usb);
    }
    set_wake(usb);
    host_wanted = usb->host_wanted;
    call_out = usb->call_out;
    usb->host_wanted = usb->call_out = false;
    deliver(usb);
    g_mutex_unlock(&usb->lock);
    if (host_wanted && port != NULL)
        port->ops->wakeup(port);
    if (call_out)
        usb->ops->call_out(usb);
}

/* Requests. */

/* Whether an earlier request of the same endpoint and stream has not been handed back yet. */
static bool overtakes(struct usb_emulated *usb, const struct usb_request *request)
{
    if (usb->delivering && usb->delivering_endpoint == request->endpoint &&
        usb->delivering_stream == request->stream)
        return true;
    for (const GList *link = usb->finished.head; link != NULL; link = link->next) {
        const struct usb_request *other = link->data;

        if (other != request && other->endpoint == request->endpoint &&
            other->stream == request->stream)
            return true;
    }
    return false;
}

static void changed(struct usb_emulated *usb, enum usb_change change, uint8_t index)
{
    if (change != USB_CHANGE_NONE && usb->ops->changed != NULL)
        usb->ops->changed(usb, change, index);
}

static void control(struct usb_emulated *usb, struct usb_request *request)
{
    enum usb_change change = USB_CHANGE_NONE;
    uint8_t type = request->setup.request_type;

    usb_stall(request);
    if (request->length < request->setup.length)
        request->status = USB_ERROR;
    else if ((type & USB_TYPE_MASK) == USB_TYPE_STANDARD)
        usb_standard_request(&usb->standard, &usb->device, request, &change);
    if (request->status == USB_STALL && change == USB_CHANGE_NONE && usb->ops->control != NULL)
        usb->ops->control(usb, request);
    changed(usb, change, request->setup.index & 0xff);
}

enum usb_submitted usb_emulated_submit(struct usb_device *device, struct usb_request *request)
{
    struct usb_emulated *usb = to_emulated(device);
    enum usb_submitted result = USB_SUBMIT_DONE;

    g_mutex_lock(&usb->lock);
    if ((request->endpoint & ~USB_DIR_IN) == 0) {
        control(usb, request);
    } else if (usb_standard_endpoint(&usb->standard, request->endpoint) == NULL) {
        request->status = USB_ERROR;
    } else if (usb_standard_halted(&usb->standard, request->endpoint)) {
        request->status = USB_STALL;
    } else {
        push(&usb->waiting[usb_endpoint_index(request->endpoint)], request);
        usb_emulated_work(usb, request->endpoint);
        if (request->device_private == &usb->finished && !overtakes(usb, request))
            unqueue(request);
        else
            result = USB_SUBMIT_PENDING;
    }
    unlock_op(usb);
    return result;
}

bool usb_emulated_cancel(struct usb_device *device, struct usb_request *request)
{
    struct usb_emulated *usb = to_emulated(device);
    const GQueue *queue;

    g_mutex_lock(&usb->lock);
    queue = request->device_private;
    unqueue(request);
    if (queue != NULL && queue != &usb->finished) {
        request->status = USB_CANCELLED;
        if (usb->ops->cancelled != NULL)
            usb->ops->cancelled(usb, request->endpoint);
    }
    unlock_op(usb);
    return queue != NULL;
}

void usb_emulated_reset(struct usb_device *device)
{
    struct usb_emulated *usb = to_emulated(device);

    g_mutex_lock(&usb->lock);
    usb_standard_reset(&usb->standard);
    changed(usb, USB_CHANGE_CONFIGURATION, 0);
    unlock_op(usb);
}

bool usb_emulated_set_streams(struct usb_device *device, uint8_t endpoint, unsigned count)
{
    struct usb_emulated *usb = to_emulated(device);
    bool done = false;

    g_mutex_lock(&usb->lock);
    if (usb->ops->set_streams != NULL)
        done = usb->ops->set_streams(usb, endpoint, count);
    unlock_op(usb);
    return done;
}

/* For the device. */

struct usb_request *usb_emulated_first(struct usb_emulated *usb, uint8_t endpoint)
{
    return g_queue_peek_head(&usb->waiting[usb_endpoint_index(endpoint)]);
}

struct usb_request *usb_emulated_first_of(struct usb_emulated *usb, uint8_t endpoint,
                                          uint16_t stream)
{
    const GList *link = usb->waiting[usb_endpoint_index(endpoint)].head;

    for (; link != NULL; link = link->next) {
        struct usb_request *request = link->data;

        if (request->stream == stream)
            return request;
    }
    return NULL;
}

void usb_emulated_take(struct usb_emulated *usb, struct usb_request *request)
{
    unqueue(request);
}

void usb_emulated_end(struct usb_emulated *usb, struct usb_request *request, enum usb_status status,
                      uint32_t actual)
{
    unqueue(request);
    request->status = status;
    request->actual = actual;
    push(&usb->finished, request);
}

void usb_emulated_halt(struct usb_emulated *usb, uint8_t endpoint)
{
    struct usb_request *request = usb_emulated_first(usb, endpoint);

    usb->standard.halted |= 1u << usb_endpoint_index(endpoint);
    if (request != NULL)
        usb_emulated_end(usb, request, USB_STALL, 0);
}

void usb_emulated_work(struct usb_emulated *usb, uint8_t endpoint)
{
    if (usb->ops->work != NULL && usb_emulated_first(usb, endpoint) != NULL &&
        !usb_standard_halted(&usb->standard, endpoint) &&
        usb_standard_endpoint(&usb->standard, endpoint) != NULL)
        usb->ops->work(usb, endpoint);
}

bool usb_emulated_configured(const struct usb_emulated *usb)
{
    return usb->standard.state == USB_CONFIGURED;
}

void usb_emulated_set_timer(struct usb_emulated *usb, gint64 when)
{
    usb->timer = when;
    if (!usb->wake_asked)
        set_wake(usb);
}

bool usb_emulated_may_wake(const struct usb_emulated *usb)
{
    bool may = usb->standard.remote_wakeup;

    for (unsigned i = 0; i < USB_MAX_INTERFACES; i++)
        may = may || usb->standard.function_wake[i];
    return may;
}

void usb_emulated_wake_host(struct usb_emulated *usb)
{
    if (!usb_emulated_may_wake(usb))
        return;
    usb->host_wanted = true;
    ask_wake(usb);
}

void usb_emulated_call_out(struct usb_emulated *usb)
{
    usb->call_out = true;
    ask_wake(usb);
}
