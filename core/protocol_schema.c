/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of commands and events, and the check of arguments against them. */
#include "core/protocol.h"

#include <limits.h>
#include <string.h>

#include "core/error.h"

#define ARGUMENTS(...)                 \
    (const struct protocol_argument[]) \
    {                                  \
        __VA_ARGS__,                   \
        {                              \
            NULL                       \
        }                              \
    }

static const struct protocol_argument no_arguments[] = {{NULL}};

static const struct protocol_command commands[] = {
    {
        .name = "qmp_capabilities",
        .help = "End the negotiation. Must be the first command, once.",
        .result = "nothing",
        .arguments = ARGUMENTS(
            {"enable", PROTOCOL_ARRAY, true, 0, 0, "Capabilities to turn on. There are none yet."}),
    },
    {
        .name = "query-version",
        .help = "The engine's version.",
        .result = "vmdesk: major, minor and micro; package: the version as a string",
        .arguments = no_arguments,
    },
    {
        .name = "query-commands",
        .help = "Every command with its help and arguments.",
        .result = "an array of objects: name, help, result, arguments (an array of objects: name, "
                  "type, optional, help)",
        .arguments = no_arguments,
    },
    {
        .name = "query-status",
        .help = "What the machine does.",
        .result =
            "running: whether the guest runs; status: prelaunch, running, paused, shutdown, "
            "guest-panicked or internal-error; detail: what led to it, a sentence or empty; "
            "accel: what runs the guest's code, kvm or soft; accel-reason: the same in words, "
            "and why",
        .arguments = no_arguments,
    },
    {
        .name = "query-stats",
        .help = "What the machine has used so far.",
        .result = "guest-time-ns; memory, memory-resident and engine-pss in bytes; "
                  "start-to-first-exit-ns; vcpus: an array of objects: cpu-time-ns, exits (an "
                  "object: how many of each kind)",
        .arguments = no_arguments,
    },
    {
        .name = "query-block",
        .help = "The disks and the CD drive.",
        .result = "an array of objects: device (disk0 to disk3, cd0), removable, locked (by the "
                  "guest), inserted (absent when empty): file, drv (the format) and ro",
        .arguments = no_arguments,
    },
    {
        .name = "query-vnc",
        .help = "Where the VNC server listens, and who looks.",
        .result =
            "enabled; when it is: family (unix or ipv4), host, service (the socket's path or "
            "the port), auth (none or vnc), clients: an array of objects: host, authenticated",
        .arguments = no_arguments,
    },
    {
        .name = "query-serial",
        .help = "Where the serial line can be reached.",
        .result = "enabled; path: the Unix socket, absent when there is none",
        .arguments = no_arguments,
    },
    {
        .name = "query-usb",
        .help = "What is plugged into the USB ports.",
        .result =
            "an array of objects: id, driver, port (as in 1, or 1.2 behind a hub), speed (low, "
            "full, high, super or super+), path: the Unix socket of a serial adapter",
        .arguments = no_arguments,
    },
    {
        .name = "query-screen",
        .help = "The screen as text or as a picture, now or when it changes.",
        .result =
            "generation; unchanged: nothing is newer than since, and nothing else is given; mode: "
            "blank, text or graphics; guest-width and guest-height in pixels. In a text mode: "
            "columns, rows, cursor (an object: x, y; absent when hidden), text (an array of rows, "
            "one character a column), attributes (an array of rows, two hexadecimal digits a "
            "column: the VGA attribute). In a graphics mode when a size was asked for: width, "
            "height, rgb (base64, three bytes a pixel)",
        .arguments =
            ARGUMENTS({"since", PROTOCOL_INT, true, 0, INT64_MAX, "The generation already seen."},
                      {"wait", PROTOCOL_INT, true, 0, PROTOCOL_MAX_SCREEN_WAIT,
                       "How long to wait for one newer than since, in milliseconds."},
                      {"width", PROTOCOL_INT, true, 0, PROTOCOL_MAX_SCREEN_PIXELS,
                       "The picture's greatest width; the shape is kept."},
                      {"height", PROTOCOL_INT, true, 0, PROTOCOL_MAX_SCREEN_PIXELS,
                       "The picture's greatest height."}),
    },
    {
        .name = "screendump",
        .help = "Write the screen as a PNG file, or return it.",
        .result = "nothing with filename; otherwise png: the file's contents in base64",
        .arguments = ARGUMENTS({"filename", PROTOCOL_STRING, true, 1, PATH_MAX - 1,
                                "An absolute path. The file is replaced as a whole."}),
    },
    {
        .name = "input-send-event",
        .help = "Press and release keys and buttons, move the pointer.",
        .result = "nothing",
        .arguments = ARGUMENTS(
            {"events", PROTOCOL_ARRAY, false, 1, PROTOCOL_MAX_INPUT_EVENTS,
             "Objects of type and data: key (down, key: an object of type qcode with a name or "
             "number with a qnum), btn (down, button: left, middle, right, wheel-up or "
             "wheel-down), rel (axis: x or y, value in pixels), abs (axis: x or y, value from 0 to "
             "32767). Nothing is sent when one is wrong."}),
    },
    {
        .name = "stop",
        .help = "Pause the guest.",
        .result = "nothing",
        .arguments = no_arguments,
    },
    {
        .name = "cont",
        .help = "Let the guest run.",
        .result = "nothing",
        .arguments = no_arguments,
    },
    {
        .name = "system_reset",
        .help = "Reset the machine, as its reset button does.",
        .result = "nothing",
        .arguments = no_arguments,
    },
    {
        .name = "system_powerdown",
        .help = "Press the power button; the guest decides what follows.",
        .result = "nothing",
        .arguments = no_arguments,
    },
    {
        .name = "quit",
        .help = "Turn the machine off at once and end the engine.",
        .result = "nothing",
        .arguments = no_arguments,
    },
    {
        .name = "eject",
        .help = "Take the disc out.",
        .result = "nothing",
        .arguments = ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 64, "cd0."},
                               {"force", PROTOCOL_BOOL, true, 0, 0,
                                "Even when the guest has locked the tray."}),
    },
    {
        .name = "blockdev-change-medium",
        .help = "Put another disc in.",
        .result = "nothing",
        .arguments =
            ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 64, "cd0."},
                      {"filename", PROTOCOL_STRING, false, 1, PATH_MAX - 1, "An absolute path."},
                      {"force", PROTOCOL_BOOL, true, 0, 0,
                       "Even when the guest has locked the tray."}),
    },
    {
        .name = "query-block-image",
        .help = "What a disk's image is, and the images that it lies on.",
        .result = "an array of objects, the disk's own image first, and alone while work on it is "
                  "under way: filename, format, virtual-size, file-size, actual-size, dirty-flag, "
                  "corrupt, details (an object), snapshots (as query-snapshots); where there are "
                  "any: cluster-size, backing-filename, full-backing-filename, "
                  "backing-filename-format",
        .arguments = ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 64, "disk0 to disk3."}),
    },
    {
        .name = "query-snapshots",
        .help = "The snapshots inside a disk's image.",
        .result = "an array of objects: id, name, parent (an id; absent when there is none, or it "
                  "is not known), date-sec, date-nsec, vm-clock-nsec, virtual-size, vm-state-size, "
                  "current (whether the disk's present state descends from it)",
        .arguments = ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 64, "disk0 to disk3."}),
    },
    {
        .name = "query-block-jobs",
        .help = "The work under way on disks.",
        .result = "an array of objects: type (stream, commit, snapshot-create, snapshot-delete, "
                  "snapshot-rename or resize), device, len and offset (how far it is)",
        .arguments = no_arguments,
    },
    {
        .name = "block-stream",
        .help = "Copy into a disk what it takes from its backing image, and part from that.",
        .result = "nothing; BLOCK_JOB_COMPLETED tells the end",
        .arguments = ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 64, "disk0 to disk3."}),
    },
    {
        .name = "block-commit",
        .help = "Bring what a disk has into its backing image.",
        .result = "nothing; BLOCK_JOB_COMPLETED tells the end",
        .arguments = ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 64, "disk0 to disk3."}),
    },
    {
        .name = "block-job-cancel",
        .help = "Cancel the work on a disk; the disk stays good.",
        .result = "nothing; BLOCK_JOB_CANCELLED tells the end",
        .arguments = ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 64, "disk0 to disk3."}),
    },
    {
        .name = "blockdev-snapshot-internal-sync",
        .help = "Take a snapshot inside a disk's image, as the disk would be after a power cut.",
        .result = "nothing, when it is there",
        .arguments = ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 64, "disk0 to disk3."},
                               {"name", PROTOCOL_STRING, false, 1, 255, "The snapshot's name."}),
    },
    {
        .name = "blockdev-snapshot-delete-internal-sync",
        .help = "Delete a snapshot inside a disk's image.",
        .result = "nothing, when it is gone",
        .arguments =
            ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 64, "disk0 to disk3."},
                      {"name", PROTOCOL_STRING, false, 1, 255, "The snapshot's name or id."}),
    },
    {
        .name = "blockdev-snapshot-rename-internal-sync",
        .help = "Give a snapshot inside a disk's image another name.",
        .result = "nothing, when it has it",
        .arguments =
            ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 64, "disk0 to disk3."},
                      {"name", PROTOCOL_STRING, false, 1, 255, "The snapshot's name or id."},
                      {"new-name", PROTOCOL_STRING, false, 1, 255, "Its name from then on."}),
    },
    {
        .name = "block_resize",
        .help = "Make a disk larger. The guest sees it after a reset of the machine or of the "
                "disk's link.",
        .result = "nothing, when it is",
        .arguments = ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 64, "disk0 to disk3."},
                               {"size", PROTOCOL_INT, false, 512, INT64_MAX,
                                "Its size from then on, in bytes: a multiple of 512."}),
    },
    {
        .name = "device_add",
        .help = "Plug a USB device in.",
        .result = "nothing",
        .arguments = ARGUMENTS(
            {"driver", PROTOCOL_STRING, false, 1, 64,
             "usb-storage (a stick), usb-uas (a stick of the newer kind), usb-serial (an adapter "
             "with a Unix socket), usb-kbd, usb-tablet, usb-hub or usb-hub3 (for SuperSpeed)."},
            {"id", PROTOCOL_STRING, false, 1, 64, "A name that no other device has."},
            {"port", PROTOCOL_STRING, true, 1, 31,
             "1 to 4, or as in 1.2 the port of a hub there; a free one if it is left out."},
            {"file", PROTOCOL_STRING, true, 1, PATH_MAX - 1,
             "The image of what is on a stick: an absolute path."},
            {"format", PROTOCOL_STRING, true, 1, 64, "The image's format; raw if it is left out."},
            {"read-only", PROTOCOL_BOOL, true, 0, 0, "Whether the guest may not write to it."}),
    },
    {
        .name = "device_del",
        .help = "Pull a USB device out, with all that is plugged in behind it.",
        .result = "nothing",
        .arguments = ARGUMENTS({"id", PROTOCOL_STRING, false, 1, 64, "The device's name."}),
    },
    {
        .name = "query-usb-hosts",
        .help = "The devices of the host that the machine has, and the rules for them.",
        .result = "devices: an array of objects: device (the id), host-port, port (absent while it "
                  "is being attached), vendor-id, product-id, vendor, product and serial (absent "
                  "where it has none), speed; rules: as usb.rules of machine.conf",
        .arguments = no_arguments,
    },
    {
        .name = "usb-attach",
        .help = "Give the machine a USB device of the host.",
        .result = "nothing, when it is plugged in",
        .arguments = ARGUMENTS(
            {"device", PROTOCOL_STRING, false, 1, 512,
             "vendor:product, vendor:product:serial, or its port on the host; or where "
             "usbredir serves one: tcp:HOST:PORT or unix:PATH; or where it is to connect: "
             "tcp-listen:HOST:PORT, on the loopback, or unix-listen:PATH."},
            {"port", PROTOCOL_STRING, true, 1, 31,
             "The machine's port; without it the first that is free."}),
    },
    {
        .name = "usb-detach",
        .help = "Give a USB device back to the host.",
        .result = "nothing; the host has it soon",
        .arguments =
            ARGUMENTS({"device", PROTOCOL_STRING, false, 1, 512, "As usb-attach, or its id."}),
    },
    {
        .name = "usb-rules",
        .help = "Change the rules for USB devices of the host, until the machine ends.",
        .result = "nothing",
        .arguments =
            ARGUMENTS({"rules", PROTOCOL_STRING, false, 0, 4096, "As usb.rules of machine.conf."}),
    },
};

