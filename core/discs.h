/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot discs found on this computer, for the form of a new machine.
 *
 * Looked for: *.iso and *.img in the downloads folder, the home folder, /usr/lib/grub-rescue and
 * one level below /usr/share; bounded in time and in count, never following symbolic links to
 * folders. The files are foreign: what is read from them is checked and sanitized.
 */
#ifndef CORE_DISCS_H
#define CORE_DISCS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define DISCS_MAX 200
#define DISCS_MAX_MS 500

struct disc {
    char *path;    /* absolute; any bytes but NUL: sanitize before showing */
    uint64_t size; /* bytes */
    bool iso9660;  /* has a primary volume descriptor (ECMA-119 8.4) */
    bool bootable; /* El Torito boot record that points to a valid catalog, or an MBR signature */
    char *label;   /* the volume identifier, sanitized and trimmed; NULL where there is none */
};
void disc_free(struct disc *disc); /* NULL is fine */

/* Reads the descriptors of one file; NULL and *err when it is no regular file or unreadable. */
struct disc *disc_probe(const char *path, GError **err);

/* What was found, sorted: bootable ones first, then by path; struct disc *, freed with the array.
 * May read the disk for DISCS_MAX_MS: call it from a worker thread in an interface. */
GPtrArray *discs_find(void);

/* The disc that the demo machine boots, or NULL and *err naming the package to install. */
char *discs_demo(GError **err);

#endif
