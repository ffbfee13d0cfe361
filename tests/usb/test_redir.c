/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device over usbredir, from a peer in a process of its own: redir_peer, or, with an argument, a
 * stock usbredirect, run by fuse_usbfs. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"
#include "usb/redir/connect.h"
#include "usb/redir/redir.h"

#define DATA_BYTES (256 * 1024)
#define STOCK_PORT "127.0.0.1:4321"
#define STOCK_TRIES 200 /* of 50 ms, until it listens */

static struct {
    bool stock; /* the peer is usbredirect */
    char *folder, *path;
    pid_t peer;
    struct usb_device *device;
    bool ready, gone;
    GError *error;
} fixture;

struct call {
    struct usb_request request;
    struct iovec part;
    bool done;
};

/* how: --as, it listens, or --to, it connects. */
static void start_stock(const char *how)
{
    fixture.peer = fork();
    if (fixture.peer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("usbredirect", "usbredirect", "--device", "1234:0001", how, STOCK_PORT, NULL);
        _exit(127);
    }
}

static void setup(void)
{
    int out[2];
    char byte;

    if (fixture.stock) {
        start_stock("--as");
        return;
    }
    fixture.folder = temp_folder_new();
    fixture.path = g_build_filename(fixture.folder, "peer.sock", NULL);
    ck_assert_int_eq(pipe(out), 0);
    fixture.peer = fork();
    if (fixture.peer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], STDOUT_FILENO);
        execl("tests/usb/redir_peer", "redir_peer", "unix", fixture.path, NULL);
        _exit(127);
    }
    ck_assert_int_eq(read(out[0], &byte, 1), 1);
    close(out[0]);
    close(out[1]);
}

static void kill_peer(void)
{
    if (fixture.peer == 0)
        return;
    kill(fixture.peer, SIGKILL);
    waitpid(fixture.peer, NULL, 0);
    fixture.peer = 0;
}

static void teardown(void)
{
    if (fixture.device != NULL)
        redir_device_release(fixture.device);
    kill_peer();
    g_clear_error(&fixture.error);
    g_free(fixture.path);
    if (fixture.folder != NULL)
        temp_folder_remove(fixture.folder);
}

static void on_ready(void *opaque, const GError *error)
{
    fixture.ready = true;
    fixture.error = error != NULL ? g_error_copy(error) : NULL;
}

static void on_gone(void *opaque)
{
    fixture.gone = true;
}

static void wait_for(const bool *flag)
{
    while (!*flag)
        g_main_context_iteration(NULL, TRUE);
}

static void serve(int fd)
{
    const struct redir_device_options options = {
        .id = "redir-1", .address = "peer", .fd = fd, .ready = on_ready, .gone = on_gone};

    fixture.device = redir_device_new(&options);
    wait_for(&fixture.ready);
}

static void on_connected(int fd, const GError *error, void *opaque)
{
    *(int *)opaque = error != NULL ? -2 : fd;
}

static int connect_to(const char *address)
{
    int fd = -1;

    ck_assert_ptr_nonnull(redir_connect_new(NULL, address, on_connected, &fd, NULL));
    while (fd == -1)
        g_main_context_iteration(NULL, TRUE);
    return fd;
}

static void open_device(void)
{
    g_autofree char *address =
        fixture.stock ? g_strdup("tcp:" STOCK_PORT) : g_strconcat("unix:", fixture.path, NULL);
    int fd = connect_to(address);

    for (unsigned i = 0; fixture.stock && fd < 0 && i < STOCK_TRIES; i++) {
        g_usleep(50 * 1000);
        fd = connect_to(address);
    }
    ck_assert_int_ge(fd, 0);
    serve(fd);
    ck_assert_ptr_null(fixture.error);
}

static void on_done(struct usb_request *request)
{
    struct call *call = request->opaque;

    ck_assert(!call->done);
    call->done = true;
}

static enum usb_submitted start_stream(struct call *call, uint8_t endpoint, uint16_t stream,
                                       void *data, uint32_t size)
{
    *call = (struct call){
        .request = {.endpoint = endpoint,
                    .stream = stream,
                    .length = size,
                    .done = on_done,
                    .opaque = call},
        .part = {data, size},
    };
    call->request.iov = &call->part;
    call->request.iov_count = size > 0;
    return usb_device_submit(fixture.device, &call->request);
}

