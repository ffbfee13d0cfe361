/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "core/error.h"
#include "core/launch.h"
#include "core/paths.h"
#include "core/text.h"
#include "ui/tui/model.h"

/* An engine that lets a command wait for longer does not answer. */
#define ANSWER_MS 3000
#define USB_MS 30000
#define STATISTICS_MS 1000
/* An engine that is coming up holds the lock before its socket is there. */
#define CONNECT_RETRY_MS 200
#define CONNECT_SLOW_RETRY_MS 2000
#define CONNECT_FAST_RETRIES 25

/* Bytes of a text from elsewhere that are shown. */
#define FOREIGN_TEXT_MAX 4096

struct model {
    struct store *store;
    struct store_watch *watch;
    const struct model_handlers *handlers;
    void *opaque;
    GPtrArray *machines; /* struct vm * */
    bool going;
    unsigned connections; /* so far */
    guint statistics;     /* source */
};

static void vm_connect(struct vm *vm);
static void vm_ask_status(struct vm *vm);

static void changed(struct model *model)
{
    model->handlers->changed(model->opaque);
}

/* What an engine says, fit for the screen. */
static char *clean(const char *text, bool keep_lines)
{
    return text ? text_sanitize(text, (gssize)strnlen(text, FOREIGN_TEXT_MAX), keep_lines) : NULL;
}

static void report(struct model *model, enum role role, const char *text)
{
    g_autofree char *line = clean(text, false);

    model->handlers->message(role, line, model->opaque);
}

static void set_state(struct vm *vm, enum vm_state state, const char *detail)
{
    g_free(vm->detail);
    vm->detail = clean(detail && *detail ? detail : NULL, true);
    vm->state = state;
    changed(vm->model);
}

static void set_text(char **text, const char *value)
{
    g_free(*text);
    *text = clean(value, false);
}

static void forget_engine(struct vm *vm)
{
    client_free(vm->client);
    vm->client = NULL;
    vm->connection = 0;
    g_clear_handle_id(&vm->retry, g_source_remove);
    vm->stats_pending = vm->probing = false;
    g_clear_pointer(&vm->accel, g_free);
    g_clear_pointer(&vm->vnc, g_free);
    g_clear_pointer(&vm->serial, g_free);
    g_clear_pointer(&vm->cd, g_free);
    vm->cd_drive = vm->cd_locked = false;
    vm->guest_time_ns = vm->memory_resident = vm->engine_memory = 0;
    vm->cpu_when = 0;
    vm->cpu = -1;
    vm->cpu_count = 0;
}

static void vm_free(void *data)
{
    struct vm *vm = data;

    forget_engine(vm);
    launch_free(vm->launch);
    store_machine_free(vm->disk);
    g_free(vm->detail);
    g_free(vm->name);
    g_free(vm);
}

/*
 * What engines say.
 */

static void not_answering(struct vm *vm)
{
    if (vm->state == VM_UNANSWERED)
        return;
    set_state(vm, VM_UNANSWERED,
              "The engine does not answer. Wait for it, or force the machine off.");
}

static void answered(struct vm *vm, const GError *error)
{
    if (g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_TIMEOUT)) {
        not_answering(vm);
        vm_ask_status(vm);
    }
}

static enum vm_state state_from_status(const char *status)
{
    static const struct {
        const char *status;
        enum vm_state state;
    } states[] = {
        {"prelaunch", VM_PAUSED}, {"running", VM_RUNNING},        {"paused", VM_PAUSED},
        {"shutdown", VM_ENDING},  {"guest-panicked", VM_CRASHED}, {"internal-error", VM_STUCK},
    };

    for (size_t i = 0; status && i < G_N_ELEMENTS(states); i++) {
        if (strcmp(status, states[i].status) == 0)
            return states[i].state;
    }
    return VM_UNANSWERED;
}

static void take_status(const json_t *result, const GError *error, void *opaque)
{
    struct vm *vm = opaque;

    vm->probing = false;
    if (error) {
        answered(vm, error);
        return;
    }
    set_text(&vm->accel, json_string_value(json_object_get(result, "accel-reason")));
    set_state(vm, state_from_status(json_string_value(json_object_get(result, "status"))),
              json_string_value(json_object_get(result, "detail")));
}

