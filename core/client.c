/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One peer, one timer. Everything happens in what they call, so that a callback never runs inside a
 * call of the user's; each holds a reference, so that a callback may free the client.
 */
#include "core/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.h"
#include "core/peer.h"
#include "core/protocol.h"

#define MAX_OUTPUT (1024 * 1024)
#define CONNECT_RETRY_US (50 * 1000)
#define NEGOTIATION_ID 0

enum client_state {
    CLIENT_CONNECTING,
    CLIENT_GREETING,    /* connected; nothing is sent before the greeting came */
    CLIENT_NEGOTIATING, /* sending; the first answer is that to qmp_capabilities */
    CLIENT_READY,
    CLIENT_CLOSED,
};

struct request {
    uint64_t id;
    gint64 deadline;
    GError *failure; /* what to answer at once */
    client_reply reply;
    void *opaque;
};

struct client {
    unsigned references;
    bool freed;
    GMainContext *context;
    char *path;
    struct client_handlers handlers;
    void *opaque;

    enum client_state state;
    gint64 deadline; /* of the negotiation */
    gint64 retry_at; /* to connect */
    GError *close_error;
    int fd;            /* while connecting */
    struct peer *peer; /* from then on */
    GSource *timer;

    struct protocol_reader reader;
    GByteArray *early; /* what waits for the greeting; starts with qmp_capabilities */

    uint64_t next_id;
    GQueue pending; /* struct request */
};

static void client_unref(struct client *client)
{
    if (--client->references > 0)
        return;
    protocol_reader_finish(&client->reader);
    g_byte_array_unref(client->early);
    g_main_context_unref(client->context);
    g_clear_error(&client->close_error);
    g_free(client->path);
    g_free(client);
}

static void request_free(struct request *request)
{
    g_clear_error(&request->failure);
    g_free(request);
}

static struct request *find_request(struct client *client, uint64_t id)
{
    for (GList *l = client->pending.head; l != NULL; l = l->next) {
        struct request *request = l->data;

        if (request->id == id)
            return request;
    }
    return NULL;
}

/* Takes the request off the list before its callback runs, which may do anything. */
static void answer(struct client *client, struct request *request, const json_t *result,
                   const GError *error)
{
    g_queue_remove(&client->pending, request);
    if (request->reply != NULL)
        request->reply(result, error, request->opaque);
    request_free(request);
}

static gint64 deadline_in(unsigned ms)
{
    return g_get_monotonic_time() + (gint64)ms * 1000;
}

/* Sets the timer to the next thing to do by time. */
static void set_timer(struct client *client)
{
    gint64 next = -1;

    if (client->state == CLIENT_CONNECTING)
        next = MIN(client->deadline, client->retry_at);
    else if (client->state < CLIENT_READY)
        next = client->deadline;
    for (GList *l = client->pending.head; l != NULL; l = l->next) {
        struct request *request = l->data;
        gint64 due = request->failure != NULL ? 0 : request->deadline;

        if (next < 0 || due < next)
            next = due;
    }
    g_source_set_ready_time(client->timer, next);
}

