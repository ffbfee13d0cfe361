/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/disk_verbs.h"

#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "ui/disk_place.h"

#define DISK_THREADS 4

/* What a name may end in. Others are raw. */
static const struct {
    const char *ending, *format;
} endings[] = {
    {".qcow2", "qcow2"}, {".vmdk", "vmdk"}, {".vdi", "vdi"},
    {".vhd", "vhd"},     {".vpc", "vhd"},   {".vhdx", "vhdx"},
};

const char *disk_format(const struct verb_call *call, const char *option, const char *path)
{
    const char *value = option != NULL ? verb_value(call, option) : NULL;
    g_autofree char *lower = g_ascii_strdown(path, -1);

    if (value != NULL)
        return value;
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++)
        if (g_str_has_suffix(lower, endings[i].ending))
            return endings[i].format;
    return "raw";
}

static bool open_file(struct disk_image *disk, const struct verb_call *call, const char *path,
                      const struct image_options *options, GError **err)
{
    GError *error = NULL;

    disk->io = io_context_new(DISK_THREADS);
    disk->image = image_open(path, options, disk->io, &error);
    if (disk->image != NULL)
        return true;
    io_context_free(disk->io);
    if (g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_BUSY))
        disk_place_explain(call->store, path, &error);
    g_propagate_error(err, error);
    return false;
}

static bool open_live(struct disk_image *disk, const struct disk_place *place, unsigned access,
                      GError **err)
{
    if (!(access & DISK_LIVE))
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The machine %s is running, and this needs its %s for itself: stop it "
                           "with \"vmdesk stop %s\" first.",
                           place->machine, place->device, place->machine);
    disk->live = disk_live_open(place->socket, place->device, err);
    return disk->live != NULL;
}

bool disk_open_with(struct disk_image *disk, const struct verb_call *call, const char *name,
                    unsigned access, const struct image_options *options, GError **err)
{
    struct image_options all = *options;
    struct disk_place place;
    bool done;

    *disk = (struct disk_image){.image = NULL};
    if (!disk_place_find(call->store, name, &place, err))
        return false;
    all.read_only = !(access & DISK_WRITE);
    if (all.format == NULL)
        all.format = place.format != NULL ? place.format : disk_format(call, NULL, name);
    done = place.socket != NULL ? open_live(disk, &place, access, err)
                                : open_file(disk, call, place.path, &all, err);
    disk_place_clear(&place);
    return done;
}

bool disk_open(struct disk_image *disk, const struct verb_call *call, const char *name,
               unsigned access, GError **err)
{
    const struct image_options options = {.format = verb_value(call, "format")};

    return disk_open_with(disk, call, name, access, &options, err);
}

bool disk_close(struct disk_image *disk, bool done, GError **err)
{
    int error = disk->image == NULL || image_read_only(disk->image) ? 0 : image_flush(disk->image);

    if (done && error != 0)
        done = vmdesk_error_from_errno(err, error, NULL, "Cannot write to the image %s",
                                       image_path(disk->image));
    image_close(disk->image);
    if (disk->io != NULL)
        io_context_free(disk->io);
    disk_live_free(disk->live);
    return done;
}

char *disk_stored_name(const char *path, const char *backing)
{
    g_autofree char *image = g_canonicalize_filename(path, NULL);
    g_autofree char *other = g_canonicalize_filename(backing, NULL);
    g_autofree char *folder = g_path_get_dirname(image), *other_folder = g_path_get_dirname(other);

    return strcmp(folder, other_folder) == 0 ? g_path_get_basename(other) : g_steal_pointer(&other);
}

bool disk_parse_size(const char *what, const char *text, uint64_t *ret_size, GError **err)
{
    g_autoptr(GError) error = NULL;
    uint64_t size;

    if (!text_parse_size(text, &size, &error))
        return verb_misused(err, "%s: %s", what, error->message);
    if (size == 0 || size > IMAGE_MAX_SIZE || size % IMAGE_SECTOR_SIZE != 0)
        return verb_misused(err,
                            "%s: a disk has no %" PRIu64 " bytes: give a multiple of %d that is "
                            "not 0, as 10G, and at most %" PRIu64,
                            what, size, IMAGE_SECTOR_SIZE, IMAGE_MAX_SIZE);
    *ret_size = size;
    return true;
}

/* The place of an option's value in a list that ends with NULL; 0 without the option. */
static bool choose(const struct verb_call *call, const char *option, const char *const *values,
                   unsigned *ret_choice, GError **err)
{
    const char *value = verb_value(call, option);
    g_autofree char *known = g_strjoinv(", ", (char **)values);

    for (*ret_choice = 0; value != NULL && values[*ret_choice] != NULL; (*ret_choice)++)
        if (strcmp(values[*ret_choice], value) == 0)
            return true;
    return value == NULL ||
           verb_misused(err, "--%s: there is no \"%s\": use one of %s", option, value, known);
}

bool disk_preallocation(const struct verb_call *call, enum image_preallocation *ret_kind,
                        GError **err)
{
    static const char *const kinds[] = {"off", "metadata", "falloc", "full", NULL};
    unsigned choice;

    if (!choose(call, "preallocation", kinds, &choice, err))
        return false;
    *ret_kind = choice;
    return true;
}

bool disk_create_options(const struct verb_call *call, struct image_create_options *options,
                         GError **err)
{
    static const char *const compressions[] = {"zlib", "zstd", NULL};
    const char *cluster = verb_value(call, "cluster-size");
    unsigned compression;

    if (!disk_preallocation(call, &options->preallocation, err) ||
        !choose(call, "compression", compressions, &compression, err) ||
        !verb_number(call, "refcount-bits", 1, 64, 0, &options->refcount_bits, err) ||
        !verb_number(call, "version", 2, 3, 0, &options->version, err) ||
        (cluster != NULL &&
         !disk_parse_size("--cluster-size", cluster, &options->cluster_size, err)))
        return false;
    options->extended_l2 = verb_has(call, "extended-l2");
    options->lazy_refcounts = verb_has(call, "lazy-refcounts");
    options->zstd = compression == 1;
    return true;
}
