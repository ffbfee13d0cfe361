/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmdesk-usb-broker: opens nodes of usbfs for an engine (usb/host/broker.h) until that ends. It
 * opens nothing else: all that it is told are two numbers. An engine that was killed has given
 * nothing back: its devices are reset here, get the configuration they had, and go to the kernel
 * drivers that had them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "usb/host/broker.h"

#define MAX_INTERFACES 32
#define CONTROL_MS 1000

/* USB 2.0, 9.4.2. */
#define FROM_DEVICE 0x80
#define GET_CONFIGURATION 8

/* One that the engine has. The descriptor is the same file as the engine's, claims and all. */
struct node {
    uint8_t bus, address;
    int fd;
    /* When it was opened: */
    uint32_t drivers;  /* interfaces that a kernel driver had */
    int configuration; /* 0: none; -1: it did not say */
};

struct broker {
    struct node nodes[USB_BROKER_MAX_NODES];
    unsigned count;
};

static uint32_t drivers_of(int fd)
{
    uint32_t drivers = 0;

    for (unsigned i = 0; i < MAX_INTERFACES; i++) {
        struct usbdevfs_getdriver query = {.interface = i};

        if (ioctl(fd, USBDEVFS_GETDRIVER, &query) == 0 &&
            strncmp(query.driver, "usbfs", sizeof(query.driver)) != 0)
            drivers |= UINT32_C(1) << i;
    }
    return drivers;
}

static int configuration_of(int fd)
{
    uint8_t value;
    struct usbdevfs_ctrltransfer query = {
        .bRequestType = FROM_DEVICE,
        .bRequest = GET_CONFIGURATION,
        .wLength = sizeof(value),
        .timeout = CONTROL_MS,
        .data = &value,
    };

    return ioctl(fd, USBDEVFS_CONTROL, &query) == sizeof(value) ? value : -1;
}

static void forget(struct broker *broker, uint8_t bus, uint8_t address)
{
    for (unsigned i = 0; i < broker->count; i++) {
        struct node *node = &broker->nodes[i];

        if (node->bus != bus || node->address != address)
            continue;
        close(node->fd);
        *node = broker->nodes[--broker->count];
        return;
    }
}

/* A descriptor of the broker's; -1: errno says why. */
static int open_node(struct broker *broker, const struct usb_broker_request *request)
{
    struct node node = {request->bus, request->address, -1, 0, -1};
    char path[64];

    forget(broker, request->bus, request->address);
    if (broker->count == USB_BROKER_MAX_NODES) {
        errno = EMFILE;
        return -1;
    }
    snprintf(path, sizeof(path), "/dev/bus/usb/%03u/%03u", request->bus, request->address);
    node.fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (node.fd < 0)
        return -1;
    node.drivers = drivers_of(node.fd);
    node.configuration = configuration_of(node.fd);
    broker->nodes[broker->count++] = node;
    return node.fd;
}

/* In the order that the engine does it: drivers expect a device as it comes out of a reset. */
static void give_back(const struct node *node)
{
    for (unsigned i = 0; i < MAX_INTERFACES; i++)
        ioctl(node->fd, USBDEVFS_RELEASEINTERFACE, &i);
    ioctl(node->fd, USBDEVFS_RESET, NULL);
    if (node->configuration >= 0 && configuration_of(node->fd) != node->configuration) {
        int value = node->configuration > 0 ? node->configuration : -1;

        ioctl(node->fd, USBDEVFS_SETCONFIGURATION, &value);
    }
    for (unsigned i = 0; i < MAX_INTERFACES; i++) {
        struct usbdevfs_ioctl connect = {.ifno = i, .ioctl_code = USBDEVFS_CONNECT};

        if (node->drivers >> i & 1)
            ioctl(node->fd, USBDEVFS_IOCTL, &connect);
    }
    close(node->fd);
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
    struct broker broker = {.count = 0};
    struct usb_broker_request request;
    ssize_t size, sent = 0;

    while (sent >= 0) {
        size = recv(USB_BROKER_FD, &request, sizeof(request), 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size != sizeof(request))
            break;
        if (request.forget) {
            forget(&broker, request.bus, request.address);
        } else {
            int fd = open_node(&broker, &request);

            sent = answer(fd, fd < 0 ? errno : 0);
        }
    }
    for (unsigned i = 0; i < broker.count; i++)
        give_back(&broker.nodes[i]);
    return size == 0 ? 0 : 1;
}
