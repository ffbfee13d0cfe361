/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file:
 *
 *   [disk0.qcow2]
 *   current=id-2
 *   id-1=1732460000;            its date, and no parent
 *   id-2=1732460100;id-1;       its date, and its parent
 *
 * Names and ids are escaped as in URIs, since key files allow less than images do.
 */
#include "disks/snapshot_tree.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"

#define KEY_CURRENT "current"
#define MAX_SNAPSHOTS 65536 /* qcow2's own limit */

struct node {
    uint64_t date_sec;
    char *parent;                  /* NULL: none */
    enum { NEW, ON_IT, ENDS } way; /* up from here, while cut_loose_ends() looks */
};

struct snapshot_tree {
    char *path;
    char *group;
    GHashTable *nodes; /* id -> struct node */
    char *current;     /* NULL: none */
};

static void node_free(void *opaque)
{
    struct node *node = opaque;

    g_free(node->parent);
    g_free(node);
}

static struct node *find(const struct snapshot_tree *tree, const char *id)
{
    return id != NULL ? g_hash_table_lookup(tree->nodes, id) : NULL;
}

/* An id is any bytes; "current" is taken. */
static char *escape(const char *id)
{
    g_autofree char *escaped = g_uri_escape_string(id, NULL, FALSE);

    return g_strconcat("id-", escaped, NULL);
}

static char *unescape(const char *text)
{
    return text != NULL && g_str_has_prefix(text, "id-") ? g_uri_unescape_string(text + 3, NULL)
                                                         : NULL;
}

static GKeyFile *read_file(const char *path, GError **err)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) error = NULL;
    struct stat st = {.st_mode = S_IFREG};

    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "%s is no file: remove it, and the snapshots are listed without who descends "
                    "from whom.",
                    path);
        return NULL;
    }
    if (st.st_size > SNAPSHOT_TREE_MAX_FILE) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "%s is larger than vmdesk ever writes it: delete it, and the snapshots are "
                    "listed without who descends from whom.",
                    path);
        return NULL;
    }
    if (g_key_file_load_from_file(file, path, G_KEY_FILE_KEEP_COMMENTS, &error) ||
        g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return g_steal_pointer(&file);
    vmdesk_fail(err, VMDESK_ERROR_INVALID,
                "%s cannot be read: %s. Mend or delete it; without it the snapshots are listed "
                "without who descends from whom.",
                path, error->message);
    return NULL;
}

/* What the file has on a snapshot; NULL: nothing, or of another one with its id. */
static struct node *read_node(GKeyFile *file, const char *group, const struct snapshot_key *key)
{
    g_autofree char *name = escape(key->id);
    g_auto(GStrv) fields = g_key_file_get_string_list(file, group, name, NULL, NULL);
    struct node *node;
    guint64 date;

    if (fields == NULL || fields[0] == NULL ||
        !g_ascii_string_to_unsigned(fields[0], 10, 0, G_MAXUINT64, &date, NULL) ||
        date != key->date_sec)
        return NULL;
    node = g_new0(struct node, 1);
    node->date_sec = date;
    node->parent = unescape(fields[1]);
    return node;
}

/* Parents that are gone, or lead back to where they started, are none. */
static void cut_loose_ends(struct snapshot_tree *tree)
{
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, tree->nodes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        for (struct node *node = value, *parent; node != NULL && node->way == NEW; node = parent) {
            node->way = ON_IT;
            parent = find(tree, node->parent);
            if (parent == NULL || parent->way == ON_IT) {
                g_clear_pointer(&node->parent, g_free);
                parent = NULL;
            }
        }
        for (struct node *node = value; node != NULL && node->way == ON_IT;
             node = find(tree, node->parent))
            node->way = ENDS;
    }
}

