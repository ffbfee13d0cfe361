/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An engine without a machine: it takes the lock, says READY, and speaks the control protocol by a
 * script, so that each number and character of the interface is known. Started as the real one is
 * (core/launch.h), by VMDESK_ENGINE.
 *
 * $VMDESK_FAKE/NAME.json is the script, read again on SIGUSR1:
 *   "fail": text      the start fails with it
 *   "status", "detail", "screen" (what query-screen returns), "stats" (query-stats)
 *   "images": what query-block-image returns, by device; "job-ends": the work on a disk is done
 * $VMDESK_FAKE/NAME.keys gets the keys that arrive, NAME.serial what the serial line gets,
 * NAME.usb the commands for USB devices, NAME.disk those for disks.
 */
#include <config.h>

#include <glib-unix.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/keys.h"
#include "core/listener.h"
#include "core/paths.h"
#include "core/peer.h"
#include "core/protocol.h"
#include "core/store.h"

#define MAX_OUTPUT (8 * 1024 * 1024)

struct viewer {
    struct fake *fake;
    struct peer *peer;
    struct protocol_reader reader;
    json_t *waiting; /* the id of a query-screen that waits; NULL: none */
    guint patience;  /* source: the end of its wait */
};

struct fake {
    GMainLoop *loop;
    char *name;
    json_t *script;
    json_int_t generation;
    char *cd;
    json_t *job;        /* as query-block-jobs has it; NULL: none */
    GPtrArray *viewers; /* struct viewer * */
    struct peer *serial;
    char *serial_path;
};

static char *script_file(const struct fake *fake, const char *ending)
{
    return g_strconcat(g_getenv("VMDESK_FAKE"), "/", fake->name, ending, NULL);
}

static void load_script(struct fake *fake)
{
    g_autofree char *path = script_file(fake, ".json");
    json_t *script = json_load_file(path, 0, NULL);

    json_decref(fake->script);
    fake->script = script ? script : json_object();
    fake->generation++;
}

static const char *script_text(const struct fake *fake, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(fake->script, key));

    return text ? text : otherwise;
}

static void append(const struct fake *fake, const char *ending, const void *bytes, size_t size)
{
    g_autofree char *path = script_file(fake, ending);
    FILE *file = fopen(path, "a");

    if (file) {
        fwrite(bytes, 1, size, file);
        fclose(file);
    }
}

static void send_message(struct viewer *viewer, json_t *message)
{
    size_t size;
    g_autofree char *line = protocol_format(message, PROTOCOL_MAX_REPLY, &size, NULL);

    if (line)
        peer_send(viewer->peer, line, size);
}

static void tell_all(struct fake *fake, const char *event, json_t *data)
{
    for (guint i = 0; i < fake->viewers->len; i++)
        send_message(fake->viewers->pdata[i], protocol_event(event, json_incref(data)));
    json_decref(data);
}

static void set_status(struct fake *fake, const char *status)
{
    json_object_set_new(fake->script, "status", json_string(status));
}

static json_t *screen(struct fake *fake)
{
    json_t *result = json_object_get(fake->script, "screen");

    result = result ? json_deep_copy(result) : json_pack("{s:s}", "mode", "blank");
    json_object_set_new(result, "generation", json_integer(fake->generation));
    return result;
}

static void note_keys(struct fake *fake, const json_t *arguments)
{
    const json_t *event;
    size_t i;

    json_array_foreach(json_object_get(arguments, "events"), i, event)
    {
        const json_t *data = json_object_get(event, "data");
        json_int_t qnum = json_integer_value(json_object_get(json_object_get(data, "key"), "data"));
        const char *key = key_to_name((uint8_t)qnum);
        g_autofree char *line =
            g_strdup_printf("%s %s\n", json_is_true(json_object_get(data, "down")) ? "down" : "up",
                            key ? key : "?");

        append(fake, ".keys", line, strlen(line));
    }
}

static void note_usb(struct fake *fake, const char *command, const json_t *arguments)
{
    const char *device = json_string_value(json_object_get(arguments, "device"));
    const char *rules = json_string_value(json_object_get(arguments, "rules"));
    g_autofree char *line = g_strdup_printf("%s %s\n", command, device ? device : rules);

    append(fake, ".usb", line, strlen(line));
}

