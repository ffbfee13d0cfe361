/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a machine: one state, changed only here, on the main loop. What vCPU threads and
 * devices have to say arrives as messages.
 */
#include "engine/machine/machine.h"

#include <string.h>

#include "core/error.h"
#include "core/log.h"
#include "core/paths.h"
#include "display/display.h"
#include "display/vnc.h"
#include "engine/machine/machine_internal.h"
#include "usb/host/hosts.h"

#define IO_THREADS 8
#define DRAIN_TIMEOUT_MS 5000

const char *machine_state_name(enum machine_state state)
{
    switch (state) {
    case MACHINE_PRELAUNCH:
        return "prelaunch";
    case MACHINE_RUNNING:
        return "running";
    case MACHINE_PAUSED:
        return "paused";
    case MACHINE_SHUTDOWN:
        return "shutdown";
    case MACHINE_GUEST_PANICKED:
        return "guest-panicked";
    case MACHINE_INTERNAL_ERROR:
        return "internal-error";
    }
    g_return_val_if_reached("unknown");
}

/*
 * Messages to the main loop.
 */

struct message {
    enum { MESSAGE_RESET, MESSAGE_POWER_OFF, MESSAGE_PANIC, MESSAGE_FAILED, MESSAGE_EXIT } kind;
    char *text;
    uint32_t code;
};

static void message_free(struct message *m)
{
    g_free(m->text);
    g_free(m);
}

/* Any thread, with or without the board's lock. */
static void post(struct machine *machine, int kind, const char *text, uint32_t code)
{
    struct message *m = g_new0(struct message, 1);

    m->kind = kind;
    m->text = g_strdup(text);
    m->code = code;
    g_mutex_lock(&machine->message_lock);
    g_queue_push_tail(&machine->messages, m);
    g_mutex_unlock(&machine->message_lock);
    g_source_set_ready_time(machine->message_source, 0);
}

static struct message *next_message(struct machine *machine)
{
    struct message *m;

    g_mutex_lock(&machine->message_lock);
    m = g_queue_pop_head(&machine->messages);
    g_mutex_unlock(&machine->message_lock);
    return m;
}

static void drop_messages(struct machine *machine)
{
    struct message *m;

    while ((m = next_message(machine)) != NULL)
        message_free(m);
}

/* The vCPU that made the access must not run on, so the pause comes at once and the rest later. */
static void stop_and_post(struct machine *machine, int kind, const char *text, uint32_t code)
{
    if (machine->vcpus != NULL)
        vcpu_set_request_pause(machine->vcpus);
    post(machine, kind, text, code);
}

static void on_reset(void *opaque, const char *reason)
{
    stop_and_post(opaque, MESSAGE_RESET, reason, 0);
}

static void on_power_off(void *opaque, const char *reason)
{
    stop_and_post(opaque, MESSAGE_POWER_OFF, reason, 0);
}

static void on_panicked(void *opaque, const char *reason)
{
    stop_and_post(opaque, MESSAGE_PANIC, reason, 0);
}

static void on_debug_exit(void *opaque, uint32_t code)
{
    stop_and_post(opaque, MESSAGE_EXIT, "the guest ended it by the debug-exit port", code);
}

static const struct board_events board_events = {
    .reset = on_reset,
    .power_off = on_power_off,
    .panicked = on_panicked,
    .debug_exit = on_debug_exit,
};

static void on_vcpu_stopped(void *opaque, unsigned index, enum vcpu_stop stop, const char *reason)
{
    struct machine *machine = opaque;
    g_autofree char *text = NULL;

    if (stop == VCPU_TRIPLE_FAULT) {
        text = g_strdup_printf("the guest's processor %u met a triple fault", index);
        post(machine, MESSAGE_PANIC, text, 0);
    } else {
        text = g_strdup_printf("vCPU %u: %s", index, reason);
        post(machine, MESSAGE_FAILED, text, 0);
    }
}

/*
 * State changes.
 */

static void set_state(struct machine *machine, enum machine_state state, const char *detail)
{
    g_autofree char *old_detail = machine->detail;

    machine->state = state;
    machine->detail = g_strdup(detail);
    log_info("machine", "%s%s%s", machine_state_name(state), *detail ? ": " : "", detail);
    if (machine->observer != NULL)
        machine->observer->state_changed(machine->observer_opaque, state, detail);
}