static enum usb_submitted start(struct call *call, uint8_t endpoint, void *data, uint32_t size)
{
    return start_stream(call, endpoint, 0, data, size);
}

static enum usb_status transfer(uint8_t endpoint, void *data, uint32_t size, uint32_t *ret_actual)
{
    struct call call;

    if (start(&call, endpoint, data, size) == USB_SUBMIT_PENDING)
        wait_for(&call.done);
    *ret_actual = call.request.actual;
    return call.request.status;
}

static enum usb_status control(uint8_t type, uint8_t request, uint16_t value, uint16_t index,
                               void *data, uint16_t size)
{
    struct call call = {
        .request = {.length = size,
                    .setup = {type, request, value, index, size},
                    .done = on_done,
                    .opaque = &call},
        .part = {data, size},
    };

    call.request.iov = &call.part;
    call.request.iov_count = size > 0;
    if (usb_device_submit(fixture.device, &call.request) == USB_SUBMIT_PENDING)
        wait_for(&call.done);
    return call.request.status;
}

static void disk_command(const uint8_t command[10], bool in, void *data, uint32_t size)
{
    uint8_t block[31] = {0x55, 0x53, 0x42, 0x43, 1, 2, 3, 4}, status[13];
    uint32_t actual;

    for (unsigned i = 0; i < 4; i++)
        block[8 + i] = size >> (8 * i);
    block[12] = in ? 0x80 : 0;
    block[14] = 10;
    memcpy(block + 15, command, 10);
    ck_assert_int_eq(transfer(0x02, block, sizeof(block), &actual), USB_OK);
    ck_assert_int_eq(transfer(in ? 0x81 : 0x02, data, size, &actual), USB_OK);
    ck_assert_uint_eq(actual, size);
    ck_assert_int_eq(transfer(0x81, status, sizeof(status), &actual), USB_OK);
    ck_assert_uint_eq(actual, sizeof(status));
    ck_assert_uint_eq(status[12], 0);
}

START_TEST(test_what_it_is)
{
    uint16_t vendor, product;
    uint8_t data[18] = {0};

    open_device();
    redir_device_ids(fixture.device, &vendor, &product);
    ck_assert_uint_eq(vendor, 0x1234);
    ck_assert_uint_eq(product, 1);
    ck_assert_uint_eq(fixture.device->speeds, USB_SPEED_BIT(USB_SPEED_HIGH));
    ck_assert_int_eq(control(0x80, 6, 0x0100, 0, data, 18), USB_OK);
    ck_assert_uint_eq(data[8] | data[9] << 8, 0x1234);
    ck_assert_int_eq(control(0xc0, 0x77, 0, 0, data, 8), USB_STALL);
    ck_assert_int_eq(control(0x00, 9, 2, 0, NULL, 0), USB_OK);
    ck_assert_int_eq(control(0x80, 8, 0, 0, data, 1), USB_OK);
    ck_assert_uint_eq(data[0], 2);
    /* What a stock peer makes of the kernel's answer. */
    ck_assert_int_eq(control(0x00, 9, 7, 0, NULL, 0), fixture.stock ? USB_ERROR : USB_STALL);
    ck_assert_int_eq(control(0x00, 9, 1, 0, NULL, 0), USB_OK);
}
END_TEST

START_TEST(test_disk)
{
    g_autofree uint8_t *written = g_malloc(DATA_BYTES), *read = g_malloc0(DATA_BYTES);

    for (unsigned i = 0; i < DATA_BYTES; i++)
        written[i] = i * 13 + i / 251;
    open_device();
    disk_command((uint8_t[10]){0x2a, 0, 0, 0, 0, 9, 0, 2, 0}, false, written, DATA_BYTES);
    disk_command((uint8_t[10]){0x28, 0, 0, 0, 0, 9, 0, 2, 0}, true, read, DATA_BYTES);
    ck_assert_int_eq(memcmp(read, written, DATA_BYTES), 0);
}
END_TEST

