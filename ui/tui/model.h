/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All machines as the interface sees them: what is on disk, and what their engines say. Engines are
 * asked asynchronously; one that hangs, dies or lies changes its machine's state and nothing else.
 *
 * Everything runs on the default main context.
 */
#ifndef UI_TUI_MODEL_H
#define UI_TUI_MODEL_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/client.h"
#include "core/store.h"
#include "ui/tui/keymap.h"
#include "ui/tui/theme.h"

enum vm_state {
    VM_OFF,
    VM_BROKEN,   /* the definition cannot be used */
    VM_STARTING, /* there is an engine, it has not said yet how the guest is */
    VM_RUNNING,
    VM_PAUSED,
    VM_CRASHED,    /* the guest panicked */
    VM_STUCK,      /* the host could not run the guest */
    VM_ENDING,     /* the engine is about to end */
    VM_UNANSWERED, /* there is an engine, and it does not answer */
    VM_KILLED,     /* the engine ended without a word */
    VM_FAILED,     /* the last start failed */
    VM_STATE_COUNT,
};

#define VM_HISTORY 16

struct vm {
    struct model *model;
    char *name;
    struct store_machine *disk;
    enum vm_state state;
    char *detail; /* a sentence that belongs to the state; NULL: none */

    /* While there is an engine; NULL or 0 where it has not said. */
    struct client *client;
    unsigned connection; /* no two connections of a model share a number; 0: no client */
    char *accel;
    char *vnc;    /* where viewers connect */
    char *serial; /* the socket */
    bool cd_drive, cd_locked;
    char *cd; /* what is in the drive; NULL: empty */
    uint64_t guest_time_ns, memory_resident, engine_memory;
    uint64_t cpu_time_ns;
    gint64 cpu_when; /* of cpu_time_ns, monotonic */
    double cpu;      /* share of its vCPUs; below 0: not known */
    double cpu_history[VM_HISTORY];
    unsigned cpu_count; /* of cpu_history, from the left */

    /* private */
    struct launch *launch;
    bool said_goodbye, settling, visible, stats_pending, probing;
    unsigned failed_connects;
    guint retry;
};

struct model_handlers {
    void (*changed)(void *opaque); /* machines came, went or changed */
    void (*message)(enum role role, const char *text, void *opaque);
};

/* Reads the store; touches no engine yet. A store that cannot be read is empty, and a message. */
struct model *model_new(struct store *store, const struct model_handlers *handlers, void *opaque);
void model_free(struct model *model); /* NULL is fine */
/* From now on: watches the store and talks to the engines. */
void model_go(struct model *model);

struct store *model_store(struct model *model);
void model_reload(struct model *model); /* look at the store now */

unsigned model_count(const struct model *model); /* machines, sorted by name */
struct vm *model_at(const struct model *model, unsigned index);
struct vm *model_find(const struct model *model, const char *name); /* NULL: none */

/* Between these two, model_show() is called for each machine that is on the screen: only those are
 * asked for their statistics, once a second while they run. */
void model_begin_visible(struct model *model);
void model_show(struct vm *vm);
void model_end_visible(struct model *model);

bool vm_has_engine(const struct vm *vm); /* an engine lives, whether it answers or not */
bool vm_is_answering(const struct vm *vm);
const char *vm_state_word(const struct vm *vm);
enum glyph vm_state_glyph(const struct vm *vm);
enum role vm_state_role(const struct vm *vm);
/* Why an action cannot be done now, in words that follow the action's name; NULL: it can. */
const char *vm_refuses(const struct vm *vm, enum action action);

/* What fails is a message. */
void vm_start(struct vm *vm);
void vm_command(struct vm *vm, const char *command, json_t *arguments);
/* The same for USB devices, which the host may be slow to let go. */
void vm_usb(struct vm *vm, const char *command, json_t *arguments);
void vm_change_disc(struct vm *vm, const char *path); /* NULL: take it out */
void vm_force_off(struct vm *vm);                     /* kills an engine that does not answer */

#endif
