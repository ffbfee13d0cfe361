/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>

#include "core/error.h"
#include "core/launch.h"
#include "ui/remote.h"
#include "ui/verbs.h"

#define START_SECONDS 60
#define MAX_SECONDS 86400
#define QUIT_SECONDS 10 /* for an engine to end after it was told to */
#define POLL_US 20000

bool verb_start(const struct verb_call *call, GError **err)
{
    struct store_machine *machine;
    unsigned seconds;
    bool done;

    if (!verb_number(call, "timeout", 1, MAX_SECONDS, START_SECONDS, &seconds, err))
        return false;
    machine = store_load_valid(call->store, call->arguments[0], err);
    done = machine != NULL && launch_and_wait(machine->folder, seconds * 1000, err);
    store_machine_free(machine);
    return done;
}

static bool simple_command(const struct verb_call *call, const char *command, GError **err)
{
    json_t *result = remote_call(call->store, call->arguments[0], command, NULL, err);
    bool done = result != NULL;

    json_decref(result);
    return done;
}

bool verb_reset(const struct verb_call *call, GError **err)
{
    return simple_command(call, "system_reset", err);
}

bool verb_pause(const struct verb_call *call, GError **err)
{
    return simple_command(call, "stop", err);
}

bool verb_resume(const struct verb_call *call, GError **err)
{
    return simple_command(call, "cont", err);
}

/* Waits until the machine's lock is free, which is true however its engine ended. */
static bool wait_until_off(const struct store_machine *machine, unsigned seconds, GError **err)
{
    gint64 end = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;

    while (machine_lock_query(machine->folder, NULL, NULL)) {
        if (g_get_monotonic_time() >= end)
            return vmdesk_fail(err, VMDESK_ERROR_TIMEOUT,
                               "%s is still running after %u s: \"vmdesk stop --force %s\" turns "
                               "it off",
                               machine->name, seconds, machine->name);
        g_usleep(POLL_US);
    }
    return true;
}

/* Asks the engine to end; kills one that does not. It may end before it answers: the lock tells. */
static bool force_off(const struct verb_call *call, const struct store_machine *machine,
                      GError **err)
{
    pid_t pid;

    if (simple_command(call, "quit", NULL) && wait_until_off(machine, QUIT_SECONDS, NULL))
        return true;
    if (machine_lock_query(machine->folder, &pid, NULL) && pid > 0)
        kill(pid, SIGKILL);
    return wait_until_off(machine, QUIT_SECONDS, err);
}

static bool stop_machine(const struct verb_call *call, const struct store_machine *machine,
                         GError **err)
{
    bool wait = verb_has(call, "wait"), force = verb_has(call, "force");
    g_autoptr(GError) error = NULL;
    unsigned seconds;

    if (!verb_number(call, "wait", 0, MAX_SECONDS, 0, &seconds, err))
        return false;
    if (force && !wait)
        return force_off(call, machine, err);
    /* A paused or crashed guest cannot be asked; that is what force is for. */
    if (simple_command(call, "system_powerdown", &error) &&
        (!wait || wait_until_off(machine, seconds, &error)))
        return true;
    if (force)
        return force_off(call, machine, err);
    g_propagate_error(err, g_steal_pointer(&error));
    return false;
}

bool verb_stop(const struct verb_call *call, GError **err)
{
    struct store_machine *machine = store_load(call->store, call->arguments[0], err);
    g_autofree char *socket = machine != NULL ? remote_socket(machine, err) : NULL;
    bool done = socket != NULL && stop_machine(call, machine, err);

    store_machine_free(machine);
    return done;
}
