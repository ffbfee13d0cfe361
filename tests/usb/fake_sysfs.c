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

static void put_bytes(const char *name, const void *bytes, size_t size)
{
    g_autofree char *path = g_build_filename(DEVICE, name, NULL);
    FILE *file = fopen(path, "w");

    if (file != NULL) {
        fwrite(bytes, 1, size, file);
        fclose(file);
    }
}

static void put(const char *name, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void put(const char *name, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    put_bytes(name, text, strlen(text));
}

/* As systemd-udevd sends them: a header, then NUL-terminated pairs. */
static void send_uevent(const struct usbfs *usbfs, const char *action)
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

static char *interface_folder(unsigned interface)
{
    return g_strdup_printf("/sys/devices/pci0/usb1/" SYSFS_PORT "/" SYSFS_PORT ":1.%u", interface);
}

void fake_sysfs_drivers(struct usbfs *usbfs)
{
    for (unsigned i = 0; i < INTERFACES; i++) {
        g_autofree char *folder = interface_folder(i);
        g_autofree char *link = g_build_filename(folder, "driver", NULL);

        unlink(link);
        if (usbfs->drivers >> i & 1 && symlink("../../drivers/usb-storage", link) != 0)
            perror(link);
    }
}

void fake_sysfs_add(const struct usbfs *usbfs)
{
    size_t size;
    const uint8_t *bytes = scripted_device_descriptors(&size);

    g_mkdir_with_parents(DEVICES, 0755);
    g_mkdir_with_parents(DEVICE, 0755);
    put("busnum", "1\n");
    put("devnum", "%u\n", usbfs->address);
    put("idVendor", "%04x\n", SCRIPTED_VENDOR);
    put("idProduct", "%04x\n", SCRIPTED_PRODUCT);
    put("manufacturer", "vmdesk\n");
    put("product", "Scripted device\n");
    put("serial", SCRIPTED_SERIAL "\n");
    put("speed", "480\n");
    put("bConfigurationValue", "1\n");
    put("uevent", "DEVNAME=bus/usb/001/%03u\nDEVTYPE=usb_device\nBUSNUM=001\nDEVNUM=%03u\n",
        usbfs->address, usbfs->address);
    put_bytes("descriptors", bytes, size);
    for (unsigned i = 0; i < INTERFACES; i++) {
        g_autofree char *folder = interface_folder(i);
        g_autofree char *name = g_path_get_basename(folder);
        g_autofree char *link = g_build_filename(DEVICES, name, NULL);

        g_mkdir_with_parents(folder, 0755);
        if (symlink(folder, link) != 0)
            perror(link);
    }
    fake_sysfs_drivers((struct usbfs *)usbfs);
    if (symlink(DEVICE, DEVICES "/" SYSFS_PORT) != 0)
        perror(DEVICES "/" SYSFS_PORT);
    send_uevent(usbfs, "add");
}

void fake_sysfs_remove(const struct usbfs *usbfs)
{
    g_autofree char *command = g_strdup("rm -rf " DEVICE " " DEVICES "/" SYSFS_PORT "*");

    if (system(command) != 0)
        perror("rm");
    send_uevent(usbfs, "remove");
}