static void vm_ask_status(struct vm *vm)
{
    if (!vm->client || vm->probing)
        return;
    vm->probing = true;
    client_execute(vm->client, "query-status", NULL, ANSWER_MS, take_status, vm);
}

static void take_vnc(const json_t *result, const GError *error, void *opaque)
{
    struct vm *vm = opaque;
    const char *family, *host, *service;
    g_autofree char *address = NULL;

    answered(vm, error);
    if (error)
        return;
    family = json_string_value(json_object_get(result, "family"));
    host = json_string_value(json_object_get(result, "host"));
    service = json_string_value(json_object_get(result, "service"));
    if (json_is_true(json_object_get(result, "enabled")) && family && service) {
        if (strcmp(family, "unix") == 0)
            address = g_strdup(service);
        else
            address = g_strdup_printf("%s::%s", host ? host : "", service);
    }
    set_text(&vm->vnc, address);
    changed(vm->model);
}

static void take_serial(const json_t *result, const GError *error, void *opaque)
{
    struct vm *vm = opaque;

    answered(vm, error);
    if (error)
        return;
    g_free(vm->serial); /* a path: not for the screen */
    vm->serial = g_strdup(json_string_value(json_object_get(result, "path")));
    changed(vm->model);
}

static void take_block(const json_t *result, const GError *error, void *opaque)
{
    struct vm *vm = opaque;
    const json_t *device;
    size_t i;

    answered(vm, error);
    if (error)
        return;
    vm->cd_drive = false;
    json_array_foreach(result, i, device)
    {
        const char *name = json_string_value(json_object_get(device, "device"));

        if (!name || strcmp(name, "cd0") != 0)
            continue;
        vm->cd_drive = true;
        vm->cd_locked = json_is_true(json_object_get(device, "locked"));
        set_text(&vm->cd,
                 json_string_value(json_object_get(json_object_get(device, "inserted"), "file")));
    }
    changed(vm->model);
}

static uint64_t get_number(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 ? (uint64_t)value : 0;
}

static void take_cpu_time(struct vm *vm, uint64_t cpu_time_ns, size_t cpus)
{
    gint64 now = g_get_monotonic_time();

    if (vm->cpu_when && now > vm->cpu_when && cpus > 0 && cpu_time_ns >= vm->cpu_time_ns) {
        double share = (double)(cpu_time_ns - vm->cpu_time_ns) /
                       (1000.0 * (double)(now - vm->cpu_when) * (double)cpus);

        vm->cpu = CLAMP(share, 0.0, 1.0);
        if (vm->cpu_count == VM_HISTORY) {
            memmove(vm->cpu_history, vm->cpu_history + 1,
                    (VM_HISTORY - 1) * sizeof(vm->cpu_history[0]));
            vm->cpu_count--;
        }
        vm->cpu_history[vm->cpu_count++] = vm->cpu;
    }
    vm->cpu_time_ns = cpu_time_ns;
    vm->cpu_when = now;
}

static void take_statistics(const json_t *result, const GError *error, void *opaque)
{
    struct vm *vm = opaque;
    const json_t *cpus, *cpu;
    uint64_t cpu_time_ns = 0;
    size_t i;

    vm->stats_pending = false;
    answered(vm, error);
    if (error)
        return;
    vm->guest_time_ns = get_number(result, "guest-time-ns");
    vm->memory_resident = get_number(result, "memory-resident");
    vm->engine_memory = get_number(result, "engine-pss");
    cpus = json_object_get(result, "vcpus");
    json_array_foreach(cpus, i, cpu) cpu_time_ns += get_number(cpu, "cpu-time-ns");
    take_cpu_time(vm, cpu_time_ns, json_array_size(cpus));
    changed(vm->model);
}

static void ask_statistics(struct vm *vm)
{
    if (vm->stats_pending || !vm->client)
        return;
    vm->stats_pending = true;
    client_execute(vm->client, "query-stats", NULL, ANSWER_MS, take_statistics, vm);
}

