#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# doc/instructions.md is what the decoder's table says.
page=${srcdir:-.}/doc/instructions.md
if ! doc/instruction_reference | diff -u "$page" -; then
    echo "$page differs from the table: run 'make update-instructions'"
    exit 1
fi
