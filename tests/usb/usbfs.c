/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/usb/usbfs.h"

#include <errno.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define STORAGE_INTERFACE 0
#define ISO_INTERFACE 2
#define MAX_PACKETS 128

struct usbfs_urb {
    struct scripted_urb urb; /* must be first */
    struct usbfs_file *file; /* NULL: closed meanwhile */
    uint64_t address;
    struct usbdevfs_urb kernel;
    struct usbdevfs_iso_packet_desc packets[MAX_PACKETS];
};

static long read_from(pid_t process, uint64_t address, void *buffer, size_t size)
{
    struct iovec local = {buffer, size}, remote = {(void *)address, size};

    return process_vm_readv(process, &local, 1, &remote, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
}

static long write_to(pid_t process, uint64_t address, const void *buffer, size_t size)
{
    struct iovec local = {(void *)buffer, size}, remote = {(void *)address, size};

    if (size == 0)
        return 0;
    return process_vm_writev(process, &local, 1, &remote, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
}

void usbfs_init(struct usbfs *usbfs, struct scripted_disk *disk)
{
    *usbfs = (struct usbfs){.root = "",
                            .plugged = true,
                            .memory_limit = USBFS_MEMORY,
                            .address = 2,
                            .drivers = 1 << STORAGE_INTERFACE};
    g_mutex_init(&usbfs->lock);
    g_cond_init(&usbfs->changed);
    usbfs->files = g_ptr_array_new();
    scripted_device_init(&usbfs->device, disk);
}

static bool is_gone(const struct usbfs_file *file)
{
    return !file->usbfs->plugged || file->usbfs->address != file->address;
}

struct usbfs_file *usbfs_open(struct usbfs *usbfs)
{
    struct usbfs_file *file = g_new0(struct usbfs_file, 1);

    file->usbfs = usbfs;
    file->address = usbfs->address;
    g_ptr_array_add(usbfs->files, file);
    return file;
}

static void urb_free(void *data)
{
    struct usbfs_urb *u = data;

    g_free(u->urb.packets);
    g_free(u->urb.data);
    g_free(u);
}

static void discard_of(struct usbfs_file *file)
{
    GQueue *flying = &file->usbfs->device.flying;

    for (GList *l = flying->head, *next; l != NULL; l = next) {
        struct usbfs_urb *u = l->data;

        next = l->next;
        if (u->file != file)
            continue;
        g_queue_delete_link(flying, l);
        file->usbfs->memory -= u->urb.length;
        urb_free(u);
    }
}

void usbfs_close(struct usbfs_file *file)
{
    struct usbfs_urb *u;

    discard_of(file);
    while ((u = g_queue_pop_head(&file->done)) != NULL) {
        file->usbfs->memory -= u->urb.length;
        urb_free(u);
    }
    g_ptr_array_remove(file->usbfs->files, file);
    g_free(file);
}

static void end_urb(struct usbfs_urb *u)
{
    g_queue_push_tail(&u->file->done, u);
    u->file->notify(u->file);
}

void usbfs_pump(struct usbfs *usbfs)
{
    struct scripted_urb *urb;

    while (usbfs->plugged && (urb = scripted_device_run(&usbfs->device)) != NULL)
        end_urb((struct usbfs_urb *)urb);
    g_cond_signal(&usbfs->changed);
}

static void *run_clock(void *opaque)
{
    struct usbfs *usbfs = opaque;

    g_mutex_lock(&usbfs->lock);
    for (;;) {
        gint64 due = scripted_device_due(&usbfs->device);

        if (due < 0)
            g_cond_wait(&usbfs->changed, &usbfs->lock);
        else
            g_cond_wait_until(&usbfs->changed, &usbfs->lock, due);
        usbfs_pump(usbfs);
    }
    return NULL;
}

void usbfs_start_clock(struct usbfs *usbfs)
{
    g_thread_unref(g_thread_new("clock", run_clock, usbfs));
}

void usbfs_unplug(struct usbfs *usbfs)
{
    struct scripted_urb *urb;

    usbfs->plugged = false;
    while ((urb = g_queue_pop_head(&usbfs->device.flying)) != NULL) {
        urb->status = -ESHUTDOWN;
        end_urb((struct usbfs_urb *)urb);
    }
    for (guint i = 0; i < usbfs->files->len; i++) {
        struct usbfs_file *file = usbfs->files->pdata[i];

        file->notify(file);
    }
}

void usbfs_plug(struct usbfs *usbfs)
{
    usbfs->plugged = true;
    usbfs->address++;
    usbfs->drivers = 1 << STORAGE_INTERFACE;
    usbfs->device.configuration = 1;
    scripted_device_reset(&usbfs->device);
}

unsigned usbfs_poll(const struct usbfs_file *file)
{
    if (is_gone(file))
        return POLLERR | POLLHUP | POLLOUT;
    return file->done.length == 0 ? 0 : POLLOUT;
}

/*
 * Transfers.
 */

static bool has_endpoint(const struct usbfs *usbfs, uint8_t endpoint)
{
    switch (endpoint) {
    case 0x00:
    case 0x80:
        return true;
    case 0x81:
    case 0x02:
        return usbfs->device.configuration != 0;
    case 0x83:
        return usbfs->device.configuration == 1;
    case 0x84:
        return usbfs->device.configuration == 1 && usbfs->device.iso_setting == 1;
    default:
        return false;
    }
}

static bool is_in(const struct usbfs_urb *u)
{
    return (u->kernel.type == USBDEVFS_URB_TYPE_CONTROL ? u->urb.data[0] : u->kernel.endpoint) &
           0x80;
}

static long take_packets(struct usbfs_urb *u, pid_t process)
{
    unsigned count = u->kernel.number_of_packets;
    uint32_t total = 0;
    long result;

    if (count == 0 || count > MAX_PACKETS)
        return -EINVAL;
    result = read_from(process, u->address + offsetof(struct usbdevfs_urb, iso_frame_desc),
                       u->packets, count * sizeof(u->packets[0]));
    u->urb.packet_count = count;
    u->urb.packets = g_new0(struct scripted_packet, count);
    for (unsigned i = 0; i < count; i++) {
        u->urb.packets[i].length = u->packets[i].length;
        total += u->packets[i].length;
    }
    u->kernel.buffer_length = total;
    return result;
}

static long take_urb(struct usbfs_file *file, struct usbfs_urb *u, pid_t process)
{
    uint32_t length;
    long result = read_from(process, u->address, &u->kernel, sizeof(u->kernel));
    bool control = u->kernel.type == USBDEVFS_URB_TYPE_CONTROL;

    if (result == 0 && u->kernel.type == USBDEVFS_URB_TYPE_ISO)
        result = take_packets(u, process);
    if (result != 0)
        return result;
    length = u->kernel.buffer_length;
    if (!has_endpoint(file->usbfs, u->kernel.endpoint))
        return -ENOENT;
    if (control && length < 8)
        return -EINVAL;
    if (file->usbfs->memory + length > file->usbfs->memory_limit)
        return -ENOMEM;
    u->urb.endpoint = control ? 0 : u->kernel.endpoint;
    if (u->kernel.type == USBDEVFS_URB_TYPE_BULK)
        u->urb.stream = u->kernel.stream_id;
    u->urb.length = length;
    u->urb.data = g_malloc0(length + 1);
    if (length > 0 && (control || !(u->kernel.endpoint & 0x80)))
        return read_from(process, (uint64_t)u->kernel.buffer, u->urb.data, length);
    return 0;
}

static long submit(struct usbfs_file *file, pid_t process, uint64_t argument)
{
    struct usbfs_urb *u = g_new0(struct usbfs_urb, 1);
    long result;

    u->file = file;
    u->address = argument;
    result = take_urb(file, u, process);
    if (result != 0) {
        urb_free(u);
        return result;
    }
    file->usbfs->memory += u->urb.length;
    scripted_device_submit(&file->usbfs->device, &u->urb);
    return 0;
}

static long give_packets(struct usbfs_urb *u, pid_t process)
{
    uint32_t at = 0;

    for (unsigned i = 0; i < u->urb.packet_count; i++) {
        const struct scripted_packet *packet = &u->urb.packets[i];

        write_to(process, (uint64_t)u->kernel.buffer + at, u->urb.data + at, packet->actual);
        at += packet->length;
        u->packets[i].actual_length = packet->actual;
        u->packets[i].status = packet->status;
    }
    return write_to(process, u->address + offsetof(struct usbdevfs_urb, iso_frame_desc), u->packets,
                    u->urb.packet_count * sizeof(u->packets[0]));
}

static long reap(struct usbfs_file *file, pid_t process, uint64_t argument)
{
    struct usbfs_urb *u = g_queue_pop_head(&file->done);
    unsigned skip;

    if (u == NULL)
        return is_gone(file) ? -ENODEV : -EAGAIN;
    skip = u->kernel.type == USBDEVFS_URB_TYPE_CONTROL ? 8 : 0;
    if (u->urb.packets != NULL)
        give_packets(u, process);
    else if (is_in(u))
        write_to(process, (uint64_t)u->kernel.buffer + skip, u->urb.data + skip, u->urb.actual);
    u->kernel.status = u->urb.status;
    u->kernel.actual_length = u->urb.actual;
    write_to(process, u->address, &u->kernel, sizeof(u->kernel));
    write_to(process, argument, &u->address, sizeof(u->address));
    file->usbfs->memory -= u->urb.length;
    urb_free(u);
    return 0;
}

static long discard(struct usbfs_file *file, uint64_t argument)
{
    GQueue *flying = &file->usbfs->device.flying;

    for (GList *l = flying->head; l != NULL; l = l->next) {
        struct usbfs_urb *u = l->data;

        if (u->file == file && u->address == argument) {
            g_queue_delete_link(flying, l);
            u->urb.status = -ENOENT;
            end_urb(u);
            return 0;
        }
    }
    return -EINVAL;
}

static long control_now(struct usbfs_file *file, pid_t process, uint64_t argument)
{
    struct usbdevfs_ctrltransfer transfer;
    struct scripted_urb urb = {0}, *ended;
    long result = read_from(process, argument, &transfer, sizeof(transfer));

    if (result != 0)
        return result;
    urb.length = 8 + transfer.wLength;
    urb.data = g_malloc0(urb.length);
    memcpy(urb.data, &transfer, 8);
    scripted_device_submit(&file->usbfs->device, &urb);
    while ((ended = scripted_device_run(&file->usbfs->device)) != &urb)
        end_urb((struct usbfs_urb *)ended);
    result = urb.status != 0 ? urb.status : (long)urb.actual;
    if (result > 0)
        write_to(process, (uint64_t)transfer.data, urb.data + 8, urb.actual);
    g_free(urb.data);
    return result;
}

/*
 * Interfaces.
 */

static void set_drivers(struct usbfs *usbfs, unsigned drivers)
{
    usbfs->drivers = drivers;
    if (usbfs->drivers_changed != NULL)
        usbfs->drivers_changed(usbfs);
}

static long claim(struct usbfs_file *file, unsigned interface)
{
    unsigned bit = 1u << interface;

    if (interface > 2 || (file->usbfs->device.configuration == 2 && interface > 0))
        return -ENOENT;
    if (file->usbfs->drivers & bit)
        return -EBUSY;
    for (guint i = 0; i < file->usbfs->files->len; i++) {
        const struct usbfs_file *other = file->usbfs->files->pdata[i];

        if (other != file && (other->claimed & bit))
            return -EBUSY;
    }
    file->claimed |= bit;
    return 0;
}

static long set_configuration(struct usbfs_file *file, int value)
{
    for (guint i = 0; i < file->usbfs->files->len; i++) {
        if (((struct usbfs_file *)file->usbfs->files->pdata[i])->claimed != 0)
            return -EBUSY;
    }
    if (value > (file->usbfs->device.simple ? 1 : 2))
        return -EINVAL;
    file->usbfs->device.configuration = MAX(value, 0);
    file->usbfs->device.iso_setting = 0;
    set_drivers(file->usbfs, value == 1 ? 1 << STORAGE_INTERFACE : 0);
    return 0;
}

static long set_interface(struct usbfs_file *file, pid_t process, uint64_t argument)
{
    struct usbdevfs_setinterface setting;
    long result = read_from(process, argument, &setting, sizeof(setting));

    if (result != 0)
        return result;
    if (!(file->claimed >> setting.interface & 1))
        return -EINVAL;
    if (setting.altsetting > 1 || (setting.altsetting == 1 && setting.interface != ISO_INTERFACE))
        return -EINVAL;
    if (setting.interface == ISO_INTERFACE)
        file->usbfs->device.iso_setting = setting.altsetting;
    return 0;
}

static long set_streams(struct usbfs_file *file, pid_t process, uint64_t argument, bool on)
{
    struct usbdevfs_streams streams;
    uint8_t endpoints[2];
    long result = read_from(process, argument, &streams, sizeof(streams));

    if (result == 0 && (streams.num_eps < 1 || streams.num_eps > sizeof(endpoints)))
        result = -EINVAL;
    if (result == 0)
        result = read_from(process, argument + sizeof(streams), endpoints, streams.num_eps);
    for (unsigned i = 0; result == 0 && i < streams.num_eps; i++) {
        if (!scripted_device_set_streams(&file->usbfs->device, endpoints[i],
                                         on ? streams.num_streams : 0))
            return -EINVAL;
    }
    return result == 0 && on ? (long)streams.num_streams : result;
}

static long get_driver(struct usbfs_file *file, pid_t process, uint64_t argument)
{
    struct usbdevfs_getdriver driver;
    long result = read_from(process, argument, &driver, sizeof(driver));

    if (result != 0)
        return result;
    if (driver.interface > 2)
        return -ENODATA;
    if (file->usbfs->drivers >> driver.interface & 1)
        strcpy(driver.driver, "usb-storage");
    else if (file->claimed >> driver.interface & 1)
        strcpy(driver.driver, "usbfs");
    else
        return -ENODATA;
    return write_to(process, argument, &driver, sizeof(driver));
}

static long driver_ioctl(struct usbfs_file *file, pid_t process, uint64_t argument)
{
    struct usbdevfs_ioctl command;
    struct usbfs *usbfs = file->usbfs;
    long result = read_from(process, argument, &command, sizeof(command));
    unsigned bit = 1u << (command.ifno & 7);

    if (result != 0)
        return result;
    switch (command.ioctl_code) {
    case USBDEVFS_DISCONNECT:
        if (!(usbfs->drivers & bit))
            return -ENODATA;
        set_drivers(usbfs, usbfs->drivers & ~bit);
        return 0;
    case USBDEVFS_CONNECT:
        if (command.ifno == STORAGE_INTERFACE && usbfs->device.configuration == 1)
            set_drivers(usbfs, usbfs->drivers | bit);
        return 1;
    default:
        return -ENOTTY;
    }
}

static long run_ioctl(struct usbfs_file *file, pid_t process, unsigned long request,
                      uint64_t argument)
{
    struct usbdevfs_connectinfo info = {.devnum = file->address};
    uint32_t number = 0;

    if (request == USBDEVFS_CLAIMINTERFACE || request == USBDEVFS_RELEASEINTERFACE ||
        request == USBDEVFS_SETCONFIGURATION || request == USBDEVFS_CLEAR_HALT) {
        if (read_from(process, argument, &number, sizeof(number)) != 0)
            return -EFAULT;
    }
    switch (request) {
    case USBDEVFS_GET_CAPABILITIES:
        number = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
                 USBDEVFS_CAP_BULK_SCATTER_GATHER | USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
        return write_to(process, argument, &number, sizeof(number));
    case USBDEVFS_GET_SPEED:
        return 3; /* USB_SPEED_HIGH */
    case USBDEVFS_CONNECTINFO:
        return write_to(process, argument, &info, sizeof(info));
    case USBDEVFS_CLAIMINTERFACE:
        return claim(file, number);
    case USBDEVFS_RELEASEINTERFACE:
        file->claimed &= ~(1u << (number & 7));
        return 0;
    case USBDEVFS_SETCONFIGURATION:
        return set_configuration(file, (int)number);
    case USBDEVFS_SETINTERFACE:
        return set_interface(file, process, argument);
    case USBDEVFS_CLEAR_HALT:
        file->usbfs->device.halted[number >> 7 & 1] &= ~(1u << (number & 7));
        return 0;
    case USBDEVFS_RESET:
        scripted_device_reset(&file->usbfs->device);
        return 0;
    case USBDEVFS_ALLOC_STREAMS:
    case USBDEVFS_FREE_STREAMS:
        return set_streams(file, process, argument, request == USBDEVFS_ALLOC_STREAMS);
    case USBDEVFS_GETDRIVER:
        return get_driver(file, process, argument);
    case USBDEVFS_IOCTL:
        return driver_ioctl(file, process, argument);
    case USBDEVFS_CONTROL:
        return control_now(file, process, argument);
    case USBDEVFS_SUBMITURB:
        return submit(file, process, argument);
    default:
        return -ENOTTY;
    }
}

long usbfs_ioctl(struct usbfs_file *file, pid_t process, unsigned long request, uint64_t argument)
{
    long result;

    if (request == USBDEVFS_REAPURBNDELAY)
        return reap(file, process, argument);
    if (request == USBDEVFS_DISCARDURB)
        return discard(file, argument);
    if (is_gone(file))
        return -ENODEV;
    result = run_ioctl(file, process, request, argument);
    usbfs_pump(file->usbfs);
    return result;
}
