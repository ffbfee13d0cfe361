/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "core/text.h"
#include "ui/output.h"
#include "ui/remote.h"
#include "ui/verbs.h"

#define STATUS_MS 1000 /* an engine that does not answer by then is shown as such */

/* One machine and the question to its engine, all asked at once. */
struct row {
    struct store_machine *machine;
    struct client *client;
    char *state;
    unsigned *pending;
};

static void took_status(const json_t *result, const GError *error, void *opaque)
{
    struct row *row = opaque;

    if (error == NULL) {
        g_free(row->state);
        row->state = text_sanitize(remote_string(result, "status"), -1, false);
    }
    (*row->pending)--;
}

static void ask_status(struct row *row)
{
    g_autofree char *path = remote_socket(row->machine, NULL);

    row->state = g_strdup("not answering");
    if (path == NULL)
        return;
    row->client = client_new(NULL, path, &(struct client_handlers){0}, NULL);
    (*row->pending)++;
    client_execute(row->client, "query-status", NULL, STATUS_MS, took_status, row);
}

static json_t *row_json(const struct row *row)
{
    const struct store_machine *machine = row->machine;
    json_t *object = json_object();

    json_object_set_new(object, "name", output_string(machine->name));
    json_object_set_new(object, "state", output_string(row->state));
    json_object_set_new(object, "running", json_boolean(machine->running));
    if (machine->running && machine->pid > 0)
        json_object_set_new(object, "pid", json_integer(machine->pid));
    if (machine->config != NULL) {
        json_object_set_new(object, "cpus", json_integer(machine->config->cpus));
        json_object_set_new(object, "memory", json_integer(machine->config->memory));
        json_object_set_new(object, "description", output_string(machine->config->description));
    } else {
        json_object_set_new(object, "error", output_string(machine->error->message));
    }
    return object;
}

static void print_rows(const struct row *rows, unsigned count)
{
    if (count == 0) {
        fputs("There is no machine yet: \"vmdesk create --demo\" makes one.\n", stderr);
        return;
    }
    printf("%-20s %-14s %4s %7s  %s\n", "NAME", "STATE", "CPUS", "MEMORY", "DESCRIPTION");
    for (unsigned i = 0; i < count; i++) {
        const struct machine_config *config = rows[i].machine->config;
        g_autofree char *name = text_sanitize(rows[i].machine->name, -1, false);

        if (config != NULL) {
            g_autofree char *memory = text_format_size(config->memory);
            const char *description = config->description != NULL ? config->description : "";

            printf("%-20s %-14s %4u %7s  %s\n", name, rows[i].state, config->cpus, memory,
                   description);
        } else {
            g_auto(GStrv) lines = g_strsplit(rows[i].machine->error->message, "\n", 2);
            g_autofree char *problem = text_sanitize(lines[0], -1, false);

            printf("%-20s %-14s %4s %7s  %s\n", name, rows[i].state, "", "", problem);
        }
    }
}

bool verb_list(const struct verb_call *call, GError **err)
{
    g_autoptr(GPtrArray) machines = store_list(call->store, err);
    g_autofree struct row *rows = NULL;
    unsigned pending = 0;

    if (machines == NULL)
        return false;
    rows = g_new0(struct row, machines->len);
    for (unsigned i = 0; i < machines->len; i++) {
        rows[i].machine = machines->pdata[i];
        rows[i].pending = &pending;
        if (rows[i].machine->running)
            ask_status(&rows[i]);
        else
            rows[i].state = g_strdup(rows[i].machine->config != NULL ? "off" : "broken");
    }
    while (pending > 0)
        g_main_context_iteration(NULL, TRUE);
    if (verb_has(call, "json")) {
        json_t *array = json_array();

        for (unsigned i = 0; i < machines->len; i++)
            json_array_append_new(array, row_json(&rows[i]));
        output_json(array);
    } else {
        print_rows(rows, machines->len);
    }
    for (unsigned i = 0; i < machines->len; i++) {
        client_free(rows[i].client);
        g_free(rows[i].state);
    }
    return true;
}
