#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The GRUB rescue disc to its prompt; a command typed through VNC by a stock client library, and
# its answer read back from the screen.
# shellcheck disable=SC2016 # the variables are GRUB's
. "$(dirname "$0")/lib.sh" || exit 1
disc=/usr/lib/grub-rescue/grub-rescue-cdrom.iso
begin
need_firmware
need_file $disc grub-rescue-pc

make_machine grub --iso $disc
start_machine grub
wait_screen grub "for a command-line" 300
"$vnc_tool" "$(socket grub vnc)" type c run 1 || fail "typing by VNC"
wait_screen grub "grub>" 60
"$vnc_tool" "$(socket grub vnc)" type 'echo Hello, "$root"!\n' run 2 save "$work/screen.ppm" ||
    fail "typing by VNC"
wait_screen grub "Hello, " 60
"$VMDESK" screen grub | grep -q '^grub> echo Hello, "$root"!' || fail "the command is not as typed"

# The pictures that a viewer, the CLI and the control socket get are pictures.
head -c 2 "$work/screen.ppm" | grep -q P6 || fail "the viewer's picture"
"$VMDESK" screenshot grub "$work/screen.png" || fail "screenshot"
head -c 8 "$work/screen.png" | od -An -c | grep -q 'P   N   G' || fail "the PNG picture"

# The CLI types too.
"$VMDESK" type grub 'set answer=42\necho "<$answer>"\n' || fail "type"
wait_screen grub "<42>" 60
