/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/disk_snapshots.h"

#include <stdio.h>

#include "ui/output.h"
#include "ui/remote.h"

#define INDENT 2
#define INDENT_MAX 20

static void free_snapshot(void *opaque)
{
    struct disk_snapshot *snapshot = opaque;

    g_free(snapshot->id);
    g_free(snapshot->name);
    g_free(snapshot);
}

static struct disk_snapshot *snapshot_new(const json_t *from, unsigned depth)
{
    struct disk_snapshot *to = g_new(struct disk_snapshot, 1);

    *to = (struct disk_snapshot){
        .id = g_strdup(remote_string(from, "id")),
        .name = g_strdup(remote_string(from, "name")),
        .virtual_size = remote_integer(from, "virtual-size"),
        .vm_state_size = remote_integer(from, "vm-state-size"),
        .date_sec = remote_integer(from, "date-sec"),
        .depth = depth,
        .current = json_is_true(json_object_get(from, "current")),
    };
    return to;
}

/* By the id of their parent: arrays of those that have it; "" for those without one in the list. */
static GHashTable *sort_by_parent(const json_t *list)
{
    GHashTable *children =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    json_t *snapshot;
    size_t i;

    json_array_foreach((json_t *)list, i, snapshot)
        g_hash_table_add(ids, (char *)remote_string(snapshot, "id"));
    json_array_foreach((json_t *)list, i, snapshot)
    {
        const char *parent = remote_string(snapshot, "parent");
        GPtrArray *array;

        if (!g_hash_table_contains(ids, parent))
            parent = "";
        array = g_hash_table_lookup(children, parent);
        if (array == NULL) {
            array = g_ptr_array_new();
            g_hash_table_insert(children, (char *)parent, array);
        }
        g_ptr_array_add(array, snapshot);
    }
    return children;
}

/* A snapshot whose children are to be listed next. */
struct visit {
    const GPtrArray *children; /* of json_t */
    guint next;
};

GPtrArray *disk_snapshots_tree(const json_t *list)
{
    g_autoptr(GHashTable) children = sort_by_parent(list);
    /* An image may have thousands of snapshots. */
    g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct visit));
    GPtrArray *tree = g_ptr_array_new_with_free_func(free_snapshot);
    struct visit top = {g_hash_table_lookup(children, ""), 0};

    if (top.children != NULL)
        g_array_append_val(stack, top);
    /* What lists an id twice may not make it longer. */
    while (stack->len > 0 && tree->len < json_array_size(list)) {
        struct visit *visit = &g_array_index(stack, struct visit, stack->len - 1);
        const char *id;

        if (visit->next == visit->children->len) {
            g_array_set_size(stack, stack->len - 1);
            continue;
        }
        id = remote_string(visit->children->pdata[visit->next], "id");
        g_ptr_array_add(tree, snapshot_new(visit->children->pdata[visit->next++], stack->len - 1));
        top = (struct visit){id[0] != '\0' ? g_hash_table_lookup(children, id) : NULL, 0};
        if (top.children != NULL)
            g_array_append_val(stack, top);
    }
    return tree;
}

static void print_snapshot(const struct disk_snapshot *snapshot)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_local((gint64)snapshot->date_sec);
    g_autofree char *made =
        date != NULL ? g_date_time_format(date, "%Y-%m-%d %H:%M:%S") : g_strdup("?");
    g_autofree char *size = output_bytes(snapshot->virtual_size);
    g_autofree char *state = output_bytes(snapshot->vm_state_size);
    g_autofree char *name = g_strdup_printf("%*s%s", (int)MIN(snapshot->depth * INDENT, INDENT_MAX),
                                            "", snapshot->name);
    g_autofree char *row = g_strdup_printf("%-4s %-24s %-19s %-10s %s%s\n", snapshot->id, name,
                                           made, size, snapshot->vm_state_size > 0 ? state : "none",
                                           snapshot->current ? ", you are here" : "");

    output_text(row);
}

static GPtrArray *as_listed(const json_t *list)
{
    GPtrArray *array = g_ptr_array_new_with_free_func(free_snapshot);
    json_t *snapshot;
    size_t i;

    json_array_foreach((json_t *)list, i, snapshot)
        g_ptr_array_add(array, snapshot_new(snapshot, 0));
    return array;
}

void disk_snapshots_print(const json_t *list, bool tree)
{
    g_autoptr(GPtrArray) snapshots = tree ? disk_snapshots_tree(list) : as_listed(list);

    printf("%-4s %-24s %-19s %-10s %s\n", "id", "snapshot", "made", "disk", "memory");
    for (guint i = 0; i < snapshots->len; i++)
        print_snapshot(snapshots->pdata[i]);
}
