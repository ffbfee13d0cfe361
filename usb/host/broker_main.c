/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmdesk-usb-broker: opens nodes of usbfs for an engine (usb/host/broker.h) until that ends. It
 * opens nothing else: all that it is told are two numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "usb/host/broker.h"

static int open_node(const struct usb_broker_request *request)
{
    char path[64];

    snprintf(path, sizeof(path), "/dev/bus/usb/%03u/%03u", request->bus, request->address);
    return open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
}

static ssize_t answer(int fd, int errnum)
{
    struct usb_broker_reply reply = {errnum};
    struct iovec part = {&reply, sizeof(reply)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
    }
    return sendmsg(USB_BROKER_FD, &message, MSG_NOSIGNAL);
}

int main(void)
{
    struct usb_broker_request request;
    ssize_t size;

    for (;;) {
        size = recv(USB_BROKER_FD, &request, sizeof(request), 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size != sizeof(request))
            return size == 0 ? 0 : 1;

        int fd = open_node(&request);
        ssize_t sent = answer(fd, fd < 0 ? errno : 0);

        if (fd >= 0)
            close(fd);
        if (sent < 0)
            return 1;
    }
}