static void run_vcpus(struct machine *machine)
{
    machine->accel->ops->set_running(machine->accel, true);
    g_mutex_lock(&machine->board.lock);
    clock_start(machine->board.clock);
    g_mutex_unlock(&machine->board.lock);
    if (machine->q35.xhci != NULL)
        xhci_resume(machine->q35.xhci);
    vcpu_set_resume(machine->vcpus);
}

/* Nothing of the guest moves after this: no vCPU, no guest time, no disk or USB request but those
 * that the host leaves hanging. */
static void halt_vcpus(struct machine *machine)
{
    vcpu_set_pause(machine->vcpus);
    g_mutex_lock(&machine->board.lock);
    clock_stop(machine->board.clock);
    g_mutex_unlock(&machine->board.lock);
    machine->accel->ops->set_running(machine->accel, false);
    if (machine->q35.xhci != NULL && !xhci_pause(machine->q35.xhci, DRAIN_TIMEOUT_MS))
        log_warning("machine", "a USB device does not answer: requests stay under way");
    if (!ahci_drain(machine->q35.ahci, DRAIN_TIMEOUT_MS))
        log_warning("machine", "the host's disk does not answer: requests stay under way");
}

static void end(struct machine *machine, int code, const char *reason)
{
    if (machine->state == MACHINE_SHUTDOWN)
        return;
    halt_vcpus(machine);
    set_state(machine, MACHINE_SHUTDOWN, reason);
    if (machine->observer != NULL)
        machine->observer->ending(machine->observer_opaque, code, reason);
}

static void reset_machine(struct machine *machine, const char *by)
{
    halt_vcpus(machine);
    /* Whatever the guest had to say before no longer counts. */
    drop_messages(machine);
    g_mutex_lock(&machine->board.lock);
    board_reset_devices(&machine->board);
    g_mutex_unlock(&machine->board.lock);
    machine->accel->ops->reset(machine->accel);
    vcpu_set_reset(machine->vcpus);
    log_info("machine", "reset by the %s", by);
    if (machine->observer != NULL)
        machine->observer->was_reset(machine->observer_opaque, by);
    if (machine->state == MACHINE_PAUSED || machine->state == MACHINE_PRELAUNCH)
        return;
    run_vcpus(machine);
    if (machine->state != MACHINE_RUNNING)
        set_state(machine, MACHINE_RUNNING, "");
}

/* The guest cannot go on. A failure of the host's is not cured by running into it again, so a
 * machine that would be reset pauses then. */
static void crash(struct machine *machine, enum machine_state state, const char *detail)
{
    enum config_crash_action action = machine->on_crash;

    halt_vcpus(machine);
    if (state == MACHINE_INTERNAL_ERROR && action == CRASH_RESET)
        action = CRASH_PAUSE;
    set_state(machine, state, detail);
    switch (action) {
    case CRASH_PAUSE:
        break;
    case CRASH_STOP:
        end(machine, 1, detail);
        break;
    case CRASH_RESET:
        reset_machine(machine, "guest");
        break;
    }
}

static void handle(struct machine *machine, const struct message *m)
{
    switch (m->kind) {
    case MESSAGE_RESET:
        log_info("machine", "reset asked for: %s", m->text);
        reset_machine(machine, "guest");
        break;
    case MESSAGE_POWER_OFF:
        end(machine, 0, m->text);
        break;
    case MESSAGE_PANIC:
        crash(machine, MACHINE_GUEST_PANICKED, m->text);
        break;
    case MESSAGE_FAILED:
        crash(machine, MACHINE_INTERNAL_ERROR, m->text);
        break;
    case MESSAGE_EXIT:
        /* As debug-exit devices do: an odd status, so that 0 never comes from a guest's error. */
        end(machine, (int)(m->code << 1 & 0xff) | 1, m->text);
        break;
    }
}

static gboolean dispatch_messages(GSource *source, GSourceFunc callback, gpointer data)
{
    struct machine *machine = ((struct message_source *)source)->machine;
    struct message *m;

    g_source_set_ready_time(source, -1);
    while ((m = next_message(machine)) != NULL) {
        /* A guest that has crashed or ended has nothing more to say. */
        if (machine->state == MACHINE_RUNNING || machine->state == MACHINE_PAUSED)
            handle(machine, m);
        message_free(m);
    }
    return G_SOURCE_CONTINUE;
}

/*
 * Building and taking apart.
 */

