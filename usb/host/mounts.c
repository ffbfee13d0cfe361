/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/host/mounts.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STACKED 8 /* volumes on volumes */

/* proc(5), mountinfo: "36 35 8:1 / /media/stick rw,noatime shared:1 - vfat /dev/sdb1 rw". */
static void take_line(GHashTable *mounts, const char *line)
{
    g_auto(GStrv) fields = g_strsplit(line, " ", 64);
    guint count = g_strv_length(fields), dash = 6;
    g_autofree char *where = NULL;

    while (dash < count && strcmp(fields[dash], "-") != 0)
        dash++;
    if (dash + 2 >= count)
        return;
    where = g_strcompress(fields[4]); /* "\040" is a space */
    g_hash_table_insert(mounts, g_strdup(fields[2]), g_strdup(where));
    if (fields[dash + 2][0] == '/')
        g_hash_table_insert(mounts, g_strdup(fields[dash + 2]), g_strdup(where));
}

GHashTable *host_mounts_read(const char *file)
{
    GHashTable *mounts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(file != NULL ? file : "/proc/self/mountinfo", &text, NULL, NULL))
        return mounts;
    lines = g_strsplit(text, "\n", HOST_MOUNTS_MAX);
    for (char **line = lines; *line != NULL; line++)
        take_line(mounts, *line);
    return mounts;
}

/* folder: a block device's in sysfs. */
static char *mounted_at(const char *folder, GHashTable *mounts, unsigned depth)
{
    g_autofree char *name = g_path_get_basename(folder);
    g_autofree char *node = g_strconcat("/dev/", name, NULL);
    g_autofree char *dev = g_build_filename(folder, "dev", NULL);
    g_autofree char *holders = g_build_filename(folder, "holders", NULL);
    g_autofree char *number = NULL;
    const char *where = g_hash_table_lookup(mounts, node), *holder;
    char *found = NULL;
    GDir *dir;

    if (where == NULL && g_file_get_contents(dev, &number, NULL, NULL))
        where = g_hash_table_lookup(mounts, g_strstrip(number));
    if (where != NULL)
        return g_strdup(where);
    dir = depth < MAX_STACKED ? g_dir_open(holders, 0, NULL) : NULL;
    while (dir != NULL && found == NULL && (holder = g_dir_read_name(dir)) != NULL) {
        g_autofree char *next = g_build_filename(holders, holder, NULL);
        g_autofree char *real = realpath(next, NULL);

        if (real != NULL)
            found = mounted_at(real, mounts, depth + 1);
    }
    if (dir != NULL)
        g_dir_close(dir);
    return found;
}

char *host_mounts_of(const char *sysfs, const char *device, GHashTable *mounts)
{
    g_autofree char *class = g_build_filename(sysfs, "class", "block", NULL);
    g_autofree char *real = realpath(device, NULL);
    g_autofree char *below = real != NULL ? g_strconcat(real, "/", NULL) : NULL;
    GDir *dir = below != NULL ? g_dir_open(class, 0, NULL) : NULL;
    unsigned left = HOST_MOUNTS_MAX;
    char *found = NULL;
    const char *name;

    while (dir != NULL && found == NULL && left-- > 0 && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(class, name, NULL);
        g_autofree char *block = realpath(path, NULL);

        if (block != NULL && g_str_has_prefix(block, below))
            found = mounted_at(block, mounts, 0);
    }
    if (dir != NULL)
        g_dir_close(dir);
    return found;
}