/* A job is at 40 of 100 until it is cancelled, or the script ends it. */
static void run_disk(struct fake *fake, const char *command, const json_t *arguments)
{
    const char *device = json_string_value(json_object_get(arguments, "device"));
    const char *name = json_string_value(json_object_get(arguments, "name"));
    const char *new_name = json_string_value(json_object_get(arguments, "new-name"));
    json_int_t size = json_integer_value(json_object_get(arguments, "size"));
    g_autofree char *size_text =
        size != 0 ? g_strdup_printf("%" JSON_INTEGER_FORMAT, size) : g_strdup("");
    g_autofree char *line =
        g_strdup_printf("%s %s %s%s%s%s\n", command, device ? device : "", name ? name : "",
                        new_name ? " " : "", new_name ? new_name : "", size_text);

    append(fake, ".disk", line, strlen(line));
    if (strcmp(command, "block-job-cancel") == 0 && fake->job)
        tell_all(fake, "BLOCK_JOB_CANCELLED", g_steal_pointer(&fake->job));
    else if (strcmp(command, "block-stream") == 0 || strcmp(command, "block-commit") == 0)
        fake->job = json_pack("{s:s,s:s,s:i,s:i}", "type", command + strlen("block-"), "device",
                              device, "len", 100, "offset", 40);
}

static json_t *run_query(struct fake *fake, const char *command, const json_t *arguments)
{
    const char *device = json_string_value(json_object_get(arguments, "device"));

    if (strcmp(command, "query-block-image") == 0)
        return json_incref(
            json_object_get(json_object_get(fake->script, "images"), device ? device : ""));
    if (strcmp(command, "query-block-jobs") == 0)
        return fake->job ? json_pack("[O]", fake->job) : json_array();
    if (strcmp(command, "query-status") == 0)
        return json_pack("{s:s,s:s,s:s,s:s}", "status", script_text(fake, "status", "running"),
                         "detail", script_text(fake, "detail", ""), "accel", "kvm", "accel-reason",
                         "KVM: this host's KVM runs guest code natively");
    if (strcmp(command, "query-stats") == 0)
        return json_incref(json_object_get(fake->script, "stats"));
    if (strcmp(command, "query-vnc") == 0)
        return json_pack("{s:b,s:s,s:s,s:s,s:s,s:[]}", "enabled", 1, "family", "ipv4", "host",
                         "127.0.0.1", "service", "5901", "auth", "none", "clients");
    if (strcmp(command, "query-serial") == 0)
        return json_pack("{s:b,s:s}", "enabled", 1, "path", fake->serial_path);
    if (strcmp(command, "query-block") == 0 && fake->cd)
        return json_pack("[{s:s,s:b,s:b,s:{s:s}}]", "device", "cd0", "removable", 1, "locked", 0,
                         "inserted", "file", fake->cd);
    if (strcmp(command, "query-block") == 0)
        return json_pack("[{s:s,s:b,s:b}]", "device", "cd0", "removable", 1, "locked", 0);
    return NULL;
}

static void run_action(struct fake *fake, const char *command, const json_t *arguments)
{
    if (strcmp(command, "stop") == 0) {
        set_status(fake, "paused");
        tell_all(fake, "STOP", NULL);
    } else if (strcmp(command, "cont") == 0) {
        set_status(fake, "running");
        tell_all(fake, "RESUME", NULL);
    } else if (strcmp(command, "system_reset") == 0) {
        tell_all(fake, "RESET", json_pack("{s:b}", "guest", 0));
    } else if (strcmp(command, "quit") == 0) {
        tell_all(fake, "SHUTDOWN", json_pack("{s:b,s:s}", "guest", 0, "reason", "host-quit"));
        g_main_loop_quit(fake->loop);
    } else if (strcmp(command, "input-send-event") == 0) {
        note_keys(fake, arguments);
    } else if (g_str_has_prefix(command, "block-") || g_str_has_prefix(command, "block_") ||
               g_str_has_prefix(command, "blockdev-snap")) {
        run_disk(fake, command, arguments);
    } else if (g_str_has_prefix(command, "usb-")) {
        note_usb(fake, command, arguments);
    } else if (strcmp(command, "eject") == 0) {
        g_clear_pointer(&fake->cd, g_free);
        tell_all(fake, "DEVICE_TRAY_MOVED",
                 json_pack("{s:s,s:b}", "device", "cd0", "tray-open", 1));
    } else if (strcmp(command, "blockdev-change-medium") == 0) {
        g_free(fake->cd);
        fake->cd = g_strdup(json_string_value(json_object_get(arguments, "filename")));
        tell_all(fake, "DEVICE_TRAY_MOVED",
                 json_pack("{s:s,s:b}", "device", "cd0", "tray-open", 0));
    }
}

