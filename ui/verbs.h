/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: one row of one table for each verb. The table drives parsing, help, shell
 * completion and the test of the manual page. A verb may be of several words, as "disk create": the
 * words before its last are a group, which is no verb itself.
 */
#ifndef UI_VERBS_H
#define UI_VERBS_H

#include <glib.h>
#include <stdbool.h>

#include "core/store.h"

/* Exit statuses; vmdesk(1) lists them. */
enum exit_status {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,     /* the command line is wrong */
    STATUS_NOT_FOUND = 3, /* no such machine or file */
    STATUS_STATE = 4,     /* the machine runs, or does not, or is being changed */
    STATUS_TIMEOUT = 5,
    STATUS_INTERRUPTED = 130, /* as shells have it for SIGINT */
};

/* What an option's or argument's value is, for completion. */
enum value_kind {
    VALUE_NONE, /* of an option: it is a flag */
    VALUE_OTHER,
    VALUE_FILE,
    VALUE_MACHINE,
    VALUE_KEY,  /* group.key=value */
    VALUE_SIZE, /* as 10G */
    VALUE_VERB,
};

struct verb_option {
    const char *name; /* NULL ends the list */
    char letter;      /* '\0': none */
    enum value_kind kind;
    const char *placeholder; /* NULL for a flag */
    const char *help;
};

#define VERB_MAX_ARGUMENTS 3

/* A positional argument. */
struct verb_argument {
    const char *placeholder; /* NULL ends the list */
    enum value_kind kind;
    bool optional, repeated;
};

struct verb_call;

struct verb {
    const char *name;    /* words with one space between */
    const char *help;    /* one line */
    const char *details; /* NULL or more, for "vmdesk help VERB" */
    struct verb_argument arguments[VERB_MAX_ARGUMENTS + 1];
    const struct verb_option *options;
    bool (*run)(const struct verb_call *call, GError **err);
};

/* A verb on the command line, parsed and checked against its row. */
struct verb_call {
    const struct verb *verb;
    struct store *store;
    char **arguments;    /* as many as the row allows, NULL-terminated */
    GHashTable *options; /* name to a GPtrArray of its values, as given */
};

bool verb_has(const struct verb_call *call, const char *option);
/* The last value given; NULL: none. */
const char *verb_value(const struct verb_call *call, const char *option);
/* How often the option was given, and its values in order. */
unsigned verb_count(const struct verb_call *call, const char *option);
const char *verb_value_at(const struct verb_call *call, const char *option, unsigned index);
/* A number from the last value; fallback when it was not given. */
bool verb_number(const struct verb_call *call, const char *option, unsigned min, unsigned max,
                 unsigned fallback, unsigned *ret_number, GError **err);

/* Applies "group.key=value" as typed. */
bool verb_set_pair(struct machine_config *config, const char *pair, GError **err);

/* Sets *err to a mistake in the use of a verb; always returns false. */
bool verb_misused(GError **err, const char *message, ...) G_GNUC_PRINTF(2, 3);

const struct verb *verbs_table(size_t *ret_count);

/* vmdesk without a verb; its name is "". */
const struct verb *verbs_bare(void);

/* Runs what main() was given; prints what goes wrong. Returns the exit status. */
int verbs_run(int argc, char **argv);

/* The handlers, by file. */
bool verb_tui(const struct verb_call *call, GError **err); /* verb_tui.c */

bool verb_create(const struct verb_call *call, GError **err); /* verb_create.c */

bool verb_set(const struct verb_call *call, GError **err); /* verb_change.c */
bool verb_edit(const struct verb_call *call, GError **err);
bool verb_delete(const struct verb_call *call, GError **err);

bool verb_list(const struct verb_call *call, GError **err); /* verb_list.c */
bool verb_show(const struct verb_call *call, GError **err); /* verb_show.c */
bool verb_log(const struct verb_call *call, GError **err);  /* verb_log.c */

bool verb_start(const struct verb_call *call, GError **err); /* verb_power.c */
bool verb_stop(const struct verb_call *call, GError **err);
bool verb_reset(const struct verb_call *call, GError **err);
bool verb_pause(const struct verb_call *call, GError **err);
bool verb_resume(const struct verb_call *call, GError **err);

bool verb_screenshot(const struct verb_call *call, GError **err); /* verb_screen.c */
bool verb_screen(const struct verb_call *call, GError **err);
bool verb_type(const struct verb_call *call, GError **err);     /* verb_type.c */
bool verb_console(const struct verb_call *call, GError **err);  /* console.c */
bool verb_cd(const struct verb_call *call, GError **err);       /* verb_media.c */
bool verb_usb_list(const struct verb_call *call, GError **err); /* verb_usb.c */
bool verb_usb_attach(const struct verb_call *call, GError **err);
bool verb_usb_detach(const struct verb_call *call, GError **err);
bool verb_usb_rule(const struct verb_call *call, GError **err);    /* verb_usb_rule.c */
bool verb_disk_create(const struct verb_call *call, GError **err); /* verb_disk_make.c */
bool verb_disk_convert(const struct verb_call *call, GError **err);
bool verb_disk_measure(const struct verb_call *call, GError **err);
bool verb_disk_info(const struct verb_call *call, GError **err); /* verb_disk_info.c */
bool verb_disk_map(const struct verb_call *call, GError **err);
bool verb_disk_compare(const struct verb_call *call, GError **err); /* verb_disk_check.c */
bool verb_disk_check(const struct verb_call *call, GError **err);
bool verb_disk_resize(const struct verb_call *call, GError **err); /* verb_disk_change.c */
bool verb_disk_commit(const struct verb_call *call, GError **err);
bool verb_disk_rebase(const struct verb_call *call, GError **err);
bool verb_disk_flatten(const struct verb_call *call, GError **err);
bool verb_disk_compact(const struct verb_call *call, GError **err);
bool verb_disk_snapshot_list(const struct verb_call *call, GError **err); /* verb_disk_snapshot.c */
bool verb_disk_snapshot_create(const struct verb_call *call, GError **err);
bool verb_disk_snapshot_apply(const struct verb_call *call, GError **err);
bool verb_disk_snapshot_delete(const struct verb_call *call, GError **err);
bool verb_disk_snapshot_rename(const struct verb_call *call, GError **err);
bool verb_disk_bench(const struct verb_call *call, GError **err); /* verb_disk_bench.c */
bool verb_completion(const struct verb_call *call, GError **err); /* completion.c */
bool verb_help(const struct verb_call *call, GError **err);       /* verbs.c */

#endif
