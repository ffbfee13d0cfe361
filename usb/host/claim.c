/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/host/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"

#define MACHINE_MAX_BYTES 255

struct usb_host_claim {
    int fd;
};

/* Machines' names, whose folders are beside it, never start with a dot. */
static char *claim_path(const char *folder, const char *port)
{
    g_autofree char *name = g_strconcat(".usb-", port, NULL);

    return g_build_filename(folder, name, NULL);
}

static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static bool write_machine(int fd, const char *machine)
{
    ssize_t size = strlen(machine);

    return ftruncate(fd, 0) == 0 && pwrite(fd, machine, size, 0) == size;
}

/* The file stays when the lock is given back: removing it would take it away from whoever has
 * opened it and is about to lock it. */
struct usb_host_claim *usb_host_claim_acquire(const char *folder, const char *port,
                                              const char *machine, GError **err)
{
    g_autofree char *path = claim_path(folder, port);
    struct flock lock = whole_file();
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct usb_host_claim *claim;

    if (fd < 0) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot open the lock %s", path);
        return NULL;
    }
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        g_autofree char *holder = usb_host_claim_query(folder, port);

        close(fd);
        vmdesk_fail(err, VMDESK_ERROR_BUSY,
                    "The USB device at %s is in use by %s%s: detach it there first.", port,
                    holder != NULL && *holder != '\0' ? "the machine " : "another machine",
                    holder != NULL ? holder : "");
        return NULL;
    }
    if (!write_machine(fd, machine)) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot write the lock %s", path);
        close(fd);
        return NULL;
    }
    claim = g_new(struct usb_host_claim, 1);
    claim->fd = fd;
    return claim;
}

void usb_host_claim_release(struct usb_host_claim *claim)
{
    if (claim == NULL)
        return;
    close(claim->fd);
    g_free(claim);
}

char *usb_host_claim_query(const char *folder, const char *port)
{
    g_autofree char *path = claim_path(folder, port);
    struct flock lock = whole_file();
    char text[MACHINE_MAX_BYTES + 1];
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char *machine = NULL;

    if (fd < 0)
        return NULL;
    if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) {
        ssize_t size = read(fd, text, MACHINE_MAX_BYTES);

        text[MAX(size, 0)] = '\0';
        machine = g_utf8_make_valid(text, -1);
    }
    close(fd);
    return machine;
}