START_TEST(test_interrupt_and_isochronous)
{
    uint8_t report[8] = {0}, data[16][64];
    struct call call, calls[16];

    open_device();
    ck_assert_int_eq(start(&call, 0x83, report, 8), USB_SUBMIT_PENDING);
    ck_assert_int_eq(control(0x40, 2, 42, 0, NULL, 0), USB_OK);
    wait_for(&call.done);
    ck_assert_int_eq(call.request.status, USB_OK);
    ck_assert_uint_eq(report[7], 42);

    ck_assert_int_eq(start(&call, 0x84, data[0], 64), USB_SUBMIT_DONE);
    ck_assert_int_eq(call.request.status, USB_ERROR);
    ck_assert_int_eq(control(0x01, 11, 1, 2, NULL, 0), USB_OK);
    for (unsigned i = 0; i < 16; i++)
        calls[i].done = start(&calls[i], 0x84, data[i], 64) == USB_SUBMIT_DONE;
    for (unsigned i = 0; i < 16; i++) {
        wait_for(&calls[i].done);
        ck_assert_int_eq(calls[i].request.status, USB_OK);
        ck_assert_uint_eq(calls[i].request.actual, 48);
        ck_assert_uint_eq(data[i][0], (uint8_t)(data[0][0] + i));
    }
}
END_TEST

START_TEST(test_streams)
{
    uint8_t in[3][64] = {{0}}, out[3] = {0, 0x11, 0x22};
    struct call calls[3], written;

    open_device();
    ck_assert(!usb_device_set_streams(fixture.device, 0x81, 4)); /* it has none as it is */
    ck_assert_int_eq(control(0x00, 9, 2, 0, NULL, 0), USB_OK);
    ck_assert(usb_device_set_streams(fixture.device, 0x81, 255));
    ck_assert(usb_device_set_streams(fixture.device, 0x02, 4));
    for (unsigned i = 1; i <= 2; i++)
        ck_assert_int_eq(start_stream(&calls[i], 0x81, i, in[i], sizeof(in[i])),
                         USB_SUBMIT_PENDING);
    for (unsigned i = 2; i >= 1; i--) {
        ck_assert_int_eq(start_stream(&written, 0x02, i, &out[i], 1), USB_SUBMIT_PENDING);
        wait_for(&written.done);
        ck_assert_int_eq(written.request.status, USB_OK);
        wait_for(&calls[i].done);
        ck_assert_int_eq(calls[i].request.status, USB_OK);
        ck_assert_uint_eq(in[i][63], out[i]);
    }
    ck_assert(usb_device_set_streams(fixture.device, 0x02, 0));
    ck_assert_int_eq(start_stream(&written, 0x02, 1, out, 1), USB_SUBMIT_PENDING);
    wait_for(&written.done);
    ck_assert_int_ne(written.request.status, USB_OK);
}
END_TEST

START_TEST(test_cancel)
{
    static struct call calls[64];
    static uint8_t data[64][512];

    open_device();
    for (unsigned i = 0; i < 64; i++)
        ck_assert_int_eq(start(&calls[i], i & 1 ? 0x83 : 0x81, data[i], i & 1 ? 8 : 512),
                         USB_SUBMIT_PENDING);
    for (unsigned i = 0; i < 20; i++)
        g_main_context_iteration(NULL, FALSE);
    for (unsigned i = 0; i < 64; i++) {
        ck_assert(usb_device_cancel(fixture.device, &calls[i].request));
        ck_assert_int_eq(calls[i].request.status, USB_CANCELLED);
    }
    /* Nothing is left of them. */
    disk_command((uint8_t[10]){0x28, 0, 0, 0, 0, 0, 0, 0, 1}, true, data[0], 512);
}
END_TEST

START_TEST(test_peer_ends)
{
    struct call calls[8];
    uint8_t data[8][512];

    open_device();
    for (unsigned i = 0; i < 8; i++)
        ck_assert_int_eq(start(&calls[i], i & 1 ? 0x83 : 0x81, data[i], i & 1 ? 8 : 512),
                         USB_SUBMIT_PENDING);
    kill_peer();
    for (unsigned i = 0; i < 8; i++) {
        wait_for(&calls[i].done);
        ck_assert_int_eq(calls[i].request.status, USB_NO_DEVICE);
    }
    wait_for(&fixture.gone);
    ck_assert_int_eq(start(&calls[0], 0x81, data[0], 512), USB_SUBMIT_DONE);
    ck_assert_int_eq(calls[0].request.status, USB_NO_DEVICE);
}
END_TEST

