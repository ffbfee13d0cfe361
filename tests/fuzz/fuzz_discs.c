/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a disc found in the downloads folder. They start at sector 16 of it, where the
 * descriptors are. */
#include <glib.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/discs.h"
#include "tests/fuzz/fuzz.h"

#define DESCRIPTORS_AT (16 * 2048)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("disc", MFD_CLOEXEC);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    struct disc *disc;

    g_assert_cmpint(pwrite(fd, data, size, DESCRIPTORS_AT), ==, size);
    disc = disc_probe(path, NULL);
    g_assert_nonnull(disc);
    g_assert_true(disc->label == NULL || g_utf8_validate(disc->label, -1, NULL));
    g_assert_true(disc->iso9660 || disc->label == NULL);
    disc_free(disc);
    close(fd);
    return 0;
}
