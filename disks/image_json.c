/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/image_json.h"

#include <string.h>

#include "disks/image_tree.h"

static json_t *text(const char *bytes)
{
    g_autofree char *valid = bytes != NULL ? g_utf8_make_valid(bytes, -1) : NULL;

    return valid != NULL ? json_string(valid) : json_null();
}

static json_t *snapshot_json(const struct image_snapshot *snapshot,
                             const struct snapshot_tree *tree)
{
    const char *parent = tree != NULL ? snapshot_tree_parent(tree, snapshot->id) : NULL;
    const char *current = tree != NULL ? snapshot_tree_current(tree) : NULL;

    return json_pack("{s:o, s:o, s:o*, s:I, s:I, s:I, s:i, s:I, s:b}", "id", text(snapshot->id),
                     "name", text(snapshot->name), "parent", parent != NULL ? text(parent) : NULL,
                     "virtual-size", (json_int_t)snapshot->virtual_size, "vm-state-size",
                     (json_int_t)snapshot->vm_state_size, "date-sec",
                     (json_int_t)snapshot->date_sec, "date-nsec", (int)snapshot->date_nsec,
                     "vm-clock-nsec", (json_int_t)snapshot->vm_clock_nsec, "current",
                     current != NULL && strcmp(current, snapshot->id) == 0);
}

json_t *image_snapshots_json(struct image *image, GError **err)
{
    g_autoptr(GPtrArray) snapshots = image_snapshots(image, err);
    struct snapshot_tree *tree;
    json_t *array;

    if (snapshots == NULL)
        return NULL;
    tree = image_tree_load(image, snapshots, NULL);
    array = json_array();
    for (guint i = 0; i < snapshots->len; i++)
        json_array_append_new(array, snapshot_json(snapshots->pdata[i], tree));
    snapshot_tree_free(tree);
    return array;
}

static json_t *describe(const struct image *image, const struct image_info *info)
{
    json_t *details = json_object(), *object;

    for (guint i = 0; i < info->details->len; i++) {
        const struct image_detail *detail = info->details->pdata[i];

        json_object_set_new(details, detail->name, text(detail->value));
    }
    object = json_pack("{s:o, s:s, s:I, s:I, s:I}", "filename", text(image_path(image)), "format",
                       info->format, "virtual-size", (json_int_t)info->virtual_size, "file-size",
                       (json_int_t)info->file_size, "actual-size", (json_int_t)info->allocated);
    if (info->cluster_size > 0)
        json_object_set_new(object, "cluster-size", json_integer(info->cluster_size));
    if (info->backing_name != NULL) {
        json_object_set_new(object, "backing-filename", text(info->backing_name));
        json_object_set_new(object, "full-backing-filename", text(info->backing_path));
        json_object_set_new(object, "backing-filename-format", text(info->backing_format));
    }
    json_object_set_new(object, "dirty-flag", json_boolean(info->dirty));
    json_object_set_new(object, "corrupt", json_boolean(info->corrupt));
    json_object_set_new(object, "details", details);
    return object;
}

json_t *image_info_json(struct image *image, GError **err)
{
    json_t *snapshots = image_snapshots_json(image, err), *object;
    struct image_info info;

    if (snapshots == NULL)
        return NULL;
    if (!image_get_info(image, &info, err)) {
        json_decref(snapshots);
        return NULL;
    }
    object = describe(image, &info);
    image_info_clear(&info);
    json_object_set_new(object, "snapshots", snapshots);
    return object;
}

json_t *image_chain_json(struct image *image, bool alone, GError **err)
{
    json_t *images = json_array();

    for (; image != NULL; image = alone ? NULL : image_backing(image)) {
        json_t *info = image_info_json(image, err);

        if (info == NULL) {
            json_decref(images);
            return NULL;
        }
        json_array_append_new(images, info);
    }
    return images;
}
