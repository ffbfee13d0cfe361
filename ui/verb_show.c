/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "ui/output.h"
#include "ui/remote.h"
#include "ui/verbs.h"

/* What a running engine is asked, and the member of the answer in JSON. */
static const struct {
    const char *command, *member;
} questions[] = {
    {"query-status", "status"}, {"query-stats", "stats"},   {"query-block", "block"},
    {"query-vnc", "vnc"},       {"query-serial", "serial"},
};

/* The answers by member; empty when the engine does not answer, which it says. */
static json_t *ask_engine(const struct store_machine *machine)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = remote_socket(machine, &error);
    struct client *client =
        path != NULL ? client_connect(path, CLIENT_TIMEOUT_MS, NULL, NULL, &error) : NULL;
    json_t *answers = json_object();

    for (size_t i = 0; client != NULL && error == NULL && i < G_N_ELEMENTS(questions); i++) {
        json_t *answer = client_call(client, questions[i].command, NULL, CLIENT_TIMEOUT_MS, &error);

        if (answer != NULL)
            json_object_set_new(answers, questions[i].member, answer);
    }
    if (error != NULL)
        json_object_set_new(answers, "error", output_string(error->message));
    client_free(client);
    return answers;
}

static unsigned group_count(const struct config_key *key)
{
    return strcmp(key->group, "disk") == 0 ? MACHINE_MAX_DISKS : 1;
}

/* Calls visit for every key that can be set. */
typedef void (*visit_key)(const char *group, const struct config_key *key, const char *value,
                          void *opaque);

static void each_key(const struct machine_config *config, visit_key visit, void *opaque)
{
    const struct config_key *key;

    for (size_t i = 0; (key = config_key(i)) != NULL; i++) {
        for (unsigned j = 0; j < group_count(key); j++) {
            g_autofree char *group = group_count(key) > 1 ? g_strdup_printf("%s%u", key->group, j)
                                                          : g_strdup(key->group);
            g_autofree char *path = g_strdup_printf("%s.%s", group, key->key);
            g_autofree char *value = machine_config_get(config, path, NULL);

            visit(group, key, value, opaque);
        }
    }
}

static void key_to_json(const char *group, const struct config_key *key, const char *value,
                        void *opaque)
{
    json_t *object = json_object_get(opaque, group);

    if (object == NULL) {
        object = json_object();
        json_object_set_new(opaque, group, object);
    }
    json_object_set_new(object, key->key, output_string(value));
}

static void print_key(const char *group, const struct config_key *key, const char *value,
                      void *opaque)
{
    if (strcmp(value, key->default_text) != 0)
        printf("  %s.%s = %s\n", group, key->key, value);
}

static void print_json(const struct store_machine *machine, json_t *answers)
{
    json_t *object = json_object();

    json_object_set_new(object, "name", output_string(machine->name));
    json_object_set_new(object, "folder", output_string(machine->folder));
    json_object_set_new(object, "running", json_boolean(machine->running));
    if (machine->running) {
        json_object_set_new(object, "pid", json_integer(machine->pid));
        json_object_set(object, "engine", answers);
    }
    if (machine->config != NULL) {
        json_t *config = json_object();

        each_key(machine->config, key_to_json, config);
        json_object_set_new(object, "config", config);
    } else {
        json_object_set_new(object, "error", output_string(machine->error->message));
    }
    output_json(object);
}

static void print_stats(const json_t *stats)
{
    g_autofree char *guest = output_duration(remote_integer(stats, "guest-time-ns"));
    g_autofree char *memory = output_bytes(remote_integer(stats, "memory-resident"));
    g_autofree char *engine = output_bytes(remote_integer(stats, "engine-pss"));
    int64_t handed_off = 0;
    const json_t *vcpu;
    size_t i;

    printf("  guest time  %s\n  memory      %s of the guest's, %s of the engine\n", guest, memory,
           engine);
    json_array_foreach((json_t *)json_object_get(stats, "vcpus"), i, vcpu) handed_off +=
        remote_integer(json_object_get(vcpu, "exits"), "handed-off");
    if (handed_off > 0)
        printf("  handed off  %" PRId64 " times to the software CPU, for what KVM cannot execute\n",
               handed_off);
}

static void print_line(const char *label, const char *value)
{
    printf("  %-11s ", label);
    output_text(value);
    putchar('\n');
}

static void print_engine(const json_t *answers)
{
    const json_t *status = json_object_get(answers, "status");
    const json_t *vnc = json_object_get(answers, "vnc");
    const json_t *serial = json_object_get(answers, "serial");
    const json_t *block = json_object_get(answers, "block");
    const json_t *drive;
    size_t i;

    if (json_object_get(answers, "error") != NULL) {
        print_line("engine", remote_string(answers, "error"));
        return;
    }
    print_line("state", remote_string(status, "status"));
    if (remote_string(status, "detail")[0] != '\0')
        print_line("", remote_string(status, "detail"));
    print_line("runs on", remote_string(status, "accel-reason"));
    print_stats(json_object_get(answers, "stats"));
    if (json_is_true(json_object_get(vnc, "enabled"))) {
        g_autofree char *where = g_strcmp0(remote_string(vnc, "family"), "unix") == 0
                                     ? g_strdup(remote_string(vnc, "service"))
                                     : g_strdup_printf("%s:%s", remote_string(vnc, "host"),
                                                       remote_string(vnc, "service"));
        print_line("vnc", where);
    }
    if (remote_string(serial, "path")[0] != '\0')
        print_line("serial", remote_string(serial, "path"));
    json_array_foreach((json_t *)block, i, drive)
    {
        const json_t *inserted = json_object_get(drive, "inserted");

        print_line(remote_string(drive, "device"),
                   inserted != NULL ? remote_string(inserted, "file") : "empty");
    }
}

bool verb_show(const struct verb_call *call, GError **err)
{
    struct store_machine *machine = store_load(call->store, call->arguments[0], err);
    json_t *answers = NULL;

    if (machine == NULL)
        return false;
    if (machine->running)
        answers = ask_engine(machine);
    if (verb_has(call, "json")) {
        print_json(machine, answers);
    } else {
        printf("%s\n", machine->name);
        print_line("folder", machine->folder);
        if (machine->running) {
            printf("  process     %d\n", (int)machine->pid);
            print_engine(answers);
        } else {
            puts("  state       off");
        }
        if (machine->config != NULL)
            each_key(machine->config, print_key, NULL);
        else
            print_line("broken", machine->error->message);
    }
    json_decref(answers);
    store_machine_free(machine);
    return true;
}
