/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a program on a computer with one USB device, the scripted one, at 1-2, as an ordinary user:
 *
 *   umockdev_usbfs PROGRAM [ARGUMENT...]
 *
 * umockdev stands between the program and the C library: the nodes and /sys are a folder
 * of its own, and ioctls come here. Its nodes are regular files: they are always ready, so that
 * libusb looks again and again, and they do not hang up. The socket in USB_SCRIPT takes lines of
 * the script (tests/usb/script.h), and answers each with how the device is. The exit status is 77
 * where it cannot be.
 */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <umockdev.h>
#include <unistd.h>

#include "tests/usb/fake_sysfs.h"
#include "tests/usb/script.h"

#define SKIPPED 77
#define DISK_BYTES (16 * 1024 * 1024)
#define PRELOADED "libumockdev-preload.so.0"
#define NOBODY 65534

struct server {
    struct usbfs usbfs;
    struct usb_script script;
    UMockdevTestbed *testbed;
    UMockdevIoctlBase *handler;
    char *node;       /* as the program knows it; NULL: unplugged */
    char *folder;     /* of the socket */
    int listener;     /* for the script */
    pid_t program;    /* 0: not begun */
    GHashTable *open; /* UMockdevIoctlClient to struct usbfs_file */
};

static struct server server;

/* Nobody waits: a node that is a regular file is always ready. */
static void notify(struct usbfs_file *file)
{
}

/*
 * Nodes. These come on a thread of umockdev's.
 */

static void on_closed(void *opaque, GObject *client)
{
    struct usbfs_file *file;

    g_mutex_lock(&server.usbfs.lock);
    file = g_hash_table_lookup(server.open, client);
    g_hash_table_remove(server.open, client);
    if (file != NULL)
        usbfs_close(file);
    g_mutex_unlock(&server.usbfs.lock);
}

static void on_opened(UMockdevIoctlBase *handler, UMockdevIoctlClient *client, void *opaque)
{
    struct usbfs_file *file;

    g_mutex_lock(&server.usbfs.lock);
    file = usbfs_open(&server.usbfs);
    file->notify = notify;
    g_hash_table_insert(server.open, client, file);
    g_mutex_unlock(&server.usbfs.lock);
    /* umockdev never sends its signal that a client has vanished. */
    g_object_weak_ref(G_OBJECT(client), on_closed, NULL);
}

static gboolean on_ioctl(UMockdevIoctlBase *handler, UMockdevIoctlClient *client, void *opaque)
{
    UMockdevIoctlData *argument = umockdev_ioctl_client_get_arg(client);
    struct usbfs_file *file;
    uint64_t address = 0;
    long result = -EBADF;

    memcpy(&address, argument->data, MIN((size_t)argument->data_len, sizeof(address)));
    g_mutex_lock(&server.usbfs.lock);
    file = g_hash_table_lookup(server.open, client);
    if (file != NULL)
        result =
            usbfs_ioctl(file, server.program, umockdev_ioctl_client_get_request(client), address);
    g_mutex_unlock(&server.usbfs.lock);
    umockdev_ioctl_client_complete(client, result < 0 ? -1 : result, result < 0 ? -result : 0);
    return TRUE;
}

static void plug_in(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = NULL, *path = NULL;
    const uint8_t *bytes;
    size_t size;

    server.node = g_strdup_printf("/dev/bus/usb/001/%03u", server.usbfs.address);
    path = g_strconcat(server.usbfs.root, server.node, NULL);
    folder = g_path_get_dirname(path);
    bytes = scripted_device_descriptors(&server.usbfs.device, &size);
    g_mkdir_with_parents(folder, 0755);
    if (!g_file_set_contents(path, (const char *)bytes, size, &error) ||
        !umockdev_testbed_attach_ioctl(server.testbed, server.node, server.handler, &error))
        fprintf(stderr, "umockdev_usbfs: %s\n", error->message);
    fake_sysfs_add(&server.usbfs);
}

static void tell_plugged(struct usbfs *usbfs)
{
    g_autofree char *path = NULL;

    if (usbfs->plugged) {
        plug_in();
        return;
    }
    path = g_strconcat(usbfs->root, server.node, NULL);
    unlink(path);
    g_clear_pointer(&server.node, g_free);
    fake_sysfs_remove(usbfs);
}

/*
 * The script.
 */

static bool listen_for_script(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_autofree char *path = NULL;

    server.folder = g_dir_make_tmp("umockdev-usbfs.XXXXXX", NULL);
    if (server.folder == NULL)
        return false;
    path = g_build_filename(server.folder, "script", NULL);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    server.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return bind(server.listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
           listen(server.listener, 8) == 0 && g_setenv("USB_SCRIPT", path, TRUE);
}

static void *run_script(void *opaque)
{
    for (;;) {
        int fd = accept(server.listener, NULL, NULL);
        char line[128] = "";
        g_autofree char *text = NULL;

        if (fd < 0)
            return NULL;
        if (recv(fd, line, sizeof(line) - 1, 0) > 0) {
            g_mutex_lock(&server.usbfs.lock);
            usb_script_play(&server.script, line);
            text = usb_script_describe(&server.script);
            g_mutex_unlock(&server.usbfs.lock);
            send(fd, text, strlen(text), MSG_NOSIGNAL);
        }
        close(fd);
    }
}

static int run_program(char **argv)
{
    pid_t child;
    int status;

    /* The ioctls of a child that the program makes could not be told from its own; and its
     * sanitizer, if it has one, comes after umockdev. */
    g_setenv("CK_FORK", "no", TRUE);
    g_setenv("ASAN_OPTIONS", "verify_asan_link_order=0", TRUE);
    g_mutex_lock(&server.usbfs.lock);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        g_setenv("LD_PRELOAD", PRELOADED, TRUE);
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    server.program = child;
    g_mutex_unlock(&server.usbfs.lock);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void clean_up(void)
{
    g_autofree char *path = g_build_filename(server.folder, "script", NULL);

    unlink(path);
    rmdir(server.folder);
    g_object_unref(server.testbed); /* and its folder */
}

int main(int argc, char **argv)
{
    int status;

    if (argc < 2) {
        fprintf(stderr, "usage: umockdev_usbfs PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
        perror("umockdev_usbfs: cannot become an ordinary user");
        return SKIPPED;
    }
    if (access(argv[1], X_OK) != 0 || !listen_for_script()) {
        perror("umockdev_usbfs: an ordinary user cannot run it here");
        return SKIPPED;
    }
    usbfs_init(&server.usbfs, scripted_disk_new(NULL, DISK_BYTES));
    server.testbed = umockdev_testbed_new();
    server.usbfs.root = umockdev_testbed_get_root_dir(server.testbed);
    server.usbfs.drivers_changed = fake_sysfs_drivers;
    server.script =
        (struct usb_script){.usbfs = &server.usbfs, .notify = notify, .plugged = tell_plugged};
    server.open = g_hash_table_new(g_direct_hash, g_direct_equal);
    server.handler = umockdev_ioctl_base_new();
    g_signal_connect(server.handler, "handle-ioctl", G_CALLBACK(on_ioctl), NULL);
    g_signal_connect(server.handler, "client-connected", G_CALLBACK(on_opened), NULL);
    plug_in();
    g_thread_unref(g_thread_new("script", run_script, NULL));
    usbfs_start_clock(&server.usbfs);
    status = run_program(argv + 1);
    clean_up();
    fflush(NULL);
    _exit(status); /* its threads never end */
}
