/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What images are, as JSON: what the control socket answers and the verbs print. Results are new
 * references, text in them is made valid UTF-8.
 *
 * Thread: as image.h says; beside work on the image too.
 */
#ifndef DISKS_IMAGE_JSON_H
#define DISKS_IMAGE_JSON_H

#include <jansson.h>

#include "disks/image.h"

/* What image_get_info() tells, with the snapshots. */
json_t *image_info_json(struct image *image, GError **err);

/* An array of these: of the image, and of those that it lies on unless it is alone. */
json_t *image_chain_json(struct image *image, bool alone, GError **err);

/* An array of what image_snapshots() lists; with the parent of each, and the current one, as far as
 * the image's tree can be read. */
json_t *image_snapshots_json(struct image *image, GError **err);

#endif
