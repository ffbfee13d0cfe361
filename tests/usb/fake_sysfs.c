/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/usb/fake_sysfs.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE "/sys/devices/pci0/usb1/" SYSFS_PORT
#define DEVICES "/sys/bus/usb/devices"
#define INTERFACES 3
#define UDEV_GROUP 2
#define UDEV_MAGIC 0xfeedcafe

static void put_bytes(const struct usbfs *usbfs, const char *name, const void *bytes, size_t size)
{
    g_autofree char *path = g_strconcat(usbfs->root, DEVICE "/", name, NULL);
    FILE *file = fopen(path, "w");

    if (file != NULL) {
        fwrite(bytes, 1, size, file);
        fclose(file);
    }
}

static void put(const struct usbfs *usbfs, const char *name, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void put(const struct usbfs *usbfs, const char *name, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    put_bytes(usbfs, name, text, strlen(text));
}

/* As systemd-udevd sends them: a header, then NUL-terminated pairs. */
void fake_sysfs_uevent(const struct usbfs *usbfs, const char *action)
{
    struct {
        char prefix[8];
        uint32_t magic, header_size, offset, size, subsystem, devtype, bloom[2];
    } header = {"libudev", htonl(UDEV_MAGIC), 40, 40, 0, 0, 0, {0, 0}};
    struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_groups = UDEV_GROUP};
    g_autofree char *text =
        g_strdup_printf("ACTION=%s\nDEVPATH=/devices/pci0/usb1/" SYSFS_PORT
                        "\nSUBSYSTEM=usb\nDEVTYPE=usb_device\nBUSNUM=001\nDEVNUM=%03u\n",
                        action, usbfs->address);
    struct iovec parts[2] = {{&header, sizeof(header)}, {text, strlen(text)}};
    struct msghdr message = {.msg_name = &to,
                             .msg_namelen = sizeof(to),
                             .msg_iov = parts,
                             .msg_iovlen = 2};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

    header.size = strlen(text);
    g_strdelimit(text, "\n", '\0');
    if (sendmsg(fd, &message, 0) < 0)
        perror("uevent"); /* nobody listens */
    close(fd);
}

static char *interface_folder(const struct usbfs *usbfs, unsigned interface)
{
    return g_strdup_printf("%s" DEVICE "/" SYSFS_PORT ":1.%u", usbfs->root, interface);
}

static void make_folder(const struct usbfs *usbfs, const char *path)
{
    g_autofree char *folder = g_strconcat(usbfs->root, path, NULL);

    g_mkdir_with_parents(folder, 0755);
}

/* As sysfs has them: relative, so that they lead to where it is. */
static void make_link(const struct usbfs *usbfs, const char *name, const char *target)
{
    g_autofree char *link = g_strconcat(usbfs->root, name, NULL);

    if (symlink(target, link) != 0)
        perror(link);
}

static void link_device(const struct usbfs *usbfs, const char *name, const char *below)
{
    g_autofree char *link = g_strconcat(DEVICES "/", name, NULL);
    g_autofree char *target = g_strconcat("../../..", DEVICE + strlen("/sys"), below, NULL);

    make_link(usbfs, link, target);
}

void fake_sysfs_drivers(struct usbfs *usbfs)
{
    put(usbfs, "bConfigurationValue", "%u\n", usbfs->device.configuration);
    for (unsigned i = 0; i < INTERFACES; i++) {
        g_autofree char *folder = interface_folder(usbfs, i);
        g_autofree char *link = g_build_filename(folder, "driver", NULL);

        unlink(link);
        if (usbfs->drivers >> i & 1 && symlink("../../drivers/usb-storage", link) != 0)
            perror(link);
    }
}

void fake_sysfs_add(const struct usbfs *usbfs)
{
    size_t size;
    const uint8_t *bytes = scripted_device_descriptors(&usbfs->device, &size);

    make_folder(usbfs, "/sys/class"); /* what libudev looks for */
    make_folder(usbfs, DEVICES);
    make_folder(usbfs, DEVICE);
    put(usbfs, "busnum", "1\n");
    put(usbfs, "devnum", "%u\n", usbfs->address);
    put(usbfs, "idVendor", "%04x\n", SCRIPTED_VENDOR);
    put(usbfs, "idProduct", "%04x\n", SCRIPTED_PRODUCT);
    put(usbfs, "manufacturer", "vmdesk\n");
    put(usbfs, "product", "Scripted device\n");
    put(usbfs, "serial", SCRIPTED_SERIAL "\n");
    put(usbfs, "speed", "480\n");
    put(usbfs, "uevent", "DEVNAME=bus/usb/001/%03u\nDEVTYPE=usb_device\nBUSNUM=001\nDEVNUM=%03u\n",
        usbfs->address, usbfs->address);
    put_bytes(usbfs, "descriptors", bytes, size);
    for (unsigned i = 0; i < INTERFACES; i++) {
        g_autofree char *folder = interface_folder(usbfs, i);
        const char *name = strrchr(folder, '/') + 1;
        g_autofree char *below = g_strconcat("/", name, NULL);

        g_mkdir_with_parents(folder, 0755);
        link_device(usbfs, name, below);
    }
    fake_sysfs_drivers((struct usbfs *)usbfs);
    link_device(usbfs, SYSFS_PORT, "");
    make_link(usbfs, DEVICE "/subsystem", "../../../../bus/usb");
}

void fake_sysfs_remove(const struct usbfs *usbfs)
{
    g_autofree char *command = g_strdup_printf("rm -rf %s" DEVICE " %s" DEVICES "/" SYSFS_PORT "*",
                                               usbfs->root, usbfs->root);

    if (system(command) != 0)
        perror("rm");
}