static void init_messages(struct machine *machine, GMainContext *context)
{
    static GSourceFuncs funcs = {.dispatch = dispatch_messages};

    g_mutex_init(&machine->message_lock);
    machine->message_source = g_source_new(&funcs, sizeof(struct message_source));
    ((struct message_source *)machine->message_source)->machine = machine;
    g_source_set_name(machine->message_source, "machine messages");
    g_source_attach(machine->message_source, context);
}

static bool init_serial(struct machine *machine, const struct machine_options *options,
                        GError **err)
{
    const struct machine_config *config = options->config;
    g_autofree char *file = machine_config_resolve(options->folder, config->serial_file);
    g_autofree char *socket = NULL;

    if (config->serial == CONFIG_SERIAL_OFF)
        return true;
    if (config->serial == CONFIG_SERIAL_SOCKET) {
        socket = paths_socket(options->runtime_folder, PATHS_SERIAL_SOCKET, err);
        if (socket == NULL)
            return false;
    }
    machine->serial = serial_backend_new(options->context, socket, file, err);
    return machine->serial != NULL;
}

/* The password: the first line of its file. */
static bool read_password(const struct machine_options *options, char **ret_password, GError **err)
{
    g_autofree char *file =
        machine_config_resolve(options->folder, options->config->vnc_password_file);
    g_autoptr(GError) error = NULL;
    char *password = NULL;

    if (file != NULL && !g_file_get_contents(file, &password, NULL, &error))
        return vmdesk_fail(err, VMDESK_ERROR_IO,
                           "The VNC password cannot be read: %s. Make the file, or unset "
                           "display.vnc-password-file.",
                           error->message);
    if (password != NULL)
        password[strcspn(password, "\r\n")] = '\0';
    *ret_password = password;
    return true;
}

static bool init_vnc(struct machine *machine, const struct machine_options *options, GError **err)
{
    const struct machine_config *config = options->config;
    g_autofree char *password = NULL;
    g_autofree char *path = NULL;

    if (config->vnc == CONFIG_VNC_OFF)
        return true;
    path = paths_socket(options->runtime_folder, PATHS_VNC_SOCKET, err);
    if (path == NULL || !read_password(options, &password, err))
        return false;
    const struct vnc_options vnc = {
        .listen = config->vnc == CONFIG_VNC_TCP ? VNC_TCP : VNC_UNIX,
        .path = path,
        .port = config->vnc_port,
        .password = password,
        .name = config->name,
        .layout = config->keyboard,
    };
    machine->vnc = vnc_server_new(machine->display, &vnc, machine_input(machine), err);
    return machine->vnc != NULL;
}

static bool init_board(struct machine *machine, const struct machine_options *options, GError **err)
{
    const struct machine_config *config = options->config;

    machine->board.events = &board_events;
    machine->board.events_opaque = machine;
    machine->accel = accel_new(config->accel, &machine->board, config->cpus, err);
    if (machine->accel == NULL ||
        !ram_init(&machine->ram, machine->board.memory, config->memory, err))
        return false;
    machine->q35 = (struct q35){
        .config = config,
        .folder = options->folder,
        .board = &machine->board,
        .accel = machine->accel,
        .context = options->context,
        .ram = &machine->ram,
        .io = machine->io,
        .display = machine->display,
        .serial_backend = machine->serial,
    };
    if (!q35_build(&machine->q35, err))
        return false;
    machine->vcpus = vcpu_set_new(machine->accel, on_vcpu_stopped, machine, err);
    return machine->vcpus != NULL;
}

/* What the definition plugs in. */
static bool init_usb(struct machine *machine, const struct machine_options *options, GError **err)
{
    const struct machine_config *config = options->config;
    const struct machine_usb_options tablet = {.driver = "usb-tablet", .id = "tablet"};
    const struct machine_usb_options stick = {.driver = "usb-storage",
                                              .id = "stick",
                                              .port = G_STRINGIFY(Q35_STICK_PORT),
                                              .file = config->usb_storage,
                                              .format = config->usb_storage_format};
    struct machine_usb *usb = &machine->usb;

    usb->xhci = machine->q35.xhci;
    usb->io = machine->io;
    usb->context = options->context;
    usb->folder = options->folder;
    usb->runtime_folder = options->runtime_folder;
    machine_usb_init(usb);
    input_router_init(&machine->input, i8042_input(machine->q35.i8042), usb->tablet, usb->keyboard);
    if (usb->xhci != NULL && config->usb_tablet && !machine_usb_add(usb, &tablet, err))
        return false;
    return config->usb_storage == NULL || machine_usb_add(usb, &stick, err);
}

