/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/temp_folder.h"

#include <check.h>
#include <ftw.h>
#include <glib.h>
#include <stdio.h>

char *temp_folder_new(void)
{
    char *folder = g_dir_make_tmp("vmdesk-test-XXXXXX", NULL);

    ck_assert_ptr_nonnull(folder);
    return folder;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return remove(path);
}

void temp_folder_remove(char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    g_free(folder);
}

void temp_folder_write(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);

    ck_assert(g_file_set_contents(path, text, -1, NULL));
}

char *temp_folder_read(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    char *text = NULL;

    ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "%s cannot be read", path);
    return text;
}
