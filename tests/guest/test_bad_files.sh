#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a start refuses, each with a reason that names the thing.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_firmware

: >"$work/empty.img"
head -c 1000 /dev/zero >"$work/odd.img"
head -c 1048576 /dev/zero >"$work/good.img"
mkdir "$work/folder.img"

make_machine m
# try KEY VALUE WORDS: with this in its definition the machine does not start
try() {
    "$VMDESK" set m "$1=$2" >/dev/null || fail "set $1=$2"
    refuses "$3" "$VMDESK" start m
    within 5 no_engines || fail "an engine is left after $1=$2"
    "$VMDESK" set m "$1=" >/dev/null || fail "unset $1"
}
try disk0.file "$work/none.img" "$work/none.img"
try disk0.file "$work/empty.img" "empty"
try disk0.file "$work/odd.img" "512"
try disk0.file "$work/folder.img" "$work/folder.img"
try cdrom.file "$work/none.iso" "$work/none.iso"
try boot.kernel "$work/good.img" "$work/good.img"
try display.vnc-password-file "$work/none" "$work/none"

VMDESK_FIRMWARE_PATH=$work/none refuses "package seabios" "$VMDESK" start m

# A runtime folder whose sockets would have too long a path.
deep=$work/$(printf 'x%.0s' {1..120})
mkdir -m 700 "$deep"
XDG_RUNTIME_DIR=$deep refuses "long" "$VMDESK" start m

"$VMDESK" set m disk0.file="$work/good.img" >/dev/null || fail "set a good disk"
start_machine m
