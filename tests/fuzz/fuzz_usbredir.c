/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes from who serves a USB device over the network, while requests of all kinds wait. */
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "usb/redir/redir.h"

#define REQUESTS 6

struct fuzz {
    bool ready, failed, gone;
    unsigned ended;
};

static void on_ready(void *opaque, const GError *error)
{
    struct fuzz *fuzz = opaque;

    g_assert_false(fuzz->ready);
    fuzz->ready = true;
    fuzz->failed = error != NULL;
}

static void on_gone(void *opaque)
{
    struct fuzz *fuzz = opaque;

    g_assert_true(fuzz->ready && !fuzz->failed && !fuzz->gone);
    fuzz->gone = true;
}

static void on_done(struct usb_request *request)
{
    ((struct fuzz *)request->opaque)->ended++;
    g_assert_cmpuint(request->actual, <=, request->length);
}

static void settle(GMainContext *context)
{
    while (g_main_context_iteration(context, FALSE))
        continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t endpoints[REQUESTS] = {0x00, 0x81, 0x02, 0x83, 0x84, 0x05};
    GMainContext *context = g_main_context_new();
    struct usb_request requests[REQUESTS] = {{0}};
    uint8_t memory[REQUESTS][64] = {{0}};
    struct iovec parts[REQUESTS];
    struct fuzz fuzz = {0};
    unsigned pending = 0;
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    const struct redir_device_options options = {
        .context = context,
        .id = "fuzz",
        .address = "fuzz",
        .fd = fds[0],
        .ready = on_ready,
        .gone = on_gone,
        .opaque = &fuzz,
    };
    struct usb_device *device = redir_device_new(&options);

    /* What describes it comes in the first half, answers in the second. */
    g_assert_cmpint(send(fds[1], data, size / 2, MSG_NOSIGNAL), >=, 0);
    settle(context);
    for (unsigned i = 0; i < REQUESTS; i++) {
        parts[i] = (struct iovec){memory[i], sizeof(memory[i])};
        requests[i] = (struct usb_request){
            .endpoint = endpoints[i],
            .setup = {.request_type = 0x80, .request = 6, .value = 0x0100, .length = 64},
            .iov = &parts[i],
            .iov_count = 1,
            .length = sizeof(memory[i]),
            .done = on_done,
            .opaque = &fuzz,
        };
        pending += usb_device_submit(device, &requests[i]) == USB_SUBMIT_PENDING;
    }
    settle(context);
    g_assert_cmpint(send(fds[1], data + size / 2, size - size / 2, MSG_NOSIGNAL), >=, -1);
    settle(context);
    if (size & 1 && usb_device_cancel(device, &requests[1]))
        fuzz.ended++;
    close(fds[1]);
    settle(context);
    redir_device_release(device);
    g_assert_cmpuint(fuzz.ended, ==, pending);
    g_main_context_unref(context);
    return 0;
}