struct machine *machine_new(const struct machine_options *options, GError **err)
{
    struct machine *machine = g_new0(struct machine, 1);

    machine->state = MACHINE_PRELAUNCH;
    machine->detail = g_strdup("");
    machine->context = options->context;
    machine->cd_path = g_strdup(options->config->cdrom_file);
    machine->on_crash = options->config->on_crash;
    machine->started_us = options->started_us;
    machine->observer = options->observer;
    machine->observer_opaque = options->observer_opaque;
    board_init(&machine->board, options->context);
    init_messages(machine, options->context);
    machine->io = io_context_new(IO_THREADS);
    machine->display = display_new();
    machine->usb_ports = usb_ports_new();
    if (!init_serial(machine, options, err) || !init_board(machine, options, err) ||
        !init_usb(machine, options, err) || !machine_hosts_init(machine, options, err) ||
        !init_vnc(machine, options, err)) {
        machine_free(machine);
        return NULL;
    }
    return machine;
}

void machine_free(struct machine *machine)
{
    if (machine == NULL)
        return;
    machine_jobs_finish(machine);
    /* From the outside in: who looks at the guest, the guest, what it was made of. */
    vnc_server_free(machine->vnc);
    display_free(machine->display);
    vcpu_set_free(machine->vcpus);
    usb_hosts_stop(machine->usb_hosts);
    machine_usb_finish(&machine->usb);
    board_finish(&machine->board);
    usb_hosts_free(machine->usb_hosts);
    usb_ports_free(machine->usb_ports);
    accel_free(machine->accel);
    q35_finish(&machine->q35);
    serial_backend_free(machine->serial);
    io_context_free(machine->io);
    ram_finish(&machine->ram);
    g_source_destroy(machine->message_source);
    g_source_unref(machine->message_source);
    drop_messages(machine);
    g_mutex_clear(&machine->message_lock);
    g_free(machine->cd_path);
    g_free(machine->detail);
    g_free(machine);
}

/*
 * What users ask for.
 */

static bool wrong_state(const struct machine *machine, const char *what, GError **err)
{
    return vmdesk_fail(err, VMDESK_ERROR_BUSY, "The machine cannot be %s while it is %s.", what,
                       machine_state_name(machine->state));
}

void machine_resume(struct machine *machine)
{
    if (machine->state != MACHINE_PRELAUNCH && machine->state != MACHINE_PAUSED)
        return;
    run_vcpus(machine);
    set_state(machine, MACHINE_RUNNING, "");
}

bool machine_pause(struct machine *machine, GError **err)
{
    if (machine->state == MACHINE_PAUSED || machine->state == MACHINE_PRELAUNCH)
        return true;
    if (machine->state != MACHINE_RUNNING)
        return wrong_state(machine, "paused", err);
    halt_vcpus(machine);
    set_state(machine, MACHINE_PAUSED, "");
    return true;
}

bool machine_reset(struct machine *machine, GError **err)
{
    if (machine->state == MACHINE_SHUTDOWN)
        return wrong_state(machine, "reset", err);
    reset_machine(machine, "host");
    return true;
}

bool machine_power_button(struct machine *machine, GError **err)
{
    if (machine->state != MACHINE_RUNNING)
        return wrong_state(machine, "asked to power down", err);
    g_mutex_lock(&machine->board.lock);
    ich9_lpc_power_button(machine->q35.lpc);
    g_mutex_unlock(&machine->board.lock);
    return true;
}

void machine_quit(struct machine *machine)
{
    end(machine, 0, "forced off");
}

enum machine_state machine_get_state(const struct machine *machine)
{
    return machine->state;
}

const char *machine_detail(const struct machine *machine)
{
    return machine->detail;
}

const char *machine_accel_name(const struct machine *machine)
{
    return machine->accel->ops->name;
}

const char *machine_accel_reason(const struct machine *machine)
{
    return machine->accel->reason;
}

struct display *machine_display(struct machine *machine)
{
    return machine->display;
}

struct vnc_server *machine_vnc(struct machine *machine)
{
    return machine->vnc;
}

struct serial_backend *machine_serial(struct machine *machine)
{
    return machine->serial;
}

const struct input_sink *machine_input(struct machine *machine)
{
    return &machine->input.sink;
}

struct machine_usb *machine_usb(struct machine *machine)
{
    return &machine->usb;
}
