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
        .name = "usb",
        .help = "list this computer's USB devices",
        .arguments = {{"list", VALUE_WORD_LIST}},
        .options = OPTIONS(JSON),
        .run = verb_usb,
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
        .arguments = {{"VERB", VALUE_VERB, .optional = true}},
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
