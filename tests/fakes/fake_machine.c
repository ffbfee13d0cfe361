/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/fake_machine.h"

#include <string.h>

#include "core/error.h"

static void on_key(void *opaque, uint8_t qnum, bool down)
{
    struct machine *machine = opaque;

    g_string_append_printf(machine->log, "key %02x %s;", qnum, down ? "down" : "up");
}

static void on_pointer(void *opaque, unsigned x, unsigned y, unsigned width, unsigned height,
                       unsigned buttons)
{
    struct machine *machine = opaque;

    g_string_append_printf(machine->log, "pointer %u,%u of %ux%u buttons %u;", x, y, width, height,
                           buttons);
}

static void on_motion(void *opaque, int dx, int dy, unsigned buttons)
{
    struct machine *machine = opaque;

    g_string_append_printf(machine->log, "motion %d,%d buttons %u;", dx, dy, buttons);
}

static void on_wheel(void *opaque, int steps)
{
    struct machine *machine = opaque;

    g_string_append_printf(machine->log, "wheel %d;", steps);
}

static void plugged_free(gpointer data)
{
    struct usb_plugged *plugged = data;

    g_free(plugged->id);
    g_free(plugged->driver);
    g_free(plugged);
}

static void on_usb(void *opaque, enum usb_hosts_event event, const char *host_port,
                   const char *message)
{
}

struct machine *fake_machine_new(const struct machine_observer *observer, void *opaque)
{
    static const struct input_ops input_ops = {on_key, on_pointer, on_motion, on_wheel};
    struct machine *machine = g_new0(struct machine, 1);
    struct usb_hosts_options hosts = {.machine = "fake",
                                      .claims = "/nowhere",
                                      .sysfs = "/nowhere",
                                      .event = on_usb};

    machine->usb_ports = hosts.ports = usb_ports_new();
    machine->usb_hosts = usb_hosts_new(&hosts, NULL);
    machine->sink = (struct input_sink){&input_ops, machine};
    machine->state = MACHINE_RUNNING;
    machine->detail = "";
    machine->log = g_string_new(NULL);
    machine->cd_drive = true;
    machine->usb.devices = g_ptr_array_new_with_free_func(plugged_free);
    g_strlcpy(machine->usb_port.path, "1.2", sizeof(machine->usb_port.path));
    machine->usb_device.speed = USB_SPEED_HIGH;
    machine->observer = observer;
    machine->observer_opaque = opaque;
    return machine;
}

void machine_free(struct machine *machine)
{
    g_queue_clear_full(&machine->queries, g_free);
    g_string_free(machine->log, TRUE);
    g_ptr_array_unref(machine->usb.devices);
    usb_hosts_free(machine->usb_hosts);
    usb_ports_free(machine->usb_ports);
    g_free(machine->cd);
    g_free(machine);
}

const char *machine_state_name(enum machine_state state)
{
    static const char *const names[] = {"prelaunch", "running",        "paused",
                                        "shutdown",  "guest-panicked", "internal-error"};

    return names[state];
}

static bool note(struct machine *machine, GError **err, const char *what)
{
    if (machine->fails != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY, "%s", machine->fails);
    g_string_append_printf(machine->log, "%s;", what);
    return true;
}

static void enter(struct machine *machine, enum machine_state state)
{
    machine->state = state;
    if (machine->observer != NULL)
        machine->observer->state_changed(machine->observer_opaque, state, machine->detail);
}

void machine_resume(struct machine *machine)
{
    note(machine, NULL, "resume");
    enter(machine, MACHINE_RUNNING);
}

bool machine_pause(struct machine *machine, GError **err)
{
    if (!note(machine, err, "pause"))
        return false;
    enter(machine, MACHINE_PAUSED);
    return true;
}

bool machine_reset(struct machine *machine, GError **err)
{
    if (!note(machine, err, "reset"))
        return false;
    if (machine->observer != NULL)
        machine->observer->was_reset(machine->observer_opaque, "host");
    return true;
}

bool machine_power_button(struct machine *machine, GError **err)
{
    return note(machine, err, "power");
}

void machine_quit(struct machine *machine)
{
    note(machine, NULL, "quit");
    machine->state = MACHINE_SHUTDOWN;
    if (machine->observer != NULL)
        machine->observer->ending(machine->observer_opaque, 0, "asked to");
}

enum machine_state machine_get_state(const struct machine *machine)
{
    return machine->state;
}

const char *machine_detail(const struct machine *machine)
{
    return machine->detail;
}

const char *machine_accel_reason(const struct machine *machine)
{
    return "software CPU: it is a test";
}

const char *machine_accel_name(const struct machine *machine)
{
    return "kvm";
}

/* The display and the VNC server are the machine itself. */
struct display *machine_display(struct machine *machine)
{
    return (struct display *)machine;
}

struct vnc_server *machine_vnc(struct machine *machine)
{
    return machine->vnc_on ? (struct vnc_server *)machine : NULL;
}

struct serial_backend *machine_serial(struct machine *machine)
{
    return machine->serial;
}

const struct input_sink *machine_input(struct machine *machine)
{
    return &machine->sink;
}

struct machine_usb *machine_usb(struct machine *machine)
{
    return &machine->usb;
}

static struct machine *machine_of(struct machine_usb *usb)
{
    return (struct machine *)((char *)usb - offsetof(struct machine, usb));
}