static void answer_waiting(struct viewer *viewer, json_t *result)
{
    g_clear_handle_id(&viewer->patience, g_source_remove);
    if (viewer->waiting)
        send_message(viewer, protocol_return(viewer->waiting, json_incref(result)));
    g_clear_pointer(&viewer->waiting, json_decref);
    json_decref(result);
}

static gboolean wait_is_over(gpointer opaque)
{
    struct viewer *viewer = opaque;

    viewer->patience = 0;
    answer_waiting(viewer,
                   json_pack("{s:I,s:b}", "generation", viewer->fake->generation, "unchanged", 1));
    return G_SOURCE_REMOVE;
}

static void query_screen(struct viewer *viewer, json_t *id, const json_t *arguments)
{
    struct fake *fake = viewer->fake;
    json_int_t wait = json_integer_value(json_object_get(arguments, "wait"));

    if (json_integer_value(json_object_get(arguments, "since")) < fake->generation) {
        send_message(viewer, protocol_return(id, screen(fake)));
        return;
    }
    g_clear_handle_id(&viewer->patience, g_source_remove);
    json_decref(viewer->waiting);
    viewer->waiting = json_incref(id);
    viewer->patience = g_timeout_add((guint)wait, wait_is_over, viewer);
}

static void run_line(struct viewer *viewer, const char *line, size_t size)
{
    struct fake *fake = viewer->fake;
    json_t *message = protocol_parse(line, size, NULL);
    const char *command = json_string_value(json_object_get(message, "execute"));
    const json_t *arguments = json_object_get(message, "arguments");
    json_t *id = json_object_get(message, "id");

    if (g_strcmp0(command, "query-screen") == 0) {
        query_screen(viewer, id, arguments);
    } else if (command) {
        send_message(viewer, protocol_return(id, run_query(fake, command, arguments)));
        run_action(fake, command, arguments);
    }
    json_decref(message);
}

static void viewer_free(struct viewer *viewer)
{
    g_ptr_array_remove_fast(viewer->fake->viewers, viewer);
    peer_free(viewer->peer);
    protocol_reader_finish(&viewer->reader);
    json_decref(viewer->waiting);
    g_clear_handle_id(&viewer->patience, g_source_remove);
    g_free(viewer);
}

static void viewer_received(const uint8_t *data, size_t size, void *opaque)
{
    struct viewer *viewer = opaque;
    const char *line;
    size_t length;

    while (protocol_reader_next(&viewer->reader, &data, &size, &line, &length))
        run_line(viewer, line, length);
}

static void viewer_closed(int errnum, void *opaque)
{
    viewer_free(opaque);
}

static void viewer_came(int fd, void *opaque)
{
    static const struct peer_handlers handlers = {viewer_received, viewer_closed};
    struct fake *fake = opaque;
    struct viewer *viewer = g_new0(struct viewer, 1);

    viewer->fake = fake;
    viewer->peer = peer_new(NULL, fd, MAX_OUTPUT, &handlers, viewer);
    protocol_reader_init(&viewer->reader, PROTOCOL_MAX_COMMAND);
    g_ptr_array_add(fake->viewers, viewer);
    send_message(viewer, protocol_greeting());
}

static void serial_received(const uint8_t *data, size_t size, void *opaque)
{
    struct fake *fake = opaque;

    append(fake, ".serial", data, size);
    peer_send(fake->serial, data, size);
}