static void engine_connected(void *opaque)
{
    struct vm *vm = opaque;

    vm->failed_connects = 0;
    vm_ask_status(vm);
    client_execute(vm->client, "query-vnc", NULL, ANSWER_MS, take_vnc, vm);
    client_execute(vm->client, "query-serial", NULL, ANSWER_MS, take_serial, vm);
    client_execute(vm->client, "query-block", NULL, ANSWER_MS, take_block, vm);
    ask_statistics(vm);
}

/* A line, and nothing that would be in the way. */
static void take_usb_event(struct vm *vm, const char *name, const json_t *data)
{
    const char *port = json_string_value(json_object_get(data, "host-port"));
    const char *message = json_string_value(json_object_get(data, "message"));
    g_autofree char *text = NULL;

    if (port && message && strcmp(name, "USB_ASKED") == 0) {
        text = g_strdup_printf("%s may have %s, at %s: attach it in its USB tab (u).", vm->name,
                               *message ? message : "a USB device", port);
        report(vm->model, ROLE_NOTICE, text);
    } else if (message && strcmp(name, "USB_FAILED") == 0) {
        text = g_strdup_printf("%s: %s", vm->name, message);
        report(vm->model, ROLE_WARNING, text);
    }
    changed(vm->model);
}

static void engine_event(const char *name, const json_t *data, void *opaque)
{
    struct vm *vm = opaque;
    const char *detail = json_string_value(json_object_get(data, "detail"));

    if (strcmp(name, "STOP") == 0) {
        set_state(vm, VM_PAUSED, NULL);
    } else if (strcmp(name, "RESUME") == 0) {
        set_state(vm, VM_RUNNING, NULL);
    } else if (strcmp(name, "GUEST_PANICKED") == 0) {
        set_state(vm, VM_CRASHED, detail);
    } else if (strcmp(name, "INTERNAL_ERROR") == 0) {
        set_state(vm, VM_STUCK, detail);
    } else if (strcmp(name, "SHUTDOWN") == 0) {
        vm->said_goodbye = true;
        set_state(vm, VM_ENDING, NULL);
    } else if (strcmp(name, "RESET") == 0) {
        vm_ask_status(vm);
    } else if (g_str_has_prefix(name, "USB_")) {
        take_usb_event(vm, name, data);
    } else if (strcmp(name, "DEVICE_TRAY_MOVED") == 0) {
        client_execute(vm->client, "query-block", NULL, ANSWER_MS, take_block, vm);
    }
}

static gboolean connect_again(gpointer opaque)
{
    struct vm *vm = opaque;

    vm->retry = 0;
    model_reload(vm->model);
    return G_SOURCE_REMOVE;
}

static void retry_later(struct vm *vm)
{
    bool slow = ++vm->failed_connects > CONNECT_FAST_RETRIES;

    if (slow)
        not_answering(vm);
    if (!vm->retry)
        vm->retry =
            g_timeout_add(slow ? CONNECT_SLOW_RETRY_MS : CONNECT_RETRY_MS, connect_again, vm);
}

/* There is no engine any more. */
static void engine_ended(struct vm *vm)
{
    bool expected = vm->said_goodbye || vm->state == VM_FAILED || vm->state == VM_ENDING;
    g_autofree char *last = NULL;
    g_autofree char *detail = NULL;

    forget_engine(vm);
    if (vm->state == VM_FAILED) {
        changed(vm->model);
    } else if (expected) {
        set_state(vm, VM_OFF, NULL);
    } else {
        last = launch_last_log_line(vm->disk->folder);
        detail = g_strdup_printf("The engine ended without a word: it was killed, or it crashed. "
                                 "Start it again, or look at its log.%s%s",
                                 last ? "\nIts last line: " : "", last ? last : "");
        set_state(vm, VM_KILLED, detail);
    }
    vm->said_goodbye = false;
}

