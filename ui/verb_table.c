/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/verbs.h"

#define OPTIONS(...)             \
    (const struct verb_option[]) \
    {                            \
        __VA_ARGS__,             \
        {                        \
            NULL                 \
        }                        \
    }

#define MACHINE               \
    {                         \
        "NAME", VALUE_MACHINE \
    }
#define JSON                                        \
    {                                               \
        "json", 'j', VALUE_NONE, NULL, "print JSON" \
    }

/* Contents do not tell a format: a guest can write them. */
#define FORMAT_RULE                                                                              \
    "Without --format the format is what the name ends in, as in .qcow2, .vmdk, .vdi, .vhd and " \
    ".vhdx, else raw; contents are never looked at."

/* ui/disk_place.h */
#define IMAGE_RULE "IMAGE is a file, or a disk of a machine that is off, as in box:disk0. "
#define LIVE_RULE "IMAGE is a file, or a disk of a machine, as in box:disk0, which may be running. "
#define IMAGE               \
    {                       \
        "IMAGE", VALUE_FILE \
    }
#define FORMAT                                                                 \
    {                                                                          \
        "format", 'f', VALUE_OTHER, "FORMAT", "the image's format (see above)" \
    }
/* What becomes of a new image. */
#define NEW_IMAGE                                                                               \
    {"preallocation", 'p', VALUE_OTHER, "KIND", "off, metadata, falloc or full (default off)"}, \
        {"cluster-size", 0, VALUE_OTHER, "SIZE", "qcow2: 512 to 2M (default 64K)"},             \
        {"refcount-bits", 0, VALUE_OTHER, "NUMBER", "qcow2: 1 to 64 (default 16)"},             \
        {"version", 0, VALUE_OTHER, "NUMBER", "qcow2: 2 or 3 (default 3)"},                     \
        {"extended-l2", 0, VALUE_NONE, NULL, "qcow2: subclusters"},                             \
        {"lazy-refcounts", 0, VALUE_NONE, NULL, "qcow2: counted late, checked after a crash"},  \
    {                                                                                           \
        "compression", 0, VALUE_OTHER, "KIND", "qcow2: zlib or zstd (default zlib)"             \
    }

#define USB_DEVICE                                                                             \
    "DEVICE is vendor:product, vendor:product:serial or a port, as \"vmdesk usb list\" shows " \
    "them."

static const struct verb_option no_options[] = {{NULL}};

