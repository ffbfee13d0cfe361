/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a program on a computer with one USB device, the scripted one, at 1-2:
 *
 *   fuse_usbfs [--disk FILE] [--unplugged] [--simple] PROGRAM [ARGUMENT...]
 *
 * The program sees a usbfs in /dev/bus/usb, which a stock libusb uses, the device in /sys and
 * udev's messages, in namespaces of its own, which need root and FUSE; the exit status is 77
 * without. A simple device has one configuration, and no descriptors of more than 4096 bytes, which
 * QEMU and usbredirect cannot take. It plays the script (tests/usb/script.h) that it writes to
 * /dev/bus/usb/script, and reads how the device is from it.
 */
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <glib.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/usb/fake_sysfs.h"
#include "tests/usb/script.h"

#define SKIPPED 77
#define DISK_BYTES (16 * 1024 * 1024)
#define INODE_ROOT 1
#define INODE_BUS 2
#define INODE_SCRIPT 3
#define INODE_DEVICE 1000 /* and the address */

struct server {
    struct usbfs usbfs;
    struct usb_script script;
};

static struct server server;

static void notify(struct usbfs_file *file)
{
    if (file->poll_handle == NULL || usbfs_poll(file) == 0)
        return;
    fuse_lowlevel_notify_poll(file->poll_handle);
    fuse_pollhandle_destroy(file->poll_handle);
    file->poll_handle = NULL;
}

/*
 * Files.
 */

static bool get_attributes(fuse_ino_t inode, struct stat *st)
{
    bool folder = inode == INODE_ROOT || inode == INODE_BUS;

    *st = (struct stat){
        .st_ino = inode,
        .st_nlink = 1,
        .st_mode = folder ? S_IFDIR | 0755 : S_IFREG | 0666,
    };
    return folder || inode == INODE_SCRIPT || inode > INODE_DEVICE;
}

static void fs_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct stat st;

    if (get_attributes(inode, &st))
        fuse_reply_attr(request, &st, 0);
    else
        fuse_reply_err(request, ENOENT);
}

static fuse_ino_t find_inode(fuse_ino_t parent, const char *name)
{
    g_autofree char *device = g_strdup_printf("%03u", server.usbfs.address);

    if (parent == INODE_ROOT && strcmp(name, "001") == 0)
        return INODE_BUS;
    if (parent == INODE_ROOT && strcmp(name, "script") == 0)
        return INODE_SCRIPT;
    if (parent == INODE_BUS && server.usbfs.plugged && strcmp(name, device) == 0)
        return INODE_DEVICE + server.usbfs.address;
    return 0;
}

static void fs_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry = {0};

    g_mutex_lock(&server.usbfs.lock);
    entry.ino = find_inode(parent, name);
    g_mutex_unlock(&server.usbfs.lock);
    if (entry.ino != 0 && get_attributes(entry.ino, &entry.attr))
        fuse_reply_entry(request, &entry);
    else
        fuse_reply_err(request, ENOENT);
}

static void fs_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                       struct fuse_file_info *info)
{
    char buffer[256], name[16] = "001";
    struct stat st;
    size_t used = 0;

    g_mutex_lock(&server.usbfs.lock);
    if (inode == INODE_BUS)
        snprintf(name, sizeof(name), "%03u", server.usbfs.address);
    get_attributes(find_inode(inode, name), &st);
    if (offset == 0 && (inode == INODE_ROOT || server.usbfs.plugged))
        used = fuse_add_direntry(request, buffer, sizeof(buffer), name, &st, 1);
    g_mutex_unlock(&server.usbfs.lock);
    fuse_reply_buf(request, buffer, MIN(used, size));
}

static void fs_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    int errnum = 0;

    info->direct_io = 1;
    g_mutex_lock(&server.usbfs.lock);
    if (inode != INODE_SCRIPT && server.script.denied) {
        errnum = EACCES;
    } else if (inode != INODE_SCRIPT &&
               (!server.usbfs.plugged || inode != INODE_DEVICE + server.usbfs.address)) {
        errnum = ENODEV;
    } else if (inode != INODE_SCRIPT) {
        struct usbfs_file *file = usbfs_open(&server.usbfs);

        file->notify = notify;
        info->fh = (uintptr_t)file;
    }
    g_mutex_unlock(&server.usbfs.lock);
    if (errnum != 0)
        fuse_reply_err(request, errnum);
    else
        fuse_reply_open(request, info);
}

