/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The negotiation, and the commands that change what the machine does. */
#include "core/error.h"
#include "engine/control/control_internal.h"

static struct machine *machine_of(struct control_request *request)
{
    return request->server->machine;
}

static void negotiate(struct control_request *request, const json_t *arguments)
{
    request->connection->negotiated = true;
    control_return(request, NULL);
}

static void end(struct control_request *request, bool done, GError *error)
{
    if (done)
        control_return(request, NULL);
    else
        control_fail(request, error);
}

static void stop(struct control_request *request, const json_t *arguments)
{
    GError *error = NULL;
    bool done = machine_get_state(machine_of(request)) == MACHINE_PAUSED ||
                machine_pause(machine_of(request), &error);

    end(request, done, error);
}

static void cont(struct control_request *request, const json_t *arguments)
{
    enum machine_state state = machine_get_state(machine_of(request));
    GError *error = NULL;

    if (state == MACHINE_PRELAUNCH || state == MACHINE_PAUSED)
        machine_resume(machine_of(request));
    else if (state != MACHINE_RUNNING)
        vmdesk_fail(&error, VMDESK_ERROR_BUSY, "The machine is %s and cannot go on: reset it.",
                    machine_state_name(state));
    end(request, error == NULL, error);
}

static void reset(struct control_request *request, const json_t *arguments)
{
    GError *error = NULL;
    bool done = machine_reset(machine_of(request), &error);

    end(request, done, error);
}

static void power_button(struct control_request *request, const json_t *arguments)
{
    GError *error = NULL;
    bool done = machine_power_button(machine_of(request), &error);

    if (done)
        control_server_event(request->server, "POWERDOWN", NULL);
    end(request, done, error);
}

static void quit(struct control_request *request, const json_t *arguments)
{
    struct machine *machine = machine_of(request);

    control_return(request, NULL);
    machine_quit(machine);
}

const struct control_handler control_run_handlers[] = {
    {"qmp_capabilities", negotiate},    {"stop", stop}, {"cont", cont}, {"system_reset", reset},
    {"system_powerdown", power_button}, {"quit", quit}, {NULL},
};