static void serial_closed(int errnum, void *opaque)
{
    struct fake *fake = opaque;

    g_clear_pointer(&fake->serial, peer_free);
}

static void serial_came(int fd, void *opaque)
{
    static const struct peer_handlers handlers = {serial_received, serial_closed};
    static const char greeting[] = "\033[1;32mserial line\033[0m of the fake\r\n";
    struct fake *fake = opaque;

    peer_free(fake->serial);
    fake->serial = peer_new(NULL, fd, MAX_OUTPUT, &handlers, fake);
    peer_send(fake->serial, greeting, strlen(greeting));
}

/* The status's own event. */
static void tell_status(struct fake *fake)
{
    const char *status = script_text(fake, "status", "running");
    const char *detail = script_text(fake, "detail", "");

    if (strcmp(status, "guest-panicked") == 0)
        tell_all(fake, "GUEST_PANICKED", json_pack("{s:s}", "detail", detail));
    else if (strcmp(status, "internal-error") == 0)
        tell_all(fake, "INTERNAL_ERROR", json_pack("{s:s}", "detail", detail));
    else
        tell_all(fake, strcmp(status, "paused") == 0 ? "STOP" : "RESUME", NULL);
}

static gboolean script_changed(gpointer opaque)
{
    struct fake *fake = opaque;

    load_script(fake);
    tell_status(fake);
    if (json_object_get(fake->script, "job-ends") && fake->job)
        tell_all(fake, "BLOCK_JOB_COMPLETED", g_steal_pointer(&fake->job));
    for (guint i = 0; i < fake->viewers->len; i++)
        answer_waiting(fake->viewers->pdata[i], screen(fake));
    return G_SOURCE_CONTINUE;
}

static int fail(int ready, const char *text)
{
    dprintf(ready, "ERROR %s\n", text);
    fprintf(stderr, "%s\n", text);
    return 1;
}

static int serve(struct fake *fake, const char *runtime, int ready)
{
    g_autofree char *path = g_build_filename(runtime, PATHS_CONTROL_SOCKET, NULL);
    struct listener *control, *serial;

    fake->serial_path = g_build_filename(runtime, PATHS_SERIAL_SOCKET, NULL);
    control = listener_new(NULL, path, viewer_came, fake, NULL);
    serial = listener_new(NULL, fake->serial_path, serial_came, fake, NULL);
    if (!control || !serial)
        return fail(ready, "The fake engine cannot listen.");
    g_unix_signal_add(SIGUSR1, script_changed, fake);
    fprintf(stderr, "2024-02-03 04:05:06.789 info fake: %s is ready\n", fake->name);
    dprintf(ready, "READY\n");
    close(ready);
    g_main_loop_run(fake->loop);
    listener_free(control);
    listener_free(serial);
    return 0;
}

int main(int argc, char **argv)
{
    const char *folder = argc == 3 ? argv[2] : "";
    int ready = argc == 3 && g_str_has_prefix(argv[1], "--ready-fd=") ? atoi(argv[1] + 11) : -1;
    g_autofree char *name = g_path_get_basename(folder);
    g_autofree char *runtime = paths_runtime(name, NULL);
    struct fake fake = {.name = name};
    g_autoptr(GError) error = NULL;
    struct machine_lock *lock;
    int status;

    if (ready < 0 || !runtime || !g_getenv("VMDESK_FAKE"))
        return 2;
    fake.loop = g_main_loop_new(NULL, FALSE);
    fake.viewers = g_ptr_array_new();
    load_script(&fake);
    lock = paths_create_runtime(runtime, &error) ? machine_lock_acquire(folder, runtime, &error)
                                                 : NULL;
    if (!lock)
        status = fail(ready, error->message);
    else if (*script_text(&fake, "fail", ""))
        status = fail(ready, script_text(&fake, "fail", ""));
    else
        status = serve(&fake, runtime, ready);
    while (fake.viewers->len)
        viewer_free(fake.viewers->pdata[0]);
    g_ptr_array_unref(fake.viewers);
    peer_free(fake.serial);
    g_main_loop_unref(fake.loop);
    json_decref(fake.script);
    g_free(fake.cd);
    g_free(fake.serial_path);
    machine_lock_release(lock);
    return status;
}