bool machine_usb_add(struct machine_usb *usb, const struct machine_usb_options *options,
                     GError **err)
{
    struct machine *machine = machine_of(usb);
    struct usb_plugged *plugged;

    if (!note(machine, err, "plug"))
        return false;
    g_string_append_printf(machine->log, "%s at %s with %s%s;", options->driver,
                           options->port != NULL ? options->port : "any",
                           options->file != NULL ? options->file : "nothing",
                           options->read_only ? ", read-only" : "");
    plugged = g_new0(struct usb_plugged, 1);
    plugged->id = g_strdup(options->id);
    plugged->driver = g_strdup(options->driver);
    plugged->port = &machine->usb_port;
    plugged->device = &machine->usb_device;
    g_ptr_array_add(usb->devices, plugged);
    return true;
}

const struct usb_plugged *machine_usb_find(const struct machine_usb *usb, const char *id)
{
    for (guint i = 0; i < usb->devices->len; i++) {
        const struct usb_plugged *plugged = g_ptr_array_index(usb->devices, i);

        if (strcmp(plugged->id, id) == 0)
            return plugged;
    }
    return NULL;
}

bool machine_usb_remove(struct machine_usb *usb, const char *id, GError **err)
{
    if (!note(machine_of(usb), err, "unplug"))
        return false;
    g_ptr_array_set_size(usb->devices, 0);
    return true;
}

const char *usb_plugged_socket(const struct usb_plugged *plugged)
{
    return NULL;
}

const char *machine_usb_speed_name(enum usb_speed speed)
{
    return speed == USB_SPEED_HIGH ? "high" : "?";
}

bool machine_change_cd(struct machine *machine, const char *path, bool force, GError **err)
{
    if (machine->cd_locked && !force)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY, "The guest has locked the tray.");
    if (!note(machine, err, "cd"))
        return false;
    g_free(machine->cd);
    machine->cd = g_strdup(path);
    return true;
}

const char *machine_cd(struct machine *machine, bool *ret_drive, bool *ret_locked)
{
    *ret_drive = machine->cd_drive;
    *ret_locked = machine->cd_locked;
    return machine->cd;
}

/* The one disk is the test's, opened by it. */
struct image *machine_disk(struct machine *machine, unsigned disk, GError **err)
{
    if (disk == 0 && machine->disk != NULL)
        return machine->disk;
    vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND, "The machine has no disk%u.", disk);
    return NULL;
}

bool machine_job_start(struct machine *machine, const struct machine_job *job, GError **err)
{
    g_autofree char *text =
        g_strdup_printf("job %d disk%u %s", job->kind, job->disk, job->snapshot);

    if (job->disk != 0)
        return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND, "The machine has no disk%u.", job->disk);
    if (machine->job_on)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY, "There is a job already.");
    if (!note(machine, err, text))
        return false;
    machine->job_on = true;
    machine->job = *job;
    machine->job.total = 100;
    return true;
}

bool machine_job_get(struct machine *machine, unsigned disk, struct machine_job *ret_job)
{
    *ret_job = machine->job;
    return machine->job_on && disk == 0;
}

bool machine_job_cancel(struct machine *machine, unsigned disk, GError **err)
{
    if (!machine->job_on || disk != 0)
        return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND, "Nothing is under way.");
    return note(machine, err, "cancel");
}

void fake_machine_end_job(struct machine *machine, const GError *error)
{
    machine->job_on = false;
    machine->job.ended(machine->job.opaque, &machine->job, error);
}

void machine_stats(struct machine *machine, struct machine_stats *ret_stats)
{
    *ret_stats = (struct machine_stats){.guest_time_ns = 5, .memory = 1 << 20, .cpus = 2};
    ret_stats->vcpu[1].exits[0] = 7;
}

const char *machine_exit_kind_name(unsigned kind)
{
    return kind == 0 ? "io" : kind == 1 ? "mmio" : NULL;
}

static struct display_ticket *add_query(struct display *display, const struct fake_query *query)
{
    struct machine *machine = (struct machine *)display;

    g_queue_push_tail(&machine->queries, g_memdup2(query, sizeof(*query)));
    return (struct display_ticket *)g_queue_peek_tail(&machine->queries);
}

struct display_ticket *display_query(struct display *display, const struct screen_query *query,
                                     GMainContext *context, display_query_done done, void *opaque)
{
    struct fake_query fake = {.query = *query, .done = done, .opaque = opaque};

    return add_query(display, &fake);
}

/* A cancelled query stays in the queue, to be skipped, as no ticket knows its machine. */
void display_query_cancel(struct display_ticket *ticket)
{
    ((struct fake_query *)ticket)->done = NULL;
}

void display_wake(struct display *display)
{
}

void display_screendump(struct display *display, GMainContext *context, display_png_done done,
                        void *opaque)
{
    struct fake_query fake = {.png_done = done, .opaque = opaque};

    add_query(display, &fake);
}

void fake_machine_answer(struct machine *machine, const struct screen_answer *answer)
{
    g_autofree struct fake_query *query = g_queue_pop_head(&machine->queries);

    if (query->done != NULL)
        query->done(answer, query->opaque);
}

void fake_machine_answer_png(struct machine *machine, GBytes *png, const GError *error)
{
    g_autofree struct fake_query *query = g_queue_pop_head(&machine->queries);

    query->png_done(png, error, query->opaque);
}

struct vnc_info *vnc_server_query(struct vnc_server *server)
{
    return &((struct machine *)server)->vnc;
}

void vnc_info_free(struct vnc_info *info)
{
}

struct usb_ports *machine_usb_ports(struct machine *machine)
{
    return machine->usb_ports;
}

struct usb_hosts *machine_usb_hosts(struct machine *machine)
{
    return machine->usb_hosts;
}
