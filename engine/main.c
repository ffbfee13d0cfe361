/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmdesk-engine: runs one machine until it ends. core/launch.h says how it is started.
 */
#include <config.h>

#include <fcntl.h>
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "core/paths.h"
#include "core/store.h"
#include "engine/control/server.h"
#include "engine/machine/machine.h"

struct engine {
    GMainLoop *loop;
    char *folder, *name, *runtime_folder;
    struct machine_lock *lock;
    struct machine_config *config;
    struct machine *machine;
    struct control_server *control;
    int exit_code;
};

static void on_state_changed(void *opaque, enum machine_state state, const char *detail)
{
    struct engine *engine = opaque;

    control_server_state_changed(engine->control, state, detail);
}

static void on_was_reset(void *opaque, const char *by)
{
    struct engine *engine = opaque;

    control_server_was_reset(engine->control, by);
}

static void on_usb(void *opaque, const char *event, const char *host_port, const char *message)
{
    struct engine *engine = opaque;

    control_server_usb(engine->control, event, host_port, message);
}

static void on_ending(void *opaque, int exit_code, const char *reason)
{
    struct engine *engine = opaque;

    engine->exit_code = exit_code;
    control_server_ending(engine->control, exit_code, reason);
    g_main_loop_quit(engine->loop);
}

static const struct machine_observer observer = {
    .state_changed = on_state_changed,
    .was_reset = on_was_reset,
    .usb = on_usb,
    .ending = on_ending,
};

static gboolean on_terminate(gpointer opaque)
{
    struct engine *engine = opaque;

    log_info("engine", "asked to end by a signal");
    machine_quit(engine->machine);
    return G_SOURCE_REMOVE;
}

/* One line to whoever started the engine; then the pipe is closed. */
static void report(int *ready_fd, const GError *error)
{
    if (error != NULL)
        log_error("engine", "%s", error->message);
    if (*ready_fd < 0)
        return;
    if (error != NULL)
        dprintf(*ready_fd, "ERROR %s\n", error->message);
    else
        dprintf(*ready_fd, "READY\n");
    close(*ready_fd);
    *ready_fd = -1;
}

static bool load_config(struct engine *engine, GError **err)
{
    g_autofree char *parent = g_path_get_dirname(engine->folder);
    struct store *store = store_new(parent);
    struct store_machine *machine = store_load_valid(store, engine->name, err);

    store_free(store);
    if (machine == NULL)
        return false;
    engine->config = g_steal_pointer(&machine->config);
    store_machine_free(machine);
    return machine_config_validate(engine->config, err);
}

static bool start(struct engine *engine, gint64 started_us, bool paused, GError **err)
{
    engine->runtime_folder = paths_runtime(engine->name, err);
    if (engine->runtime_folder == NULL)
        return false;
    engine->lock = machine_lock_acquire(engine->folder, engine->runtime_folder, err);
    if (engine->lock == NULL || !load_config(engine, err) ||
        !paths_create_runtime(engine->runtime_folder, err))
        return false;

    const struct machine_options options = {
        .config = engine->config,
        .folder = engine->folder,
        .runtime_folder = engine->runtime_folder,
        .context = g_main_context_default(),
        .started_us = started_us,
        .observer = &observer,
        .observer_opaque = engine,
    };
    engine->machine = machine_new(&options, err);
    if (engine->machine == NULL)
        return false;

    g_autofree char *socket = paths_socket(engine->runtime_folder, PATHS_CONTROL_SOCKET, err);
    const struct control_options control = {
        .context = g_main_context_default(),
        .path = socket,
        .machine = engine->machine,
        .config = engine->config,
        .folder = engine->folder,
    };
    if (socket == NULL)
        return false;
    engine->control = control_server_new(&control, err);
    if (engine->control == NULL)
        return false;
    if (!paused)
        machine_resume(engine->machine);
    return true;
}

static void finish(struct engine *engine)
{
    control_server_free(engine->control);
    machine_free(engine->machine);
    machine_config_free(engine->config);
    machine_lock_release(engine->lock);
    g_main_loop_unref(engine->loop);
    g_free(engine->runtime_folder);
    g_free(engine->name);
    g_free(engine->folder);
}

/* What an engine never needs: new privileges, files that others can read, a core dump that would
 * hold the guest's memory. */
static void give_up_privileges(void)
{
    const struct rlimit no_core = {0, 0};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &no_core);
    umask(077);
}

int main(int argc, char **argv)
{
    const gint64 started_us = g_get_monotonic_time();
    struct engine engine = {0};
    int ready_fd = -1;
    gboolean paused = FALSE, version = FALSE;
    const GOptionEntry entries[] = {
        {"ready-fd", 0, 0, G_OPTION_ARG_INT, &ready_fd, "Report success or failure to N", "N"},
        {"paused", 0, 0, G_OPTION_ARG_NONE, &paused, "Do not run the guest yet", NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("MACHINE-FOLDER");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || (!version && argc != 2)) {
        fprintf(stderr, "vmdesk-engine: %s (see vmdesk-engine --help)\n",
                error != NULL ? error->message : "it takes the folder of one machine");
        return 2;
    }
    if (version) {
        printf("vmdesk-engine %s\n", PACKAGE_VERSION);
        return 0;
    }
    if (ready_fd >= 0)
        fcntl(ready_fd, F_SETFD, FD_CLOEXEC);
    give_up_privileges();
    signal(SIGPIPE, SIG_IGN);
    engine.loop = g_main_loop_new(NULL, FALSE);
    engine.folder = g_canonicalize_filename(argv[1], NULL);
    engine.name = g_path_get_basename(engine.folder);
    if (start(&engine, started_us, paused, &error)) {
        g_unix_signal_add(SIGTERM, on_terminate, &engine);
        g_unix_signal_add(SIGINT, on_terminate, &engine);
        report(&ready_fd, NULL);
        if (machine_get_state(engine.machine) != MACHINE_SHUTDOWN)
            g_main_loop_run(engine.loop);
    } else {
        engine.exit_code = 1;
    }
    finish(&engine);
    if (error != NULL)
        report(&ready_fd, error); /* the lock is free: the user may try again at once */
    return engine.exit_code;
}
