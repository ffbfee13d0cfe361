/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/discs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/text.h"

#define GRUB_RESCUE "/usr/lib/grub-rescue"
#define DEMO_DISC GRUB_RESCUE "/grub-rescue-cdrom.iso"
#define DEMO_PACKAGE "grub-rescue-pc"

/* ECMA-119: volume descriptors of one 2048-byte sector each start at sector 16. */
#define SECTOR_BYTES 2048
#define FIRST_DESCRIPTOR 16
#define MAX_DESCRIPTORS 32
#define LABEL_AT 40
#define LABEL_BYTES 32
#define CATALOG_AT 0x47 /* El Torito figure 7: the boot catalog's sector, little-endian */

#define MAX_ENTRIES 4000 /* of the folders looked through, in all */

struct finder {
    GPtrArray *discs;
    GHashTable *paths; /* seen: XDG_DOWNLOAD_DIR may be one of the others */
    gint64 deadline;
    unsigned entries;
};

void disc_free(struct disc *disc)
{
    if (disc == NULL)
        return;
    g_free(disc->path);
    g_free(disc->label);
    g_free(disc);
}

static bool read_sector(int fd, uint64_t sector, uint8_t buffer[SECTOR_BYTES])
{
    return pread(fd, buffer, SECTOR_BYTES, sector * SECTOR_BYTES) == SECTOR_BYTES;
}

/* The validation entry (El Torito figure 2) and a bootable initial entry (figure 3). */
static bool valid_catalog(int fd, uint32_t sector)
{
    uint8_t catalog[SECTOR_BYTES];
    uint16_t sum = 0;

    if (!read_sector(fd, sector, catalog))
        return false;
    for (unsigned i = 0; i < 32; i += 2)
        sum += catalog[i] | catalog[i + 1] << 8;
    return catalog[0] == 1 && catalog[30] == 0x55 && catalog[31] == 0xaa && sum == 0 &&
           catalog[32] == 0x88;
}

static char *read_label(const uint8_t *descriptor)
{
    g_autofree char *label = text_sanitize((const char *)descriptor + LABEL_AT, LABEL_BYTES, false);

    g_strstrip(label);
    return label[0] != '\0' ? g_steal_pointer(&label) : NULL;
}

static void probe_descriptors(int fd, struct disc *disc)
{
    uint8_t sector[SECTOR_BYTES];

    for (unsigned i = 0; i < MAX_DESCRIPTORS; i++) {
        if (!read_sector(fd, FIRST_DESCRIPTOR + i, sector) || memcmp(sector + 1, "CD001", 5) != 0)
            return;
        if (sector[0] == 255) /* the set's terminator */
            return;
        if (sector[0] == 1 && !disc->iso9660) {
            disc->iso9660 = true;
            disc->label = read_label(sector);
        }
        if (sector[0] == 0 && memcmp(sector + 7, "EL TORITO SPECIFICATION", 23) == 0) {
            uint32_t catalog;

            memcpy(&catalog, sector + CATALOG_AT, sizeof(catalog));
            disc->bootable = disc->bootable || valid_catalog(fd, GUINT32_FROM_LE(catalog));
        }
    }
}

static bool has_boot_signature(int fd)
{
    uint8_t signature[2];

    return pread(fd, signature, 2, 510) == 2 && signature[0] == 0x55 && signature[1] == 0xaa;
}

struct disc *disc_probe(const char *path, GError **err)
{
    struct disc *disc;
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot open the disc %s", path);
        return NULL;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        vmdesk_fail(err, VMDESK_ERROR_INVALID, "%s is not a regular file: choose an image", path);
        return NULL;
    }
    disc = g_new0(struct disc, 1);
    disc->path = g_strdup(path);
    disc->size = st.st_size;
    probe_descriptors(fd, disc);
    if (!disc->iso9660)
        disc->bootable = has_boot_signature(fd);
    close(fd);
    return disc;
}

static bool is_exhausted(const struct finder *finder)
{
    return finder->discs->len >= DISCS_MAX || finder->entries >= MAX_ENTRIES ||
           g_get_monotonic_time() > finder->deadline;
}

static bool has_disc_suffix(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && (g_ascii_strcasecmp(name + len - 4, ".iso") == 0 ||
                       g_ascii_strcasecmp(name + len - 4, ".img") == 0);
}

static void look_at(struct finder *finder, const char *path)
{
    struct disc *disc;

    if (g_hash_table_contains(finder->paths, path))
        return;
    g_hash_table_add(finder->paths, g_strdup(path));
    disc = disc_probe(path, NULL);
    if (disc != NULL && disc->size > 0)
        g_ptr_array_add(finder->discs, disc);
    else
        disc_free(disc);
}

static void look_into(struct finder *finder, const char *folder, unsigned depth)
{
    GDir *dir = folder != NULL ? g_dir_open(folder, 0, NULL) : NULL;
    const char *name;

    if (dir == NULL)
        return;
    while (!is_exhausted(finder) && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat st;

        finder->entries++;
        if (has_disc_suffix(name))
            look_at(finder, path);
        else if (depth > 0 && lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
            look_into(finder, path, depth - 1);
    }
    g_dir_close(dir);
}

static int compare_discs(gconstpointer a, gconstpointer b)
{
    const struct disc *x = *(struct disc *const *)a, *y = *(struct disc *const *)b;

    return x->bootable != y->bootable ? y->bootable - x->bootable : strcmp(x->path, y->path);
}

GPtrArray *discs_find(void)
{
    const char *home = g_getenv("HOME") != NULL ? g_getenv("HOME") : g_get_home_dir();
    g_autofree char *downloads = g_build_filename(home, "Downloads", NULL);
    struct finder finder = {
        .discs = g_ptr_array_new_with_free_func((GDestroyNotify)disc_free),
        .paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .deadline = g_get_monotonic_time() + DISCS_MAX_MS * 1000,
    };

    look_into(&finder, GRUB_RESCUE, 0);
    look_into(&finder, g_getenv("XDG_DOWNLOAD_DIR"), 0);
    look_into(&finder, downloads, 0);
    look_into(&finder, home, 0);
    look_into(&finder, "/usr/share", 1);
    g_hash_table_unref(finder.paths);
    g_ptr_array_sort(finder.discs, compare_discs);
    return finder.discs;
}

char *discs_demo(GError **err)
{
    if (access(DEMO_DISC, R_OK) != 0) {
        vmdesk_fail(err, VMDESK_ERROR_MISSING,
                    "The demo's disc %s is missing: install it with \"apt install %s\"", DEMO_DISC,
                    DEMO_PACKAGE);
        return NULL;
    }
    return g_strdup(DEMO_DISC);
}