static const struct protocol_event events[] = {
    {"STOP", "nothing", "The guest was paused."},
    {"RESUME", "nothing", "The guest runs."},
    {"RESET", "guest: whether the guest itself asked for it", "The machine was reset."},
    {"POWERDOWN", "nothing", "The power button was pressed."},
    {"SHUTDOWN", "reason: a sentence; exit-code: the engine's", "The engine ends."},
    {"GUEST_PANICKED", "detail: what happened", "The guest crashed and does not run."},
    {"INTERNAL_ERROR", "detail: what happened", "The host could not run the guest."},
    {"USB_ATTACHED", "host-port; message", "A USB device of the host was plugged in."},
    {"USB_DETACHED", "host-port; message: why, or empty", "It was pulled out."},
    {"USB_ASKED", "host-port; message: what it calls itself",
     "A rule says to ask, and the device is there."},
    {"USB_FAILED", "host-port; message: why", "A rule could not be followed."},
    {"DEVICE_TRAY_MOVED", "device; tray-open: whether the drive is empty now",
     "A command took the disc out or put one in."},
    {"BLOCK_JOB_COMPLETED", "type; device; len; offset; error: a sentence, absent on success",
     "A block-stream or block-commit has ended."},
    {"BLOCK_JOB_CANCELLED", "type; device; len; offset",
     "A block-stream or block-commit was cancelled."},
    {"DEVICE_ADDED", "device: its id", "A USB device was plugged in."},
    {"DEVICE_DELETED", "device: its id", "A USB device was pulled out."},
};

