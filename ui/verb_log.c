/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/paths.h"
#include "ui/output.h"
#include "ui/verbs.h"

#define MAX_LINES 1000000
#define FOLLOW_US 200000

struct reader {
    const char *path;
    FILE *file;
    char *line; /* getline()'s */
    size_t size;
};

/* Opens the log, or the new one after the engine began another. */
static bool reopen(struct reader *reader)
{
    FILE *file = fopen(reader->path, "re");

    if (file == NULL)
        return false;
    if (reader->file != NULL)
        fclose(reader->file);
    reader->file = file;
    return true;
}

/* The next line as it is, or what there is of it; false at the end. */
static bool next_line(struct reader *reader)
{
    clearerr(reader->file);
    return getline(&reader->line, &reader->size, reader->file) > 0;
}

static bool was_replaced(const struct reader *reader)
{
    struct stat now, then;

    return stat(reader->path, &now) == 0 && fstat(fileno(reader->file), &then) == 0 &&
           (now.st_ino != then.st_ino || now.st_dev != then.st_dev);
}

static void skip_to_last(struct reader *reader, unsigned lines)
{
    unsigned total = 0;

    while (next_line(reader))
        total++;
    rewind(reader->file);
    for (; total > lines; total--)
        next_line(reader);
}

static void follow(struct reader *reader)
{
    while (!ferror(stdout)) {
        while (next_line(reader))
            output_text(reader->line);
        fflush(stdout);
        if (!was_replaced(reader) || !reopen(reader))
            g_usleep(FOLLOW_US);
    }
}

bool verb_log(const struct verb_call *call, GError **err)
{
    struct store_machine *machine;
    g_autofree char *path = NULL;
    struct reader reader = {0};
    unsigned lines;

    if (!verb_number(call, "lines", 0, MAX_LINES, MAX_LINES, &lines, err))
        return false;
    machine = store_load(call->store, call->arguments[0], err);
    if (machine == NULL)
        return false;
    path = g_build_filename(machine->folder, PATHS_LOG, NULL);
    reader.path = path;
    store_machine_free(machine);
    if (!reopen(&reader))
        return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                           "%s has no log yet: its engine writes one when it starts",
                           call->arguments[0]);
    if (verb_has(call, "lines"))
        skip_to_last(&reader, lines);
    while (next_line(&reader))
        output_text(reader.line);
    if (verb_has(call, "follow"))
        follow(&reader);
    fclose(reader.file);
    free(reader.line);
    return true;
}
