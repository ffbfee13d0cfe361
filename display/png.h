/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PNG files (ISO/IEC 15948). */
#ifndef DISPLAY_PNG_H
#define DISPLAY_PNG_H

#include <glib.h>

#include "display/surface.h"

/* 8-bit RGB. NULL and *err: no memory. Any thread that owns the surface. */
GBytes *png_encode(const struct surface *surface, GError **err);

#endif
