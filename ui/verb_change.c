/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs that change or delete a machine's definition. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/text.h"
#include "ui/verbs.h"

static void note_running(const struct store_machine *machine)
{
    if (machine->running)
        fprintf(stderr, "vmdesk: %s is running: it takes the change at its next start\n",
                machine->name);
}

bool verb_set_pair(struct machine_config *config, const char *pair, GError **err)
{
    const char *equals = strchr(pair, '=');
    g_autofree char *key = NULL;

    if (equals == NULL)
        return verb_misused(err, "\"%s\" sets nothing: write GROUP.KEY=VALUE", pair);
    key = g_strndup(pair, equals - pair);
    return machine_config_set(config, key, equals + 1, err);
}

bool verb_set(const struct verb_call *call, GError **err)
{
    struct store_machine *machine = store_load_valid(call->store, call->arguments[0], err);
    bool done = machine != NULL;

    for (char **pair = call->arguments + 1; done && *pair != NULL; pair++)
        done = verb_set_pair(machine->config, *pair, err);
    done = done && store_save(call->store, machine, err);
    if (done)
        note_running(machine);
    store_machine_free(machine);
    return done;
}

/* A line from the user; NULL at the end of input. */
static char *ask(const char *question)
{
    char answer[256];

    fputs(question, stderr);
    fflush(stderr);
    return fgets(answer, sizeof(answer), stdin) != NULL ? g_strdup(g_strchomp(answer)) : NULL;
}

bool verb_delete(const struct verb_call *call, GError **err)
{
    const char *name = call->arguments[0];
    g_autofree char *question = NULL;
    g_autofree char *answer = NULL;
    struct store_machine *machine;

    if (!verb_has(call, "yes")) {
        machine = store_load(call->store, name, err); /* do not ask about nothing */
        if (machine == NULL)
            return false;
        store_machine_free(machine);
        question = g_strdup_printf("This deletes the machine %s and its own disks for good.\n"
                                   "Type its name to go on: ",
                                   name);
        answer = ask(question);
        if (g_strcmp0(answer, name) != 0)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "That is not the name: nothing was deleted");
    }
    return store_delete(call->store, name, err);
}

static bool run_editor(const char *file, GError **err)
{
    const char *editor = g_getenv("VISUAL");
    g_autofree char *quoted = g_shell_quote(file);
    g_autofree char *command = NULL;
    int status;

    if (editor == NULL || editor[0] == '\0')
        editor = g_getenv("EDITOR");
    if (editor == NULL || editor[0] == '\0')
        editor = "vi";
    command = g_strdup_printf("%s %s", editor, quoted);
    status = system(command);
    if (status == -1)
        return vmdesk_error_from_errno(err, errno, NULL, "Cannot start the editor %s", editor);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return vmdesk_fail(err, VMDESK_ERROR_IO,
                           "The editor %s failed: set VISUAL to one that works", editor);
    return true;
}

static bool wants_to_go_on(const GError *problem)
{
    g_autofree char *message = text_sanitize(problem->message, -1, true);
    g_autofree char *answer = NULL;

    fprintf(stderr, "%s\n", message);
    if (!isatty(STDIN_FILENO))
        return false;
    answer = ask("Edit it again? [Y/n] ");
    return answer != NULL && g_ascii_tolower(answer[0]) != 'n';
}

/* Edits until the text is saved, unchanged, or given up. */
static bool edit_copy(const struct verb_call *call, struct store_machine *machine, const char *file,
                      GError **err)
{
    for (;;) {
        g_autofree char *text = NULL;
        g_autoptr(GError) problem = NULL;

        if (!run_editor(file, err))
            return false;
        if (!g_file_get_contents(file, &text, NULL, &problem))
            return vmdesk_fail(err, VMDESK_ERROR_IO, "%s", problem->message);
        if (strcmp(text, machine->text) == 0)
            return true;
        if (store_save_text(call->store, machine, text, &problem)) {
            note_running(machine);
            return true;
        }
        if (problem->code != VMDESK_ERROR_INVALID || !wants_to_go_on(problem)) {
            g_propagate_error(err, g_steal_pointer(&problem));
            return false;
        }
    }
}

bool verb_edit(const struct verb_call *call, GError **err)
{
    struct store_machine *machine = store_load(call->store, call->arguments[0], err);
    g_autofree char *file = NULL;
    bool done;
    int fd;

    if (machine == NULL)
        return false;
    if (machine->text == NULL) {
        g_propagate_error(err, g_steal_pointer(&machine->error));
        store_machine_free(machine);
        return false;
    }
    fd = g_file_open_tmp("vmdesk-XXXXXX.conf", &file, NULL);
    if (fd >= 0)
        close(fd);
    if (fd < 0 || !g_file_set_contents(file, machine->text, -1, NULL)) {
        done = vmdesk_fail(err, VMDESK_ERROR_IO, "Cannot write a copy to edit in %s: make room",
                           g_get_tmp_dir());
    } else {
        done = edit_copy(call, machine, file, err);
        if (!done)
            g_prefix_error(err, "Nothing was saved; your text is in %s. ", file);
        else
            unlink(file);
    }
    store_machine_free(machine);
    return done;
}