const char *protocol_type_name(enum protocol_type type)
{
    static const char *const names[] = {"string", "integer", "boolean", "array"};

    return names[type];
}

const struct protocol_command *protocol_commands(size_t *ret_count)
{
    *ret_count = G_N_ELEMENTS(commands);
    return commands;
}

const struct protocol_event *protocol_events(size_t *ret_count)
{
    *ret_count = G_N_ELEMENTS(events);
    return events;
}

const struct protocol_command *protocol_find_command(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static bool check_range(const struct protocol_argument *argument, int64_t n, const char *unit,
                        GError **err)
{
    if (n >= argument->min && n <= argument->max)
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The argument '%s' is out of range: give %" G_GINT64_FORMAT
                       " to %" G_GINT64_FORMAT "%s.",
                       argument->name, argument->min, argument->max, unit);
}

static bool check_value(const struct protocol_argument *argument, const json_t *value, GError **err)
{
    switch (argument->type) {
    case PROTOCOL_STRING:
        if (json_is_string(value))
            return check_range(argument, json_string_length(value), " bytes", err);
        break;
    case PROTOCOL_INT:
        if (json_is_integer(value))
            return check_range(argument, json_integer_value(value), "", err);
        break;
    case PROTOCOL_BOOL:
        if (json_is_boolean(value))
            return true;
        break;
    case PROTOCOL_ARRAY:
        if (json_is_array(value))
            return check_range(argument, json_array_size(value), " elements", err);
        break;
    }
    return vmdesk_fail(err, VMDESK_ERROR_INVALID, "The argument '%s' must be of type %s.",
                       argument->name, protocol_type_name(argument->type));
}

bool protocol_check_arguments(const struct protocol_command *command, const json_t *arguments,
                              GError **err)
{
    size_t known = 0;

    for (const struct protocol_argument *a = command->arguments; a->name != NULL; a++) {
        const json_t *value = json_object_get(arguments, a->name);

        if (value == NULL && !a->optional)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID, "The argument '%s' is missing: add it.",
                               a->name);
        if (value != NULL && !check_value(a, value, err))
            return false;
        known += value != NULL;
    }
    if (known != json_object_size(arguments))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "'%s' was given an argument that it does not have: see query-commands.",
                           command->name);
    return true;
}