static void drop_connection(struct client *client)
{
    g_clear_pointer(&client->peer, peer_free);
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

/* Never from inside a call of the user's. Takes error. */
static void client_close(struct client *client, GError *error)
{
    const uint64_t end = client->next_id;
    struct request *request;

    client->state = CLIENT_CLOSED;
    client->close_error = error;
    drop_connection(client);
    /* What the callbacks add is left to the timer. */
    while (!client->freed && (request = g_queue_peek_head(&client->pending)) != NULL &&
           request->id < end)
        answer(client, request, NULL, request->failure != NULL ? request->failure : error);
    if (!client->freed && client->handlers.closed != NULL)
        client->handlers.closed(error, client->opaque);
}

static void client_fail(struct client *client, enum vmdesk_error code, const char *what,
                        const char *hint)
{
    client_close(client, g_error_new(VMDESK_ERROR, code, "The engine at %s %s: %s.", client->path,
                                     what, hint));
}

static void on_greeting(struct client *client, const json_t *message)
{
    if (!json_is_object(json_object_get(message, "QMP"))) {
        client_fail(client, VMDESK_ERROR_PROTOCOL, "is not an engine", "it did not greet");
        return;
    }
    client->state = CLIENT_NEGOTIATING;
    peer_send(client->peer, client->early->data, client->early->len);
    g_byte_array_set_size(client->early, 0);
}

static void on_negotiated(struct client *client, const json_t *result)
{
    if (result == NULL) {
        client_fail(client, VMDESK_ERROR_PROTOCOL, "refused the negotiation",
                    "it may be of another version");
        return;
    }
    client->state = CLIENT_READY;
    set_timer(client);
    if (client->handlers.connected != NULL)
        client->handlers.connected(client->opaque);
}

static void on_event(struct client *client, const json_t *message)
{
    const char *name = json_string_value(json_object_get(message, "event"));
    json_t *data = json_object_get(message, "data");

    if (name == NULL || client->state != CLIENT_READY || client->handlers.event == NULL)
        return;
    data = json_is_object(data) ? json_incref(data) : json_object();
    client->handlers.event(name, data, client->opaque);
    json_decref(data);
}

static void on_reply(struct client *client, const json_t *message)
{
    const json_t *id = json_object_get(message, "id"), *result = json_object_get(message, "return");
    g_autoptr(GError) error = NULL;
    struct request *request;

    if (result == NULL)
        protocol_take_error(json_object_get(message, "error"), &error);
    if (id == NULL) {
        /* Not about a command: the engine refuses the connection, and says why. */
        if (error == NULL)
            g_set_error(&error, VMDESK_ERROR, VMDESK_ERROR_PROTOCOL,
                        "The engine at %s answered what was not asked.", client->path);
        client_close(client, g_steal_pointer(&error));
    } else if (client->state == CLIENT_NEGOTIATING) {
        on_negotiated(client, json_integer_value(id) == NEGOTIATION_ID ? result : NULL);
    } else if ((request = find_request(client, json_integer_value(id))) != NULL) {
        answer(client, request, result, error);
    }
    /* Else it came too late, or nobody wants it any more. */
}

static void on_message(struct client *client, const json_t *message)
{
    bool is_error = json_object_get(message, "error") != NULL;

    if (client->state == CLIENT_GREETING && !is_error)
        on_greeting(client, message);
    else if (json_object_get(message, "event") != NULL)
        on_event(client, message);
    else
        on_reply(client, message);
}

static void take_lines(struct client *client, const uint8_t *data, size_t size)
{
    const char *line;
    size_t length;

    while (protocol_reader_next(&client->reader, &data, &size, &line, &length)) {
        g_autoptr(GError) error = NULL;
        json_t *message = protocol_parse(line, length, &error);

        if (message == NULL) {
            client_fail(client, VMDESK_ERROR_PROTOCOL, "sent garbage", error->message);
            return;
        }
        on_message(client, message);
        json_decref(message);
        if (client->freed || client->state == CLIENT_CLOSED)
            return;
    }
    if (client->reader.overlong)
        client_fail(client, VMDESK_ERROR_PROTOCOL, "sent a line that is too long", "it is broken");
}

static void on_received(const uint8_t *data, size_t size, void *opaque)
{
    struct client *client = opaque;

    client->references++;
    take_lines(client, data, size);
    if (!client->freed)
        set_timer(client);
    client_unref(client);
}

static void on_closed(int errnum, void *opaque)
{
    struct client *client = opaque;

    client->references++;
    client_fail(client, VMDESK_ERROR_GONE, "closed the connection",
                errnum == 0 ? "its log may say why" : g_strerror(errnum));
    if (!client->freed)
        set_timer(client);
    client_unref(client);
}

static const struct peer_handlers peer_handlers = {.received = on_received, .closed = on_closed};

/* Never waits: EAGAIN says that the listener's queue is full. */
static void try_connect(struct client *client)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(client->path) >= sizeof(address.sun_path)) {
        client_fail(client, VMDESK_ERROR_INVALID, "cannot be reached",
                    "the path is too long for a socket");
        return;
    }
    strcpy(address.sun_path, client->path);
    if (client->fd < 0)
        client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd >= 0 && connect(client->fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        client->state = CLIENT_GREETING;
        client->peer = peer_new(client->context, client->fd, MAX_OUTPUT, &peer_handlers, client);
        client->fd = -1;
    } else if (errno == ENOENT || errno == ECONNREFUSED) {
        client_fail(client, VMDESK_ERROR_NOT_FOUND, "does not run", "start the machine");
    } else if (errno == EAGAIN || errno == EINTR) {
        client->retry_at = g_get_monotonic_time() + CONNECT_RETRY_US;
    } else {
        client_fail(client, errno == EACCES ? VMDESK_ERROR_PERMISSION : VMDESK_ERROR_IO,
                    "cannot be reached", g_strerror(errno));
    }
}

