/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/paths.h"
#include "core/store_internal.h"
#include "core/text.h"

struct store *store_new(const char *folder)
{
    struct store *store = g_new0(struct store, 1);

    store->folder = folder != NULL ? g_strdup(folder) : paths_machines();
    return store;
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    g_free(store->folder);
    g_free(store);
}

void store_set_disk_maker(struct store *store, bool (*make)(const char *path, const char *format,
                                                            uint64_t size, GError **err))
{
    store->make_disk = make;
}

const char *store_folder(const struct store *store)
{
    return store->folder;
}

void store_machine_free(struct store_machine *machine)
{
    if (machine == NULL)
        return;
    g_free(machine->name);
    g_free(machine->folder);
    machine_config_free(machine->config);
    g_clear_error(&machine->error);
    g_free(machine->text);
    g_free(machine->runtime_folder);
    g_free(machine);
}

/* Reads the file, or one byte more than a definition may have, so that a longer one is seen as
 * such. Not blocked by a FIFO in the file's place. */
static char *read_definition(const char *path, size_t *ret_size, GError **err)
{
    g_autofree char *text = NULL;
    size_t size = 0, limit;
    struct stat st;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot open %s", path);
        return NULL;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        vmdesk_fail(err, VMDESK_ERROR_INVALID, "%s is not a regular file: replace it", path);
        return NULL;
    }
    limit = MIN(st.st_size, CONFIG_MAX_BYTES + 1);
    text = g_malloc(limit + 1);
    while ((n = read(fd, text + size, limit - size)) > 0)
        size += n;
    if (n < 0)
        vmdesk_error_from_errno(err, errno, NULL, "Cannot read %s", path);
    close(fd);
    if (n < 0)
        return NULL;
    text[size] = '\0';
    *ret_size = size;
    return g_steal_pointer(&text);
}

static struct store_machine *load_folder(const struct store *store, const char *name)
{
    struct store_machine *machine = g_new0(struct store_machine, 1);
    g_autofree char *path = NULL;
    size_t size;

    machine->name = g_strdup(name);
    machine->folder = g_build_filename(store->folder, name, NULL);
    if (!paths_check_name(name, &machine->error))
        return machine;
    path = g_build_filename(machine->folder, PATHS_CONFIG, NULL);
    machine->text = read_definition(path, &size, &machine->error);
    if (machine->text != NULL)
        machine->config =
            machine_config_parse(name, machine->text, size, PATHS_CONFIG, &machine->error);
    machine->running = machine_lock_query(machine->folder, &machine->pid, &machine->runtime_folder);
    return machine;
}

static bool is_folder(const struct store *store, const char *name)
{
    g_autofree char *path = g_build_filename(store->folder, name, NULL);

    return g_file_test(path, G_FILE_TEST_IS_DIR);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of all machines, sorted. */
static GPtrArray *list_names(const struct store *store, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    GDir *dir = g_dir_open(store->folder, 0, &error);
    const char *name;

    if (dir == NULL) {
        if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return g_steal_pointer(&names);
        store_fail(err, error, "Cannot read the folder of machines");
        return NULL;
    }
    while ((name = g_dir_read_name(dir)) != NULL) {
        if (name[0] != '.' && is_folder(store, name))
            g_ptr_array_add(names, g_strdup(name));
    }
    g_dir_close(dir);
    g_ptr_array_sort(names, compare_names);
    return g_steal_pointer(&names);
}

GPtrArray *store_list(struct store *store, GError **err)
{
    g_autoptr(GPtrArray) names = list_names(store, err);
    GPtrArray *machines;

    if (names == NULL)
        return NULL;
    machines = g_ptr_array_new_with_free_func((GDestroyNotify)store_machine_free);
    for (unsigned i = 0; i < names->len; i++)
        g_ptr_array_add(machines, load_folder(store, names->pdata[i]));
    return machines;
}

static void no_such_machine(const struct store *store, const char *name, GError **err)
{
    g_autoptr(GPtrArray) names = list_names(store, NULL);
    const char *closest = NULL;

    if (names != NULL)
        closest = text_closest(name, (const char *const *)names->pdata, names->len);
    if (closest != NULL) {
        g_autofree char *shown = text_sanitize(closest, -1, false);
        vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND, "There is no machine \"%s\": did you mean \"%s\"?",
                    name, shown);
    } else {
        vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                    "There is no machine \"%s\": \"vmdesk list\" shows those that exist", name);
    }
}