static struct usbfs_file *file_of(const struct fuse_file_info *info)
{
    return (struct usbfs_file *)(uintptr_t)info->fh;
}

static void fs_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct usbfs_file *file = file_of(info);

    if (file != NULL) {
        g_mutex_lock(&server.usbfs.lock);
        if (file->poll_handle != NULL)
            fuse_pollhandle_destroy(file->poll_handle);
        usbfs_close(file);
        g_mutex_unlock(&server.usbfs.lock);
    }
    fuse_reply_err(request, 0);
}

static void fs_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    g_autofree char *text = NULL;
    const uint8_t *bytes;
    size_t total;

    g_mutex_lock(&server.usbfs.lock);
    if (inode == INODE_SCRIPT) {
        text = usb_script_describe(&server.script);
        bytes = (const uint8_t *)text;
        total = strlen(text);
    } else {
        bytes = scripted_device_descriptors(&server.usbfs.device, &total);
    }
    g_mutex_unlock(&server.usbfs.lock);
    offset = MIN((size_t)offset, total);
    fuse_reply_buf(request, (const char *)bytes + offset, MIN(size, total - offset));
}

static void fs_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t size,
                     off_t offset, struct fuse_file_info *info)
{
    g_autofree char *line = g_strstrip(g_strndup(bytes, size));
    bool known;

    g_mutex_lock(&server.usbfs.lock);
    known = inode == INODE_SCRIPT && usb_script_play(&server.script, line);
    g_mutex_unlock(&server.usbfs.lock);
    if (known)
        fuse_reply_write(request, size);
    else
        fuse_reply_err(request, EINVAL);
}

/* A shell that writes to it truncates it first. */
static void fs_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *st, int to_set,
                       struct fuse_file_info *info)
{
    fs_getattr(request, inode, info);
}

/*
 * What usbfs has beyond files.
 */

/* Nothing may be copied by the kernel: the pointers in the arguments are the caller's. */
static void fs_ioctl(fuse_req_t request, fuse_ino_t inode, unsigned command, void *argument,
                     struct fuse_file_info *info, unsigned flags, const void *in, size_t in_size,
                     size_t out_size)
{
    long result;

    if (file_of(info) == NULL) {
        fuse_reply_err(request, ENOTTY);
        return;
    }
    g_mutex_lock(&server.usbfs.lock);
    result = usbfs_ioctl(file_of(info), fuse_req_ctx(request)->pid, command, (uintptr_t)argument);
    notify(file_of(info));
    g_mutex_unlock(&server.usbfs.lock);
    if (result < 0)
        fuse_reply_err(request, -result);
    else
        fuse_reply_ioctl(request, result, NULL, 0);
}

static void fs_poll(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info,
                    struct fuse_pollhandle *handle)
{
    struct usbfs_file *file = file_of(info);
    unsigned events = POLLIN | POLLOUT;

    if (file != NULL) {
        g_mutex_lock(&server.usbfs.lock);
        if (handle != NULL) {
            if (file->poll_handle != NULL)
                fuse_pollhandle_destroy(file->poll_handle);
            file->poll_handle = handle;
        }
        events = usbfs_poll(file);
        g_mutex_unlock(&server.usbfs.lock);
    }
    fuse_reply_poll(request, events);
}

static const struct fuse_lowlevel_ops ops = {
    .lookup = fs_lookup,
    .getattr = fs_getattr,
    .setattr = fs_setattr,
    .readdir = fs_readdir,
    .open = fs_open,
    .release = fs_release,
    .read = fs_read,
    .write = fs_write,
    .ioctl = fs_ioctl,
    .poll = fs_poll,
};

static void tell_plugged(struct usbfs *usbfs)
{
    if (usbfs->plugged)
        fake_sysfs_add(usbfs);
    else
        fake_sysfs_remove(usbfs);
    fake_sysfs_uevent(usbfs, usbfs->plugged ? "add" : "remove");
}

static void *run_session(void *session)
{
    fuse_session_loop(session);
    return NULL;
}

/*
 * Namespaces.
 */

