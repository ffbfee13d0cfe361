#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Prints a page with its reference made anew: update_manual.sh PAGE.scd verbs|keys
sed -n '1,/^; begin reference$/p' "$1"
doc/manual_reference "$2"
sed -n '/^; end reference$/,$p' "$1"
