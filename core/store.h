/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store: the machines on disk. A machine is a folder, named as the machine, with
 *
 *   machine.conf       its definition (core/config.h)
 *   lock               held by the engine while the machine runs
 *   engine.log, .1     what the engine said
 *   ovmf-vars.fd       the UEFI variables
 *   disk0.raw ...      the disks that were created with it
 *
 * Folders that start with a dot are the store's own (half-made or half-deleted machines).
 *
 * Thread: a struct store may be used by any thread; each call reads the disk and may wait for it,
 * none waits for an engine. A watch belongs to its context.
 */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/config.h"

struct store;

/* folder NULL: paths_machines(). It is created by the first store_create(). */
struct store *store_new(const char *folder);
void store_free(struct store *store); /* NULL is fine */
/* Who makes new disks of other formats than raw: an empty image of so many bytes at path. */
void store_set_disk_maker(struct store *store, bool (*make)(const char *path, const char *format,
                                                            uint64_t size, GError **err));
const char *store_folder(const struct store *store);

/* A machine as it is on disk. */
struct store_machine {
    char *name;
    char *folder;
    struct machine_config *config; /* NULL: the definition is broken, error says why */
    GError *error;
    char *text; /* the definition's text as read; NULL when it could not be read */
    /* From the lock: */
    bool running;
    pid_t pid;            /* 0 when not running, or not known yet */
    char *runtime_folder; /* where its sockets are; NULL when not running */
};
void store_machine_free(struct store_machine *machine); /* NULL is fine */

/* Every machine, sorted by name, broken ones included: struct store_machine *, freed with the
 * array. A store without a folder is empty. NULL and *err when the folder cannot be read. */
GPtrArray *store_list(struct store *store, GError **err);

/* One machine; NULL and *err (VMDESK_ERROR_NOT_FOUND: no such machine). A broken definition is no
 * failure here: look at ->config. */
struct store_machine *store_load(struct store *store, const char *name, GError **err);
/* The same, but a broken definition fails too. */
struct store_machine *store_load_valid(struct store *store, const char *name, GError **err);

/* Creates a machine named config->name, all or nothing: it appears complete, or not at all.
 * new_disk_sizes (NULL: none) gives MACHINE_MAX_DISKS sizes in bytes: for each one that is not 0,
 * config->disks[i] is set to a new empty disk of that size, a multiple of 512, in the folder; its
 * format is what config->disks[i].format says.
 * VMDESK_ERROR_EXISTS: the name is taken. */
bool store_create(struct store *store, struct machine_config *config,
                  const uint64_t *new_disk_sizes, GError **err);

/* Writes machine->config, atomically, keeping the comments of machine->text, and brings
 * machine->text up to date. VMDESK_ERROR_BUSY: the file is no longer as machine->text has it;
 * nothing is written, load it again. A running machine takes the change at its next start. */
bool store_save(struct store *store, struct store_machine *machine, GError **err);
/* The same for a whole new text, which is parsed first; on success it is machine->config. */
bool store_save_text(struct store *store, struct store_machine *machine, const char *text,
                     GError **err);

/* Deletes a machine and the files that are its own: disks by absolute path are not.
 * Fails and deletes nothing when it runs (VMDESK_ERROR_BUSY), or when its folder holds files that
 * vmdesk did not make (VMDESK_ERROR_EXISTS, they are named). */
bool store_delete(struct store *store, const char *name, GError **err);

/* Called soon after machines were made, deleted, changed, started or ended, by whatever process;
 * several changes may come as one call. Look again by store_list(). */
typedef void (*store_changed_fn)(void *opaque);
struct store_watch;
/* context NULL: the default one. Creates the store's folder. */
struct store_watch *store_watch_new(struct store *store, GMainContext *context,
                                    store_changed_fn changed, void *opaque, GError **err);
void store_watch_free(struct store_watch *watch); /* NULL is fine */

/* The lock of a machine, by its folder: an open file description lock that the kernel frees
 * however its holder ends. The holder's process id and runtime folder can be read from the file. */
struct machine_lock;
/* VMDESK_ERROR_BUSY: it runs; the message names the process. */
struct machine_lock *machine_lock_acquire(const char *folder, const char *runtime_folder,
                                          GError **err);
void machine_lock_release(struct machine_lock *lock); /* NULL is fine */
/* Whether it is held; *ret_pid (0: not known) and *ret_runtime_folder (caller frees; NULL: not
 * known) may be NULL. */
bool machine_lock_query(const char *folder, pid_t *ret_pid, char **ret_runtime_folder);

#endif