static void bind_device(const char *root, const char *name)
{
    g_autofree char *from = g_build_filename("/dev", name, NULL);
    g_autofree char *to = g_build_filename(root, "dev", name, NULL);

    if (access(from, F_OK) != 0)
        return;
    if (g_file_test(from, G_FILE_TEST_IS_DIR))
        g_mkdir_with_parents(to, 0755);
    else
        close(open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
    if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) != 0)
        perror(to);
}

/* A /dev and a /sys of our own; all else is the host's. */
static bool enter_namespaces(void)
{
    static const char *const devices[] = {"null", "zero", "full", "random", "urandom",
                                          "tty",  "fuse", "kvm",  "pts"};
    char root[] = "/tmp/fuse-usbfs.XXXXXX";
    g_autofree char *dev = NULL, *sys = NULL, *bus = NULL;

    if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mkdtemp(root) == NULL ||
        mount("none", root, "tmpfs", 0, NULL) != 0) {
        perror("fuse_usbfs: no namespaces of its own (it needs root)");
        return false;
    }
    dev = g_build_filename(root, "dev", NULL);
    sys = g_build_filename(root, "sys", NULL);
    bus = g_build_filename(dev, "bus", "usb", NULL);
    g_mkdir_with_parents(bus, 0755);
    g_mkdir_with_parents(sys, 0755);
    for (unsigned i = 0; i < G_N_ELEMENTS(devices); i++)
        bind_device(root, devices[i]);
    if (mount(dev, "/dev", NULL, MS_BIND | MS_REC, NULL) != 0 ||
        mount(sys, "/sys", NULL, MS_BIND | MS_REC, NULL) != 0) {
        perror("fuse_usbfs: cannot replace /dev and /sys");
        return false;
    }
    /* The mounts that it was made of stay below; only the name goes. */
    umount2(root, MNT_DETACH);
    rmdir(root);
    return symlink("/proc/self/fd", "/dev/fd") == 0 && symlink("pts/ptmx", "/dev/ptmx") == 0;
}

/* A network of its own has a loopback that is down. */
static void raise_loopback(void)
{
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (ioctl(fd, SIOCSIFFLAGS, &loopback) != 0)
        perror("fuse_usbfs: lo");
    close(fd);
}

static int run_program(char **argv)
{
    pid_t child;
    int status;

    g_setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", TRUE); /* or libudev takes no other for it */
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    char name[] = "usbfs", *fuse_argv[] = {name, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, fuse_argv);
    const char *file = NULL;
    struct fuse_session *session;
    struct scripted_disk *disk;
    bool unplugged = false, simple = false;
    int status;

    for (; argc > 1 && g_str_has_prefix(argv[1], "--"); argc--, argv++) {
        if (strcmp(argv[1], "--unplugged") == 0) {
            unplugged = true;
        } else if (strcmp(argv[1], "--simple") == 0) {
            simple = true;
        } else if (strcmp(argv[1], "--disk") == 0 && argc > 2) {
            file = argv[2];
            argc--;
            argv++;
        }
    }
    disk = scripted_disk_new(file, DISK_BYTES);
    if (argc < 2 || disk == NULL) {
        fprintf(stderr,
                "usage: fuse_usbfs [--disk FILE] [--unplugged] [--simple] PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    if (!enter_namespaces())
        return SKIPPED;
    raise_loopback();
    usbfs_init(&server.usbfs, disk);
    server.usbfs.device.simple = simple;
    server.usbfs.drivers_changed = fake_sysfs_drivers;
    server.script = (struct usb_script){.usbfs = &server.usbfs,
                                        .hangs_up = true,
                                        .notify = notify,
                                        .plugged = tell_plugged};
    session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
    if (session == NULL || fuse_session_mount(session, "/dev/bus/usb") != 0) {
        fprintf(stderr, "fuse_usbfs: FUSE cannot be used here\n");
        return SKIPPED;
    }
    if (unplugged) {
        server.usbfs.plugged = false;
        g_mkdir_with_parents("/sys/bus/usb/devices", 0755);
    } else {
        tell_plugged(&server.usbfs);
    }
    g_thread_unref(g_thread_new("session", run_session, session));
    usbfs_start_clock(&server.usbfs);
    status = run_program(argv + 1);
    fuse_session_unmount(session);
    fflush(NULL);
    _exit(status); /* its threads never end */
}