struct store_machine *store_load(struct store *store, const char *name, GError **err)
{
    if (!paths_check_name(name, err))
        return NULL;
    if (!is_folder(store, name)) {
        no_such_machine(store, name, err);
        return NULL;
    }
    return load_folder(store, name);
}

struct store_machine *store_load_valid(struct store *store, const char *name, GError **err)
{
    struct store_machine *machine = store_load(store, name, err);

    if (machine != NULL && machine->config == NULL) {
        g_propagate_error(err, g_steal_pointer(&machine->error));
        g_prefix_error(err, "The definition of %s is broken (\"vmdesk edit %s\" mends it):\n", name,
                       name);
        g_clear_pointer(&machine, store_machine_free);
    }
    return machine;
}

bool store_fail(GError **err, const GError *cause, const char *what)
{
    enum vmdesk_error code = VMDESK_ERROR_IO;

    switch (cause->domain == G_FILE_ERROR ? (GFileError)cause->code : G_FILE_ERROR_FAILED) {
    case G_FILE_ERROR_NOSPC:
        code = VMDESK_ERROR_NO_SPACE;
        break;
    case G_FILE_ERROR_ACCES:
    case G_FILE_ERROR_PERM:
    case G_FILE_ERROR_ROFS:
        code = VMDESK_ERROR_PERMISSION;
        break;
    default:
        break;
    }
    return vmdesk_fail(err, code, "%s: %s", what, cause->message);
}

bool store_write_definition(const char *folder, const char *text, GError **err)
{
    g_autofree char *path = g_build_filename(folder, PATHS_CONFIG, NULL);
    g_autoptr(GError) error = NULL;

    if (strlen(text) > CONFIG_MAX_BYTES)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The definition would be larger than %d bytes: shorten its comments",
                           CONFIG_MAX_BYTES);
    if (!g_file_set_contents_full(path, text, -1,
                                  G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                  0600, &error))
        return store_fail(err, error, "Cannot save the definition");
    return true;
}

/* Writes text if the file is as machine->text has it. The folder is locked from the comparison to
 * the end of the write, so that of two writers one sees the other's. */
static bool replace_definition(struct store_machine *machine, const char *text, GError **err)
{
    g_autofree char *path = g_build_filename(machine->folder, PATHS_CONFIG, NULL);
    g_autofree char *current = NULL;
    size_t size;
    bool done = false;
    int fd = open(machine->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot lock the folder %s", machine->folder);
    } else if ((current = read_definition(path, &size, err)) != NULL) {
        if (machine->text == NULL || strcmp(current, machine->text) != 0)
            vmdesk_fail(err, VMDESK_ERROR_BUSY,
                        "Somebody else changed the definition of %s meanwhile: look at it again",
                        machine->name);
        else
            done = store_write_definition(machine->folder, text, err);
    }
    if (fd >= 0)
        close(fd);
    return done;
}

bool store_save(struct store *store, struct store_machine *machine, GError **err)
{
    g_autofree char *text = NULL;

    if (!machine_config_validate(machine->config, err))
        return false;
    text = machine_config_format(machine->config, machine->text);
    if (!replace_definition(machine, text, err))
        return false;
    g_free(machine->text);
    machine->text = g_steal_pointer(&text);
    return true;
}

bool store_save_text(struct store *store, struct store_machine *machine, const char *text,
                     GError **err)
{
    struct machine_config *config =
        machine_config_parse(machine->name, text, strlen(text), PATHS_CONFIG, err);

    if (config == NULL)
        return false;
    if (!replace_definition(machine, text, err)) {
        machine_config_free(config);
        return false;
    }
    machine_config_free(machine->config);
    machine->config = config;
    g_clear_error(&machine->error);
    g_free(machine->text);
    machine->text = g_strdup(text);
    return true;
}