/* Answers the requests that are due; not those that their callbacks add. */
static void expire_requests(struct client *client)
{
    const uint64_t end = client->next_id;
    const gint64 now = g_get_monotonic_time();
    GList *l = client->pending.head;

    while (!client->freed && l != NULL) {
        struct request *request = l->data;

        l = l->next;
        if (request->id >= end || (request->failure == NULL && request->deadline > now))
            continue;
        if (request->failure == NULL)
            request->failure =
                g_error_new(VMDESK_ERROR, VMDESK_ERROR_TIMEOUT,
                            "The engine at %s did not answer in time: it may hang.", client->path);
        answer(client, request, NULL, request->failure);
        /* The callback may have taken any other request off the list. */
        l = client->freed ? NULL : client->pending.head;
    }
}

static gboolean on_timer(void *opaque)
{
    struct client *client = opaque;

    client->references++;
    expire_requests(client);
    if (!client->freed && client->state < CLIENT_READY &&
        g_get_monotonic_time() >= client->deadline)
        client_fail(client, VMDESK_ERROR_TIMEOUT, "did not answer in time", "it may hang");
    else if (!client->freed && client->state == CLIENT_CONNECTING)
        try_connect(client);
    if (!client->freed)
        set_timer(client);
    client_unref(client);
    return G_SOURCE_CONTINUE;
}

static gboolean dispatch_timer(GSource *source, GSourceFunc callback, void *opaque)
{
    return callback(opaque);
}

static GSourceFuncs timer_funcs = {.dispatch = dispatch_timer};

static bool send_command(struct client *client, uint64_t id, const char *command, json_t *arguments,
                         GError **err)
{
    json_t *message = json_pack("{s:s,s:o*,s:I}", "execute", command, "arguments", arguments, "id",
                                (json_int_t)id);
    size_t size = 0;
    g_autofree char *line = protocol_format(message, PROTOCOL_MAX_COMMAND, &size, err);

    if (line == NULL)
        return false;
    if (client->state < CLIENT_NEGOTIATING && size <= MAX_OUTPUT - client->early->len)
        g_byte_array_append(client->early, (uint8_t *)line, size);
    else if (client->state < CLIENT_NEGOTIATING || !peer_send(client->peer, line, size))
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The engine at %s takes no commands: it may hang.", client->path);
    return true;
}

static struct client *client_start(GMainContext *context, const char *path, unsigned timeout_ms,
                                   const struct client_handlers *handlers, void *opaque)
{
    struct client *client = g_new0(struct client, 1);

    client->references = 1;
    client->context = g_main_context_ref(context != NULL ? context : g_main_context_default());
    client->path = g_strdup(path);
    if (handlers != NULL)
        client->handlers = *handlers;
    client->opaque = opaque;
    client->deadline = deadline_in(timeout_ms);
    client->fd = -1;
    client->next_id = NEGOTIATION_ID + 1;
    client->early = g_byte_array_new();
    protocol_reader_init(&client->reader, PROTOCOL_MAX_REPLY);
    send_command(client, NEGOTIATION_ID, "qmp_capabilities", NULL, NULL);
    client->timer = g_source_new(&timer_funcs, sizeof(GSource));
    g_source_set_callback(client->timer, on_timer, client, NULL);
    g_source_set_ready_time(client->timer, 0);
    g_source_attach(client->timer, client->context);
    return client;
}

