/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/host/broker.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/log.h"

struct broker_request {
    unsigned number;
    uint8_t bus, address;
    usb_host_opened opened; /* NULL: cancelled */
    void *opaque;
    int failed; /* errno: it was never sent */
};

struct usb_host_broker {
    GSource source; /* must be first */
    char *program;
    int fd; /* -1: not running */
    pid_t pid;
    gpointer tag;
    GQueue pending; /* struct broker_request; answered in this order */
    unsigned last_number;
};

static void stop(struct usb_host_broker *broker)
{
    if (broker->fd < 0)
        return;
    g_source_remove_unix_fd(&broker->source, broker->tag);
    close(broker->fd);
    broker->fd = -1;
    /* Or it would give back what the engine has given back. */
    kill(broker->pid, SIGKILL);
    while (waitpid(broker->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static int spawn(const char *program, int fd, pid_t *ret_pid)
{
    char *argv[] = {(char *)program, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int errnum;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, USB_BROKER_FD);
    posix_spawn_file_actions_addclosefrom_np(&actions, USB_BROKER_FD + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    errnum = posix_spawn(ret_pid, program, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return errnum;
}

/* 0, or an errno value. */
static int start(struct usb_host_broker *broker)
{
    int fds[2], errnum;

    if (broker->fd >= 0)
        return 0;
    if (broker->program == NULL)
        return ENOENT;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
        return errno;
    errnum = spawn(broker->program, fds[1], &broker->pid);
    close(fds[1]);
    if (errnum != 0) {
        log_error("usb", "Cannot start %s: %s", broker->program, g_strerror(errnum));
        close(fds[0]);
        return errnum;
    }
    broker->fd = fds[0];
    broker->tag = g_source_add_unix_fd(&broker->source, broker->fd, G_IO_IN);
    return 0;
}

/* The answer to the first request: a descriptor, or -1 and an errno value. False: none is there. */
static bool receive(struct usb_host_broker *broker, int *ret_fd, int *ret_errnum)
{
    struct usb_broker_reply reply = {EPROTO};
    struct iovec part = {&reply, sizeof(reply)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t size = recvmsg(broker->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    *ret_fd = -1;
    *ret_errnum = size == sizeof(reply) ? reply.errnum : EPIPE;
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
    if (*ret_fd < 0 && *ret_errnum == 0)
        *ret_errnum = EPROTO;
    if (size <= 0)
        stop(broker);
    return true;
}

/* Nobody wants it any more. */
static void discard(struct usb_host_broker *broker, const struct broker_request *request, int fd)
{
    close(fd);
    if (request != NULL)
        usb_host_broker_forget(broker, request->bus, request->address);
}

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    struct usb_host_broker *broker = (struct usb_host_broker *)source;
    struct broker_request *request = g_queue_peek_head(&broker->pending);
    int fd = -1, errnum;

    g_source_set_ready_time(source, -1);
    if (request != NULL && request->failed != 0) {
        errnum = request->failed;
    } else if (broker->fd < 0) {
        errnum = EPIPE; /* it ended while others waited */
    } else if (!receive(broker, &fd, &errnum)) {
        return G_SOURCE_CONTINUE;
    }
    g_queue_pop_head(&broker->pending);
    if (!g_queue_is_empty(&broker->pending) &&
        (broker->fd < 0 ||
         ((struct broker_request *)g_queue_peek_head(&broker->pending))->failed != 0))
        g_source_set_ready_time(source, 0);
    if (request != NULL && request->opened != NULL)
        request->opened(fd, errnum, request->opaque);
    else if (fd >= 0)
        discard(broker, request, fd);
    g_free(request);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.dispatch = dispatch};

struct usb_host_broker *usb_host_broker_new(GMainContext *context, const char *program)
{
    struct usb_host_broker *broker =
        (struct usb_host_broker *)g_source_new(&source_funcs, sizeof(struct usb_host_broker));

    broker->program = g_strdup(program);
    broker->fd = -1;
    g_source_set_name(&broker->source, "USB broker");
    g_source_attach(&broker->source, context);
    return broker;
}

void usb_host_broker_free(struct usb_host_broker *broker)
{
    if (broker == NULL)
        return;
    stop(broker);
    g_source_destroy(&broker->source);
    g_queue_clear_full(&broker->pending, g_free);
    g_free(broker->program);
    g_source_unref(&broker->source);
}

unsigned usb_host_broker_open(struct usb_host_broker *broker, uint8_t bus, uint8_t address,
                              usb_host_opened opened, void *opaque)
{
    const struct usb_broker_request message = {bus, address, 0};
    struct broker_request *request = g_new(struct broker_request, 1);
    int errnum = start(broker);

    if (errnum == 0 && send(broker->fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        errnum = errno;
    if (++broker->last_number == 0)
        broker->last_number = 1;
    *request = (struct broker_request){broker->last_number, bus, address, opened, opaque, errnum};
    g_queue_push_tail(&broker->pending, request);
    if (errnum != 0)
        g_source_set_ready_time(&broker->source, 0);
    return request->number;
}

void usb_host_broker_forget(struct usb_host_broker *broker, uint8_t bus, uint8_t address)
{
    const struct usb_broker_request message = {bus, address, 1};

    if (broker->fd >= 0)
        send(broker->fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void usb_host_broker_cancel(struct usb_host_broker *broker, unsigned number)
{
    for (GList *l = broker->pending.head; l != NULL; l = l->next) {
        struct broker_request *request = l->data;

        if (request->number == number)
            request->opened = NULL;
    }
}
