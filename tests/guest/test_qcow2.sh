#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A machine that boots from a chain of qcow2 images: the GRUB rescue disc, compressed, and an overlay
# on it. Then the engine is killed.
. "$(dirname "$0")/lib.sh" || exit 1
disc=/usr/lib/grub-rescue/grub-rescue-cdrom.iso
begin
need_firmware
need_file $disc grub-rescue-pc

"$VMDESK" disk convert --compress --format raw --target-format qcow2 $disc "$work/base.qcow2" ||
    fail "convert"
"$VMDESK" disk create --backing "$work/base.qcow2" --backing-format qcow2 "$work/top.qcow2" ||
    fail "the overlay"
make_machine chain --disk "$work/top.qcow2" --set disk0.format=qcow2
start_machine chain
wait_screen chain "for a command-line" 300

# While it runs nobody else writes to any of them.
"$VMDESK" disk resize "$work/top.qcow2" +1M 2>"$work/error" && fail "resized while it runs"
grep -q "in use" "$work/error" || fail "no reason: $(cat "$work/error")"
"$VMDESK" disk resize "$work/base.qcow2" +1M 2>/dev/null && fail "its base was resized"

kill -9 "$(engines)"
within 20 no_engines || fail "the engine is still there"
for image in base top; do
    "$VMDESK" disk check "$work/$image.qcow2" >/dev/null || fail "$image is damaged"
done
"$VMDESK" disk compare --format qcow2 "$work/top.qcow2" "$work/base.qcow2" >/dev/null ||
    fail "it reads differently"
