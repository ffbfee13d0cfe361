/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/usb/host_fixture.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SCRIPT_BYTES 512
#define CLOSE_MS 10000

static struct {
    struct usb_host_context *context;
    struct usb_device *device;
    bool ready, gone;
    GError *error;
    GMutex lock;
    GCond changed;
} fixture;

/* A file, or the socket of a computer that cannot have one. */
static int open_script(int flags)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("USB_SCRIPT");
    int fd;

    if (path == NULL)
        return open(SCRIPT, flags | O_CLOEXEC);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

bool has_script(void)
{
    return getenv("USB_SCRIPT") != NULL || access(SCRIPT, W_OK) == 0;
}

void script(const char *line)
{
    int fd = open_script(O_WRONLY);
    char text[SCRIPT_BYTES];

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, line, strlen(line)), (ssize_t)strlen(line));
    if (getenv("USB_SCRIPT") != NULL)
        ck_assert_int_gt(read(fd, text, sizeof(text)), 0); /* it has played it */
    close(fd);
}

int script_state(const char *name)
{
    g_autofree char *key = g_strconcat(name, "=", NULL);
    char text[SCRIPT_BYTES] = "";
    int fd = open_script(O_RDONLY);
    const char *found;

    ck_assert_int_ge(fd, 0);
    if (getenv("USB_SCRIPT") != NULL)
        ck_assert_int_eq(write(fd, "?", 1), 1);
    ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
    close(fd);
    found = strstr(text, key);
    ck_assert_ptr_nonnull(found);
    return atoi(found + strlen(key));
}

static void on_ready(void *opaque, const GError *error)
{
    fixture.ready = true;
    fixture.error = error != NULL ? g_error_copy(error) : NULL;
}

static void on_gone(void *opaque)
{
    ck_assert(fixture.ready && !fixture.gone);
    fixture.gone = true;
}

void begin_open_device(void)
{
    g_autofree char *path = g_strdup_printf("/dev/bus/usb/001/%03d", script_state("address"));
    struct host_device_options options = {
        .id = "usb-1-2",
        .port = "1-2",
        .speed = USB_SPEED_HIGH,
        .ready = on_ready,
        .gone = on_gone,
    };
    GError *error = NULL;

    fixture.ready = fixture.gone = false;
    g_clear_error(&fixture.error);
    fixture.context = usb_host_context_new(&error);
    ck_assert_ptr_nonnull(fixture.context);
    options.context = fixture.context;
    options.fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(options.fd, 0);
    fixture.device = host_device_new(&options);
}

struct usb_device *finish_open_device(void)
{
    while (!fixture.ready)
        g_main_context_iteration(NULL, TRUE);
    return fixture.error == NULL ? fixture.device : NULL;
}

struct usb_device *try_open_device(void)
{
    begin_open_device();
    return finish_open_device();
}

struct usb_device *open_device(void)
{
    struct usb_device *device = try_open_device();

    ck_assert_msg(device != NULL, "%s", device == NULL ? fixture.error->message : "");
    return device;
}

const GError *open_error(void)
{
    return fixture.error;
}

void wait_until_gone(void)
{
    while (!fixture.gone)
        g_main_context_iteration(NULL, TRUE);
}

void close_device(void)
{
    host_device_release(fixture.device);
    usb_host_context_free(fixture.context);
    /* The computer hears of it a little later. */
    for (unsigned i = 0; i < CLOSE_MS && script_state("files") > 0; i++)
        g_usleep(1000);
    ck_assert_int_eq(script_state("files"), 0);
    g_clear_error(&fixture.error);
}

static void on_done(struct usb_request *request)
{
    struct call *call = request->opaque;

    g_mutex_lock(&fixture.lock);
    ck_assert(!call->done);
    call->done = true;
    g_cond_broadcast(&fixture.changed);
    g_mutex_unlock(&fixture.lock);
}

static void prepare(struct call *call, uint8_t endpoint, void *data, uint32_t size, unsigned parts)
{
    *call = (struct call){
        .request = {.endpoint = endpoint, .length = size, .done = on_done, .opaque = call},
    };
    call->request.iov = call->parts;
    if (size == 0)
        return;
    call->request.iov_count = parts;
    for (unsigned i = 0; i < parts; i++) {
        size_t from = (size_t)size * i / parts, to = (size_t)size * (i + 1) / parts;

        call->parts[i] = (struct iovec){(uint8_t *)data + from, to - from};
    }
}

enum usb_submitted call_start(struct call *call, uint8_t endpoint, void *data, uint32_t size,
                              unsigned parts)
{
    prepare(call, endpoint, data, size, parts);
    return usb_device_submit(fixture.device, &call->request);
}

enum usb_submitted call_start_stream(struct call *call, uint8_t endpoint, uint16_t stream,
                                     void *data, uint32_t size)
{
    prepare(call, endpoint, data, size, 1);
    call->request.stream = stream;
    return usb_device_submit(fixture.device, &call->request);
}

enum usb_status call_wait(struct call *call)
{
    g_mutex_lock(&fixture.lock);
    while (!call->done)
        g_cond_wait(&fixture.changed, &fixture.lock);
    g_mutex_unlock(&fixture.lock);
    return call->request.status;
}

enum usb_status transfer(uint8_t endpoint, void *data, uint32_t size, unsigned parts,
                         uint32_t *ret_actual)
{
    struct call call;

    if (call_start(&call, endpoint, data, size, parts) == USB_SUBMIT_PENDING)
        call_wait(&call);
    *ret_actual = call.request.actual;
    return call.request.status;
}

enum usb_status control(uint8_t type, uint8_t request, uint16_t value, uint16_t index, void *data,
                        uint16_t size, uint32_t *ret_actual)
{
    struct call call;

    prepare(&call, 0, data, size, 1);
    call.request.setup = (struct usb_setup){type, request, value, index, size};
    if (usb_device_submit(fixture.device, &call.request) == USB_SUBMIT_PENDING)
        call_wait(&call);
    *ret_actual = call.request.actual;
    return call.request.status;
}

uint32_t disk_command(const uint8_t command[16], bool in, void *data, uint32_t size, unsigned parts)
{
    uint8_t block[31] = {0x55, 0x53, 0x42, 0x43, 1, 2, 3, 4}, status[13];
    uint32_t actual, moved = 0;

    for (unsigned i = 0; i < 4; i++)
        block[8 + i] = size >> (8 * i);
    block[12] = in ? 0x80 : 0;
    block[14] = 16;
    memcpy(block + 15, command, 16);
    ck_assert_int_eq(transfer(0x02, block, sizeof(block), 1, &actual), USB_OK);
    if (size > 0)
        ck_assert_int_eq(transfer(in ? 0x81 : 0x02, data, size, parts, &moved), USB_OK);
    ck_assert_int_eq(transfer(0x81, status, sizeof(status), 1, &actual), USB_OK);
    ck_assert_uint_eq(actual, sizeof(status));
    ck_assert_int_eq(memcmp(status + 4, block + 4, 4), 0);
    ck_assert_uint_eq(status[12], 0);
    return moved;
}
