/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that only look, all but the screen. */
#include "display/vnc.h"
#include "engine/control/control_internal.h"
#include "engine/dev/serial_backend.h"

static void query_version(struct control_request *request, const json_t *arguments)
{
    control_return(request, protocol_version());
}

static json_t *describe_arguments(const struct protocol_command *command)
{
    json_t *list = json_array();

    for (const struct protocol_argument *a = command->arguments; a->name != NULL; a++)
        json_array_append_new(list, json_pack("{s:s,s:s,s:b,s:s}", "name", a->name, "type",
                                              protocol_type_name(a->type), "optional", a->optional,
                                              "help", a->help));
    return list;
}

static void query_commands(struct control_request *request, const json_t *arguments)
{
    json_t *list = json_array();
    size_t count;
    const struct protocol_command *commands = protocol_commands(&count);

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:o}", "name", commands[i].name, "help",
                                              commands[i].help, "result", commands[i].result,
                                              "arguments", describe_arguments(&commands[i])));
    control_return(request, list);
}

static void query_status(struct control_request *request, const json_t *arguments)
{
    struct machine *machine = request->server->machine;
    enum machine_state state = machine_get_state(machine);
    g_autofree char *detail = g_utf8_make_valid(machine_detail(machine), -1);

    control_return(request, json_pack("{s:b,s:s,s:s,s:s,s:s}", "running", state == MACHINE_RUNNING,
                                      "status", machine_state_name(state), "detail", detail,
                                      "accel", machine_accel_name(machine), "accel-reason",
                                      machine_accel_reason(machine)));
}

static json_t *describe_vcpu(const struct vcpu_stats *vcpu)
{
    json_t *exits = json_object();

    for (unsigned kind = 0; kind < MACHINE_EXIT_KINDS; kind++) {
        if (machine_exit_kind_name(kind) != NULL)
            json_object_set_new(exits, machine_exit_kind_name(kind),
                                json_integer(vcpu->exits[kind]));
    }
    return json_pack("{s:I,s:o}", "cpu-time-ns", (json_int_t)vcpu->cpu_time_ns, "exits", exits);
}

static void query_stats(struct control_request *request, const json_t *arguments)
{
    g_autofree struct machine_stats *stats = g_new0(struct machine_stats, 1);
    json_t *vcpus = json_array();

    machine_stats(request->server->machine, stats);
    for (unsigned i = 0; i < stats->cpus; i++)
        json_array_append_new(vcpus, describe_vcpu(&stats->vcpu[i]));
    control_return(request,
                   json_pack("{s:I,s:I,s:I,s:I,s:I,s:o}", "guest-time-ns",
                             (json_int_t)stats->guest_time_ns, "memory", (json_int_t)stats->memory,
                             "memory-resident", (json_int_t)stats->memory_resident, "engine-pss",
                             (json_int_t)stats->engine_pss, "start-to-first-exit-ns",
                             (json_int_t)stats->start_to_first_exit_ns, "vcpus", vcpus));
}

static void query_vnc(struct control_request *request, const json_t *arguments)
{
    struct vnc_server *vnc = machine_vnc(request->server->machine);
    json_t *viewers = json_array();
    struct vnc_info *info;
    g_autofree char *port = NULL, *address = NULL;
    bool tcp;

    if (vnc == NULL) {
        json_decref(viewers);
        control_return(request, json_pack("{s:b}", "enabled", false));
        return;
    }
    info = vnc_server_query(vnc);
    tcp = info->listen == VNC_TCP;
    for (guint i = 0; i < info->viewers->len; i++) {
        const struct vnc_viewer_info *v = &g_array_index(info->viewers, struct vnc_viewer_info, i);

        json_array_append_new(viewers, json_pack("{s:s,s:b}", "host", v->address, "authenticated",
                                                 v->authenticated));
    }
    port = g_strdup_printf("%u", info->port);
    address = g_utf8_make_valid(info->address, -1);
    control_return(request, json_pack("{s:b,s:s,s:s,s:s,s:s,s:o}", "enabled", true, "family",
                                      tcp ? "ipv4" : "unix", "host", tcp ? address : "", "service",
                                      tcp ? port : address, "auth", info->password ? "vnc" : "none",
                                      "clients", viewers));
    vnc_info_free(info);
}

static void query_serial(struct control_request *request, const json_t *arguments)
{
    const struct serial_backend *serial = machine_serial(request->server->machine);
    const char *path = serial != NULL ? serial_backend_path(serial) : NULL;
    g_autofree char *text = path != NULL ? g_utf8_make_valid(path, -1) : NULL;

    control_return(request, json_pack("{s:b,s:s*}", "enabled", serial != NULL, "path", text));
}

const struct control_handler control_query_handlers[] = {
    {"query-version", query_version},
    {"query-commands", query_commands},
    {"query-status", query_status},
    {"query-stats", query_stats},
    {"query-vnc", query_vnc},
    {"query-serial", query_serial},
    {NULL},
};
