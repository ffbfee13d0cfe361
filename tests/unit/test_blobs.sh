#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The arrays in the tree are what their sources make.
for tool in cpp as ld iasl; do
    command -v "$tool" >/dev/null || {
        echo "skipped: $tool is not installed"
        exit 77
    }
done
exec "$srcdir/engine/machine/make-blobs" check