static void engine_closed(const GError *error, void *opaque)
{
    struct vm *vm = opaque;

    client_free(vm->client);
    vm->client = NULL;
    vm->connection = 0;
    vm->stats_pending = vm->probing = false;
    if (!machine_lock_query(vm->disk->folder, NULL, NULL)) {
        vm->disk->running = false;
        engine_ended(vm);
        return;
    }
    if (!g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_GONE) &&
        !g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_NOT_FOUND))
        not_answering(vm);
    retry_later(vm);
}

static const struct client_handlers engine_handlers = {
    .connected = engine_connected,
    .event = engine_event,
    .closed = engine_closed,
};

static void vm_connect(struct vm *vm)
{
    g_autofree char *path = NULL;

    if (vm->client || vm->retry || !vm->disk->runtime_folder)
        return;
    path = paths_socket(vm->disk->runtime_folder, PATHS_CONTROL_SOCKET, NULL);
    if (!path)
        return;
    vm->client = client_new(NULL, path, &engine_handlers, vm);
    vm->connection = ++vm->model->connections;
}

/*
 * What is on disk.
 */

static bool off_with_reason(const struct vm *vm)
{
    return vm->state == VM_KILLED || vm->state == VM_FAILED;
}

static void vm_update(struct vm *vm, struct store_machine *disk)
{
    bool had_engine = vm_has_engine(vm);

    store_machine_free(vm->disk);
    vm->disk = disk;
    if (disk->running && vm->settling) { /* an engine that gave up still holds the lock */
        vm->settling = false;
        retry_later(vm);
        return;
    }
    if (disk->running) {
        if (!had_engine) {
            vm->failed_connects = 0;
            vm->said_goodbye = false;
            set_state(vm, VM_STARTING, NULL);
        }
        if (vm->model->going)
            vm_connect(vm);
        return;
    }
    if (had_engine && !vm->launch) {
        /* a connected client says itself how it ended */
        if (!vm->client || !client_is_connected(vm->client))
            engine_ended(vm);
        return;
    }
    if (!had_engine && disk->error)
        set_state(vm, VM_BROKEN, disk->error->message);
    else if (!had_engine && !off_with_reason(vm))
        set_state(vm, VM_OFF, NULL);
}

static struct vm *take_out(GPtrArray *machines, const char *name)
{
    for (guint i = 0; i < machines->len; i++) {
        struct vm *vm = machines->pdata[i];

        if (strcmp(vm->name, name) == 0)
            return g_ptr_array_steal_index(machines, i);
    }
    return NULL;
}

void model_reload(struct model *model)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *list = store_list(model->store, &error);
    GPtrArray *old = model->machines;

    if (!list) {
        report(model, ROLE_ERROR, error->message);
        return;
    }
    model->machines = g_ptr_array_new_with_free_func(vm_free);
    g_ptr_array_set_free_func(list, NULL); /* each goes to its struct vm */
    for (guint i = 0; i < list->len; i++) {
        struct store_machine *disk = list->pdata[i];
        struct vm *vm = take_out(old, disk->name);

        if (!vm) {
            vm = g_new0(struct vm, 1);
            vm->model = model;
            vm->name = g_strdup(disk->name);
            vm->cpu = -1;
        }
        g_ptr_array_add(model->machines, vm);
        vm_update(vm, disk);
    }
    g_ptr_array_free(list, TRUE);
    g_ptr_array_free(old, TRUE);
    changed(model);
}

static void store_changed(void *opaque)
{
    model_reload(opaque);
}

/*
 * Life.
 */

struct model *model_new(struct store *store, const struct model_handlers *handlers, void *opaque)
{
    struct model *model = g_new0(struct model, 1);

    model->store = store;
    model->handlers = handlers;
    model->opaque = opaque;
    model->machines = g_ptr_array_new_with_free_func(vm_free);
    model_reload(model);
    return model;
}

void model_free(struct model *model)
{
    if (!model)
        return;
    store_watch_free(model->watch);
    g_clear_handle_id(&model->statistics, g_source_remove);
    g_ptr_array_free(model->machines, TRUE);
    g_free(model);
}

void model_go(struct model *model)
{
    g_autoptr(GError) error = NULL;

    model->going = true;
    model->watch = store_watch_new(model->store, NULL, store_changed, model, &error);
    if (!model->watch)
        report(model, ROLE_WARNING, error->message);
    model_reload(model);
}

