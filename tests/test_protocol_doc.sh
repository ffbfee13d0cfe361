#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference in doc/protocol.md is what the tables in core/protocol_schema.c say.
set -e
page=${srcdir:-.}/doc/protocol.md
if ! doc/protocol_reference | diff -u <(sed -n "/^## Commands\$/,\$p" "$page") -; then
    echo "$page differs from the tables: run 'make update-protocol'"
    exit 1
fi