struct client *client_new(GMainContext *context, const char *path,
                          const struct client_handlers *handlers, void *opaque)
{
    return client_start(context, path, CLIENT_TIMEOUT_MS, handlers, opaque);
}

void client_free(struct client *client)
{
    if (client == NULL)
        return;
    client->freed = true;
    drop_connection(client);
    g_source_destroy(client->timer);
    g_source_unref(client->timer);
    g_queue_clear_full(&client->pending, (GDestroyNotify)request_free);
    client_unref(client);
}

bool client_is_connected(const struct client *client)
{
    return client->state == CLIENT_READY;
}

uint64_t client_execute(struct client *client, const char *command, json_t *arguments,
                        unsigned timeout_ms, client_reply reply, void *opaque)
{
    struct request *request = g_new0(struct request, 1);
    uint64_t id = client->next_id++;

    *request = (struct request){.id = id,
                                .deadline = deadline_in(timeout_ms),
                                .reply = reply,
                                .opaque = opaque};
    if (client->state == CLIENT_CLOSED) {
        request->failure = g_error_copy(client->close_error);
        json_decref(arguments);
    } else if (g_queue_get_length(&client->pending) >= CLIENT_MAX_PENDING) {
        vmdesk_fail(&request->failure, VMDESK_ERROR_BUSY,
                    "The engine at %s has too many commands to answer: wait.", client->path);
        json_decref(arguments);
    } else {
        send_command(client, id, command, arguments, &request->failure);
    }
    g_queue_push_tail(&client->pending, request);
    set_timer(client);
    return id;
}

void client_cancel(struct client *client, uint64_t id)
{
    struct request *request = find_request(client, id);

    if (request == NULL)
        return;
    g_queue_remove(&client->pending, request);
    request_free(request);
}

struct client *client_connect(const char *path, unsigned timeout_ms,
                              const struct client_handlers *handlers, void *opaque, GError **err)
{
    g_autoptr(GMainContext) context = g_main_context_new();
    struct client *client = client_start(context, path, timeout_ms, NULL, opaque);

    while (client->state < CLIENT_READY)
        g_main_context_iteration(context, TRUE);
    if (client->state == CLIENT_CLOSED) {
        g_propagate_error(err, g_steal_pointer(&client->close_error));
        client_free(client);
        return NULL;
    }
    if (handlers != NULL)
        client->handlers = *handlers;
    return client;
}

struct call {
    bool done;
    json_t *result;
    GError *error;
};

static void on_call_reply(const json_t *result, const GError *error, void *opaque)
{
    struct call *call = opaque;

    call->done = true;
    call->result = json_incref((json_t *)result);
    call->error = error != NULL ? g_error_copy(error) : NULL;
}

json_t *client_call(struct client *client, const char *command, json_t *arguments,
                    unsigned timeout_ms, GError **err)
{
    struct call call = {false};

    client_execute(client, command, arguments, timeout_ms, on_call_reply, &call);
    while (!call.done)
        g_main_context_iteration(client->context, TRUE);
    if (call.error != NULL)
        g_propagate_error(err, call.error);
    return call.result;
}

static gboolean set_flag(void *opaque)
{
    *(bool *)opaque = true;
    return G_SOURCE_REMOVE;
}

bool client_wait(struct client *client, const bool *done, unsigned timeout_ms)
{
    bool over = false;
    GSource *timeout = g_timeout_source_new(timeout_ms);

    g_source_set_callback(timeout, set_flag, &over, NULL);
    g_source_attach(timeout, client->context);
    while (!*done && !over && client->state != CLIENT_CLOSED)
        g_main_context_iteration(client->context, TRUE);
    g_source_destroy(timeout);
    g_source_unref(timeout);
    return *done;
}