START_TEST(test_peer_is_no_peer)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_assert_int_eq(write(fds[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
    close(fds[1]);
    serve(fds[0]);
    ck_assert(g_error_matches(fixture.error, VMDESK_ERROR, VMDESK_ERROR_PROTOCOL));
}
END_TEST

/* A peer that connects to us, with the protocol's first words. */
START_TEST(test_listening)
{
    g_autofree char *path = g_build_filename(fixture.folder, "here.sock", NULL);
    g_autofree char *address = g_strconcat("unix-listen:", path, NULL);
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct redir_connect *connect_waits;
    int fd = -1, other = socket(AF_UNIX, SOCK_STREAM, 0);
    struct stat st;
    char byte = 0;

    g_strlcpy(local.sun_path, path, sizeof(local.sun_path));
    ck_assert_ptr_nonnull(redir_connect_new(NULL, address, on_connected, &fd, NULL));
    while (connect(other, (struct sockaddr *)&local, sizeof(local)) != 0)
        g_usleep(1000);
    while (fd == -1)
        g_main_context_iteration(NULL, TRUE);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(other, "x", 1, 0), 1);
    while (recv(fd, &byte, 1, 0) != 1)
        g_usleep(1000);
    ck_assert_int_eq(byte, 'x');
    close(fd);
    close(other);
    ck_assert_int_ne(stat(path, &st), 0); /* one connection is all */

    /* It is the user's alone, and goes when nobody waits any more. */
    connect_waits = redir_connect_new(NULL, address, on_connected, &fd, NULL);
    while (stat(path, &st) != 0)
        g_usleep(1000);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    redir_connect_cancel(connect_waits);
    while (stat(path, &st) == 0)
        g_usleep(1000);

    ck_assert_int_eq(connect_to("tcp-listen:0.0.0.0:4399"), -2);
    ck_assert_int_eq(connect_to("unix-listen:/nowhere/at/all"), -2);
    ck_assert_ptr_null(redir_connect_new(NULL, "unix-listen:here", on_connected, &fd, NULL));
    ck_assert_ptr_null(redir_connect_new(NULL, "tcp-listen:4000", on_connected, &fd, NULL));
}
END_TEST

/* A stock one connects only once, so the socket must be there. */
START_TEST(test_stock_connects)
{
    uint8_t data[512];
    int fd = -1;

    kill_peer();
    ck_assert_ptr_nonnull(
        redir_connect_new(NULL, "tcp-listen:" STOCK_PORT, on_connected, &fd, NULL));
    for (unsigned i = 0; fd == -1 && i < STOCK_TRIES; i++) {
        if (i % 20 == 0) {
            kill_peer();
            start_stock("--to");
        }
        g_usleep(50 * 1000);
        g_main_context_iteration(NULL, FALSE);
    }
    ck_assert_int_ge(fd, 0);
    serve(fd);
    ck_assert_ptr_null(fixture.error);
    disk_command((uint8_t[10]){0x28, 0, 0, 0, 0, 0, 0, 0, 1}, true, data, sizeof(data));
}
END_TEST

START_TEST(test_addresses)
{
    g_autoptr(GError) error = NULL;
    int fd;

    ck_assert_int_eq(connect_to("unix:/nowhere/at/all"), -2);
    ck_assert_int_eq(connect_to("tcp:127.0.0.1:1"), -2);
    ck_assert_int_eq(connect_to("tcp:[::1]:1"), -2);
    ck_assert_ptr_null(redir_connect_new(NULL, "tcp:4000", on_connected, &fd, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_INVALID));
    ck_assert_ptr_null(redir_connect_new(NULL, "unix:here", on_connected, &fd, NULL));
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("redir");
    TCase *tests = tcase_create("device");

    fixture.stock = argc > 1;
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_what_it_is);
    tcase_add_test(tests, test_disk);
    tcase_add_test(tests, test_interrupt_and_isochronous);
    tcase_add_test(tests, test_cancel);
    tcase_add_test(tests, test_peer_ends);
    if (fixture.stock) {
        tcase_add_test(tests, test_stock_connects);
    } else {
        tcase_add_test(tests, test_streams);
        tcase_add_test(tests, test_peer_is_no_peer);
        tcase_add_test(tests, test_listening);
        tcase_add_test(tests, test_addresses);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