struct snapshot_tree *snapshot_tree_load(const char *folder, const char *disk,
                                         const struct snapshot_key *present, size_t count,
                                         GError **err)
{
    g_autofree char *path = g_build_filename(folder, SNAPSHOT_TREE_FILE, NULL);
    g_autoptr(GKeyFile) file = read_file(path, err);
    g_autofree char *current = NULL;
    struct snapshot_tree *tree;

    if (file == NULL)
        return NULL;
    tree = g_new0(struct snapshot_tree, 1);
    tree->path = g_steal_pointer(&path);
    tree->group = g_uri_escape_string(disk, NULL, FALSE);
    tree->nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, node_free);
    for (size_t i = 0; i < MIN(count, MAX_SNAPSHOTS); i++) {
        struct node *node = read_node(file, tree->group, &present[i]);

        if (node != NULL)
            g_hash_table_insert(tree->nodes, g_strdup(present[i].id), node);
    }
    current = g_key_file_get_string(file, tree->group, KEY_CURRENT, NULL);
    tree->current = unescape(current);
    if (find(tree, tree->current) == NULL)
        g_clear_pointer(&tree->current, g_free);
    cut_loose_ends(tree);
    return tree;
}

void snapshot_tree_free(struct snapshot_tree *tree)
{
    if (tree == NULL)
        return;
    g_hash_table_unref(tree->nodes);
    g_free(tree->current);
    g_free(tree->group);
    g_free(tree->path);
    g_free(tree);
}

const char *snapshot_tree_parent(const struct snapshot_tree *tree, const char *id)
{
    const struct node *node = find(tree, id);

    return node != NULL ? node->parent : NULL;
}

const char *snapshot_tree_current(const struct snapshot_tree *tree)
{
    return tree->current;
}

static void add(struct snapshot_tree *tree, const struct snapshot_key *key, char *parent)
{
    struct node *node = g_new0(struct node, 1);

    node->date_sec = key->date_sec;
    node->parent = parent;
    g_hash_table_insert(tree->nodes, g_strdup(key->id), node);
}

void snapshot_tree_created(struct snapshot_tree *tree, const struct snapshot_key *key)
{
    add(tree, key, g_steal_pointer(&tree->current));
    tree->current = g_strdup(key->id);
}

void snapshot_tree_applied(struct snapshot_tree *tree, const struct snapshot_key *key)
{
    if (find(tree, key->id) == NULL)
        add(tree, key, NULL);
    g_free(tree->current);
    tree->current = g_strdup(key->id);
}

void snapshot_tree_deleted(struct snapshot_tree *tree, const char *id)
{
    struct node *gone = find(tree, id);
    g_autofree char *parent = gone != NULL ? g_steal_pointer(&gone->parent) : NULL;
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, tree->nodes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        struct node *node = value;

        if (g_strcmp0(node->parent, id) == 0) {
            g_free(node->parent);
            node->parent = g_strdup(parent);
        }
    }
    if (g_strcmp0(tree->current, id) == 0) {
        g_free(tree->current);
        tree->current = g_strdup(parent);
    }
    g_hash_table_remove(tree->nodes, id);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void write_group(const struct snapshot_tree *tree, GKeyFile *file)
{
    g_autoptr(GList) ids = g_list_sort(g_hash_table_get_keys(tree->nodes), compare_ids);

    g_key_file_remove_group(file, tree->group, NULL);
    if (tree->current != NULL) {
        g_autofree char *current = escape(tree->current);

        g_key_file_set_string(file, tree->group, KEY_CURRENT, current);
    }
    for (const GList *l = ids; l != NULL; l = l->next) {
        const struct node *node = find(tree, l->data);
        g_autofree char *key = escape(l->data);
        g_autofree char *parent = node->parent != NULL ? escape(node->parent) : NULL;
        g_autofree char *date = g_strdup_printf("%" PRIu64, node->date_sec);
        const char *const fields[] = {date, parent, NULL};

        g_key_file_set_string_list(file, tree->group, key, fields, parent != NULL ? 2 : 1);
    }
}

bool snapshot_tree_save(const struct snapshot_tree *tree, GError **err)
{
    g_autoptr(GKeyFile) file = read_file(tree->path, err);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    if (file == NULL)
        return false;
    write_group(tree, file);
    text = g_key_file_to_data(file, NULL, NULL);
    if (g_file_set_contents_full(tree->path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                 &error))
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_IO,
                       "Cannot write %s: %s. The snapshot itself is not hurt.", tree->path,
                       error->message);
}