struct store *model_store(struct model *model)
{
    return model->store;
}

unsigned model_count(const struct model *model)
{
    return model->machines->len;
}

struct vm *model_at(const struct model *model, unsigned index)
{
    return index < model->machines->len ? model->machines->pdata[index] : NULL;
}

struct vm *model_find(const struct model *model, const char *name)
{
    for (guint i = 0; name && i < model->machines->len; i++) {
        struct vm *vm = model->machines->pdata[i];

        if (strcmp(vm->name, name) == 0)
            return vm;
    }
    return NULL;
}

static gboolean statistics_due(gpointer opaque)
{
    struct model *model = opaque;

    for (guint i = 0; i < model->machines->len; i++) {
        struct vm *vm = model->machines->pdata[i];

        if (vm->visible && vm->state == VM_RUNNING)
            ask_statistics(vm);
    }
    return G_SOURCE_CONTINUE;
}

void model_begin_visible(struct model *model)
{
    for (guint i = 0; i < model->machines->len; i++)
        ((struct vm *)model->machines->pdata[i])->visible = false;
}

void model_show(struct vm *vm)
{
    vm->visible = true;
}

void model_end_visible(struct model *model)
{
    bool needed = false;

    for (guint i = 0; i < model->machines->len; i++) {
        struct vm *vm = model->machines->pdata[i];

        needed |= vm->visible && vm->state == VM_RUNNING;
    }
    if (needed && !model->statistics)
        model->statistics = g_timeout_add(STATISTICS_MS, statistics_due, model);
    else if (!needed)
        g_clear_handle_id(&model->statistics, g_source_remove);
}

/*
 * Actions.
 */

static void launched(void *opaque, const GError *error)
{
    struct vm *vm = opaque;

    launch_free(vm->launch);
    vm->launch = NULL;
    if (error) {
        vm->settling = true;
        set_state(vm, VM_FAILED, error->message);
        report(vm->model, ROLE_ERROR, error->message);
    }
    model_reload(vm->model);
}

void vm_start(struct vm *vm)
{
    g_autoptr(GError) error = NULL;

    vm->launch = launch_start(vm->disk->folder, NULL, launched, vm, &error);
    if (!vm->launch) {
        set_state(vm, VM_FAILED, error->message);
        report(vm->model, ROLE_ERROR, error->message);
        return;
    }
    vm->failed_connects = 0;
    vm->said_goodbye = vm->settling = false;
    set_state(vm, VM_STARTING, NULL);
}

static void command_done(const json_t *result, const GError *error, void *opaque)
{
    struct vm *vm = opaque;

    answered(vm, error);
    if (error && !g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_GONE))
        report(vm->model, ROLE_ERROR, error->message);
}

void vm_command(struct vm *vm, const char *command, json_t *arguments)
{
    if (vm->client)
        client_execute(vm->client, command, arguments, ANSWER_MS, command_done, vm);
    else
        json_decref(arguments);
}

void vm_usb(struct vm *vm, const char *command, json_t *arguments)
{
    if (vm->client)
        client_execute(vm->client, command, arguments, USB_MS, command_done, vm);
    else
        json_decref(arguments);
}

void vm_change_disc(struct vm *vm, const char *path)
{
    if (path)
        vm_command(vm, "blockdev-change-medium",
                   json_pack("{s:s,s:s}", "device", "cd0", "filename", path));
    else
        vm_command(vm, "eject", json_pack("{s:s}", "device", "cd0"));
}

void vm_force_off(struct vm *vm)
{
    pid_t pid;

    vm->said_goodbye = true;
    if (vm_is_answering(vm)) {
        vm_command(vm, "quit", NULL);
        return;
    }
    if (machine_lock_query(vm->disk->folder, &pid, NULL) && pid > 1 && kill(pid, SIGKILL) != 0) {
        g_autoptr(GError) error = NULL;

        vmdesk_error_from_errno(&error, errno, NULL, "The engine (process %ld) could not be ended",
                                (long)pid);
        report(vm->model, ROLE_ERROR, error->message);
    }
}