static const struct verb verbs[] = {
    {
        .name = "create",
        .help = "make a new machine",
        .details = "A disk is a size, for a new empty one, or an image that exists. The demo "
                   "machine boots the GRUB rescue disc of the package grub-rescue-pc.",
        .arguments = {{"NAME", VALUE_OTHER, .optional = true}},
        .options = OPTIONS({"demo", 0, VALUE_NONE, NULL, "make the demo machine"},
                           {"iso", 'i', VALUE_FILE, "FILE", "the disc in its CD drive"},
                           {"disk", 'd', VALUE_FILE, "SIZE|FILE", "a disk; up to four"},
                           {"disk-format", 0, VALUE_OTHER, "FORMAT",
                            "of new disks: qcow2 (the default) or raw"},
                           {"memory", 'm', VALUE_OTHER, "SIZE", "its memory, as in 512M or 2G"},
                           {"cpus", 'c', VALUE_OTHER, "NUMBER", "its virtual CPUs"},
                           {"firmware", 'f', VALUE_OTHER, "NAME", "seabios or ovmf"},
                           {"kernel", 'k', VALUE_FILE, "FILE", "a kernel to start directly"},
                           {"initrd", 0, VALUE_FILE, "FILE", "the kernel's initial RAM disk"},
                           {"cmdline", 0, VALUE_OTHER, "TEXT", "the kernel's command line"},
                           {"set", 's', VALUE_KEY, "GROUP.KEY=VALUE",
                            "any other key of machine.conf(5); may be repeated"}),
        .run = verb_create,
    },
    {
        .name = "list",
        .help = "list the machines",
        .options = OPTIONS(JSON),
        .run = verb_list,
    },
    {
        .name = "show",
        .help = "show one machine: its definition and what it does",
        .arguments = {MACHINE},
        .options = OPTIONS(JSON),
        .run = verb_show,
    },
    {
        .name = "start",
        .help = "start a machine",
        .arguments = {MACHINE},
        .options = OPTIONS({"timeout", 't', VALUE_OTHER, "SECONDS",
                            "how long to wait until it runs (default 60)"}),
        .run = verb_start,
    },
    {
        .name = "stop",
        .help = "press the power button, or force off",
        .details = "Without options it presses the power button and returns: the guest decides "
                   "what follows. With --wait and --force together it forces off what is not off "
                   "by then.",
        .arguments = {MACHINE},
        .options = OPTIONS({"wait", 'w', VALUE_OTHER, "SECONDS", "wait until it is off"},
                           {"force", 'f', VALUE_NONE, NULL,
                            "turn it off at once; what the guest has not written is lost"}),
        .run = verb_stop,
    },
    {
        .name = "reset",
        .help = "press the reset button",
        .arguments = {MACHINE},
        .options = no_options,
        .run = verb_reset,
    },
    {
        .name = "pause",
        .help = "hold a machine still",
        .arguments = {MACHINE},
        .options = no_options,
        .run = verb_pause,
    },
    {
        .name = "resume",
        .help = "let a paused machine go on",
        .arguments = {MACHINE},
        .options = no_options,
        .run = verb_resume,
    },
    {
        .name = "console",
        .help = "use a machine from this terminal; Ctrl-] leaves",
        .details = "Shows its text screen and sends it your keys. With --serial it joins its "
                   "serial port instead, and passes all bytes as they are.",
        .arguments = {MACHINE},
        .options = OPTIONS({"serial", 's', VALUE_NONE, NULL, "the serial port"}),
        .run = verb_console,
    },
    {
        .name = "screen",
        .help = "print a machine's text screen",
        .arguments = {MACHINE},
        .options =
            OPTIONS({"wait", 'w', VALUE_OTHER, "TEXT", "wait until a line of it has TEXT"},
                    {"timeout", 't', VALUE_OTHER, "SECONDS", "but at most so long (default 60)"},
                    JSON),
        .run = verb_screen,
    },
    {
        .name = "screenshot",
        .help = "save a machine's screen as a PNG picture",
        .details = "The file \"-\" is standard output.",
        .arguments = {MACHINE, {"FILE", VALUE_FILE}},
        .options = no_options,
        .run = verb_screenshot,
    },
    {
        .name = "type",
        .help = "type text and keys into a machine",
        .details =
            "In TEXT, \\n is the Return key, \\t Tab, \\e Escape and \\\\ a backslash. It is "
            "typed as on a US keyboard. The keys follow it, in their order.",
        .arguments = {MACHINE, {"TEXT", VALUE_OTHER, .optional = true}},
        .options =
            OPTIONS({"key", 'k', VALUE_OTHER, "KEYS",
                     "keys pressed together, as in ctrl-alt-delete; may be repeated"},
                    {"delay", 'd', VALUE_OTHER, "MILLISECONDS", "between two keys (default 30)"}),
        .run = verb_type,
    },
    {
        .name = "cd",
        .help = "show, change or take out the disc of the CD drive",
        .details = "Works on a machine that runs and on one that is off, and is remembered.",
        .arguments = {MACHINE, {"FILE", VALUE_FILE, .optional = true}},
        .options =
            OPTIONS({"eject", 'e', VALUE_NONE, NULL, "take the disc out"},
                    {"force", 'f', VALUE_NONE, NULL, "even when the guest locked the drive"}, JSON),
        .run = verb_cd,
    },
    {
        .name = "set",
        .help = "change a machine's definition",
        .details = "A machine that runs takes it at its next start. An empty value restores the "
                   "default.",
        .arguments = {MACHINE, {"GROUP.KEY=VALUE", VALUE_KEY, .repeated = true}},
        .options = no_options,
        .run = verb_set,
    },
    {
        .name = "edit",
        .help = "edit a machine's definition with $VISUAL or $EDITOR",
        .arguments = {MACHINE},
        .options = no_options,
        .run = verb_edit,
    },
    {
        .name = "delete",
        .help = "delete a machine and its own disks",
        .arguments = {MACHINE},
        .options = OPTIONS({"yes", 'y', VALUE_NONE, NULL, "do not ask for the name"}),
        .run = verb_delete,
    },
    {
        .name = "log",
        .help = "print the log of a machine's engine",
        .arguments = {MACHINE},
        .options = OPTIONS({"follow", 'f', VALUE_NONE, NULL, "go on as it grows"},
                           {"lines", 'n', VALUE_OTHER, "NUMBER", "only the last lines"}),
        .run = verb_log,
    },
    {
        .name = "usb list",
        .help = "list this computer's USB devices, and who has each",
        .options = OPTIONS(JSON),
        .run = verb_usb_list,
    },
    {
        .name = "usb attach",
        .help = "give a USB device to a machine that runs",
        .details =
            USB_DEVICE " tcp:HOST:PORT or unix:PATH is a device elsewhere, served by "
                       "usbredirect; with tcp-listen: or unix-listen: instead, it is to connect "
                       "there within 25 seconds. Without a rule it is the machine's until it "
                       "is unplugged.",
        .arguments = {MACHINE, {"DEVICE", VALUE_OTHER}},
        .options = OPTIONS(
            {"port", 'p', VALUE_OTHER, "PORT", "the machine's port; without it any free one"},
            {"yes", 'y', VALUE_NONE, NULL, "even a keyboard, a mouse or a disk that is mounted"}),
        .run = verb_usb_attach,
    },
    {
        .name = "usb detach",
        .help = "give a USB device back to this computer",
        .arguments = {MACHINE, {"DEVICE", VALUE_OTHER}},
        .options = no_options,
        .run = verb_usb_detach,
    },
    {
        .name = "usb rule",
        .help = "show or change which USB devices a machine gets by itself",
        .details = USB_DEVICE
        " POLICY is always (whenever it is plugged in), once (once in each run) or ask (the "
        "terminal interface says that it is there). With --udev it prints the rule of udev(7) "
        "that lets you use a device, and names no machine.",
        .arguments = {{"NAME", VALUE_MACHINE, .optional = true},
                      {"DEVICE", VALUE_OTHER, .optional = true},
                      {"POLICY", VALUE_OTHER, .optional = true}},
        .options = OPTIONS(
            {"remove", 'r', VALUE_NONE, NULL, "forget the rule for DEVICE"},
            {"udev", 'u', VALUE_OTHER, "DEVICE", "print the udev rule that lets you use DEVICE"},
            {"write", 'w', VALUE_NONE, NULL, "and write it to /etc/udev/rules.d: for root"},
            {"user", 0, VALUE_OTHER, "USER", "whom the udev rule lets (default: you)"}, JSON),
        .run = verb_usb_rule,
    },
    {
        .name = "disk create",
        .help = "make a new disk image",
        .details = "It gets its name when it is complete. " FORMAT_RULE
                   " With --backing the image holds what differs from another, and SIZE may be "
                   "left out.",
        .arguments = {{"FILE", VALUE_FILE}, {"SIZE", VALUE_SIZE, .optional = true}},
        .options =
            OPTIONS(FORMAT, {"backing", 'b', VALUE_FILE, "FILE", "the image that it lies on"},
                    {"backing-format", 'F', VALUE_OTHER, "FORMAT", "that image's format"},
                    NEW_IMAGE,
                    {"data-file", 0, VALUE_FILE, "FILE",
                     "qcow2: a new file beside it that holds the data"},
                    {"data-file-raw", 0, VALUE_NONE, NULL, "and that is a raw image of the disk"}),
        .run = verb_disk_create,
    },
    {
        .name = "disk info",
        .help = "show what a disk image is",
        .details = LIVE_RULE FORMAT_RULE,
        .arguments = {IMAGE},
        .options =
            OPTIONS(FORMAT, {"chain", 'c', VALUE_NONE, NULL, "and the images it lies on"}, JSON),
        .run = verb_disk_info,
    },
    {
        .name = "disk map",
        .help = "show where a disk image has its data",
        .details = IMAGE_RULE FORMAT_RULE,
        .arguments = {IMAGE},
        .options = OPTIONS(FORMAT, JSON),
        .run = verb_disk_map,
    },
    {
        .name = "disk measure",
        .help = "tell how much room an image would take",
        .details = "The image is what IMAGE would become when it is converted, or a new one of a "
                   "size. " IMAGE_RULE FORMAT_RULE,
        .arguments = {{"IMAGE", VALUE_FILE, .optional = true}},
        .options = OPTIONS(FORMAT, {"size", 's', VALUE_SIZE, "SIZE", "of a new image"},
                           {"target-format", 'O', VALUE_OTHER, "FORMAT", "qcow2 or raw"},
                           {"cluster-size", 0, VALUE_OTHER, "SIZE", "qcow2: 512 to 2M"},
                           {"refcount-bits", 0, VALUE_OTHER, "NUMBER", "qcow2: 1 to 64"},
                           {"extended-l2", 0, VALUE_NONE, NULL, "qcow2: subclusters"}, JSON),
        .run = verb_disk_measure,
    },
    {
        .name = "disk convert",
        .help = "copy a disk image to a new one of any format",
        .details = "Holes stay holes. The new image stands alone, and gets its name when it is "
                   "complete. " IMAGE_RULE FORMAT_RULE,
        .arguments = {IMAGE, {"TARGET", VALUE_FILE}},
        .options =
            OPTIONS(FORMAT,
                    {"target-format", 'O', VALUE_OTHER, "FORMAT",
                     "qcow2 or raw; without it the target's name tells"},
                    {"compress", 'c', VALUE_NONE, NULL, "qcow2: pack its clusters"}, NEW_IMAGE),
        .run = verb_disk_convert,
    },
    {
        .name = "disk compare",
        .help = "tell whether two disk images hold the same",
        .details = "Where one is longer, the rest of it must be zeros. " IMAGE_RULE FORMAT_RULE,
        .arguments = {IMAGE, {"OTHER", VALUE_FILE}},
        .options =
            OPTIONS(FORMAT, {"other-format", 'F', VALUE_OTHER, "FORMAT", "the other's"}, JSON),
        .run = verb_disk_compare,
    },
    {
        .name = "disk check",
        .help = "look for damage in a disk image",
        .details = IMAGE_RULE FORMAT_RULE,
        .arguments = {IMAGE},
        .options =
            OPTIONS(FORMAT, {"repair", 'r', VALUE_NONE, NULL, "put right what can be"},
                    {"leaks", 'l', VALUE_NONE, NULL, "only give back clusters that nothing uses"},
                    JSON),
        .run = verb_disk_check,
    },
    {
        .name = "disk resize",
        .help = "give a disk image another size",
        .details =
            "A SIZE that starts with + is added. Partitions and file systems inside stay "
            "as they are: grow them in the guest, and shrink them there first. The disk of a "
            "running machine can become larger; its guest sees that after a restart, or when "
            "it lets go of the disk and looks for it again. " LIVE_RULE FORMAT_RULE,
        .arguments = {IMAGE, {"SIZE", VALUE_SIZE}},
        .options = OPTIONS(FORMAT,
                           {"shrink", 's', VALUE_NONE, NULL,
                            "even if there are data past the new size, which are lost"},
                           {"preallocation", 'p', VALUE_OTHER, "KIND",
                            "of what is added: off, metadata, falloc or full"}),
        .run = verb_disk_resize,
    },
    {
        .name = "disk snapshot list",
        .help = "list the snapshots inside a disk image",
        .details = LIVE_RULE FORMAT_RULE,
        .arguments = {IMAGE},
        .options = OPTIONS(FORMAT,
                           {"tree", 't', VALUE_NONE, NULL, "show which descends from which"}, JSON),
        .run = verb_disk_snapshot_list,
    },
    {
        .name = "disk snapshot create",
        .help = "keep what a disk image holds now as a snapshot",
        .details = LIVE_RULE FORMAT_RULE,
        .arguments = {IMAGE, {"SNAPSHOT", VALUE_OTHER}},
        .options = OPTIONS(FORMAT),
        .run = verb_disk_snapshot_create,
    },
    {
        .name = "disk snapshot apply",
        .help = "go back to a snapshot; what the image holds now is lost",
        .details = "SNAPSHOT is its name or id. " IMAGE_RULE FORMAT_RULE,
        .arguments = {IMAGE, {"SNAPSHOT", VALUE_OTHER}},
        .options = OPTIONS(FORMAT),
        .run = verb_disk_snapshot_apply,
    },
    {
        .name = "disk snapshot delete",
        .help = "delete a snapshot",
        .details = "SNAPSHOT is its name or id. " LIVE_RULE FORMAT_RULE,
        .arguments = {IMAGE, {"SNAPSHOT", VALUE_OTHER}},
        .options = OPTIONS(FORMAT),
        .run = verb_disk_snapshot_delete,
    },
    {
        .name = "disk snapshot rename",
        .help = "give a snapshot another name",
        .details = "SNAPSHOT is its name or id. " LIVE_RULE FORMAT_RULE,
        .arguments = {IMAGE, {"SNAPSHOT", VALUE_OTHER}, {"NAME", VALUE_OTHER}},
        .options = OPTIONS(FORMAT),
        .run = verb_disk_snapshot_rename,
    },
    {
        .name = "disk commit",
        .help = "bring what an image holds into the image it lies on",
        .details = "An image with snapshots is refused, since they would change with the other: "
                   "flatten it. " LIVE_RULE FORMAT_RULE,
        .arguments = {IMAGE},
        .options = OPTIONS(FORMAT),
        .run = verb_disk_commit,
    },
    {
        .name = "disk rebase",
        .help = "lay an image on another one",
        .details = "What differs between the old and the new one is copied first, so that the "
                   "image and its snapshots stay as they are; with --unsafe only the name is "
                   "changed. " IMAGE_RULE FORMAT_RULE,
        .arguments = {IMAGE, {"BACKING", VALUE_FILE}},
        .options =
            OPTIONS(FORMAT, {"backing-format", 'F', VALUE_OTHER, "FORMAT", "that image's format"},
                    {"unsafe", 'u', VALUE_NONE, NULL,
                     "copy nothing, as when the image it lies on was moved"}),
        .run = verb_disk_rebase,
    },
    {
        .name = "disk flatten",
        .help = "make an image stand alone, with all it takes from others",
        .details = "Its snapshots stay as they are, and what it and they take from others is "
                   "copied once. " LIVE_RULE FORMAT_RULE,
        .arguments = {IMAGE},
        .options = OPTIONS(FORMAT),
        .run = verb_disk_flatten,
    },
    {
        .name = "disk compact",
        .help = "give room that an image does not use back to this computer",
        .details = IMAGE_RULE FORMAT_RULE,
        .arguments = {IMAGE},
        .options = OPTIONS(FORMAT, JSON),
        .run = verb_disk_compact,
    },
    {
        .name = "disk bench",
        .help = "measure how fast an image is read, or written",
        .details = "With --write the contents are lost. " IMAGE_RULE FORMAT_RULE,
        .arguments = {IMAGE},
        .options = OPTIONS(FORMAT, {"write", 'w', VALUE_NONE, NULL, "write, in place of reading"},
                           {"random", 'R', VALUE_NONE, NULL, "anywhere, in place of in order"},
                           {"block", 'b', VALUE_SIZE, "SIZE", "of each request (default 4K)"},
                           {"depth", 'd', VALUE_OTHER, "NUMBER", "requests at once (default 32)"},
                           {"count", 'n', VALUE_OTHER, "NUMBER", "requests (default 75000)"},
                           {"flush", 0, VALUE_OTHER, "NUMBER", "flush after so many writes"},
                           {"cache", 0, VALUE_OTHER, "KIND",
                            "writeback, writethrough or direct (default writeback)"},
                           JSON),
        .run = verb_disk_bench,
    },
    {
        .name = "completion",
        .help = "print the completion script for bash",
        .options = no_options,
        .run = verb_completion,
    },
    {
        .name = "help",
        .help = "explain vmdesk or one of its verbs",
        .arguments = {{"VERB", VALUE_VERB, .optional = true, .repeated = true}},
        .options = no_options,
        .run = verb_help,
    },
};

static const struct verb bare = {
    .name = "",
    .help = "Without a verb, vmdesk opens the terminal interface.",
    .options = OPTIONS({"machine", 'm', VALUE_MACHINE, "NAME", "open this machine"},
                       {"ascii", 0, VALUE_NONE, NULL, "use ASCII characters only"},
                       {"no-mouse", 0, VALUE_NONE, NULL, "leave the mouse to the terminal"},
                       {"no-color", 0, VALUE_NONE, NULL, "use no colours"},
                       {"version", 'V', VALUE_NONE, NULL, "print the version"}),
    .run = verb_tui,
};

const struct verb *verbs_bare(void)
{
    return &bare;
}

const struct verb *verbs_table(size_t *ret_count)
{
    *ret_count = G_N_ELEMENTS(verbs);
    return verbs;
}
