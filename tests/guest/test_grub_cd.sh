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

# A BIOS keeps no more than 15 keys that its guest has not read: type less, and wait for the echo.
# vnc_type TEXT ECHO
vnc_type() {
    "$vnc_tool" "$(socket grub vnc)" type "$1" run 0.2 save "$work/screen.ppm" >/dev/null ||
        fail "typing '$1' by VNC"
    wait_screen grub "$2" 120
}

# From the menu to the prompt. Where the guest is slow its menu boots the first entry before it looks
# at the keyboard; that fails, takes any key, and comes back to the menu.
reach_prompt() {
    wait_screen grub "for a command-line" 300
    for _ in 1 2 3 4; do
        "$vnc_tool" "$(socket grub vnc)" type c run 0.2 >/dev/null || fail "typing 'c' by VNC"
        "$VMDESK" screen grub --wait 'grub>' --timeout "$(seconds 45)" >/dev/null 2>&1 && break
    done
    wait_screen grub 'grub>' 10
    # What was typed once too often.
    "$VMDESK" type grub --key ctrl-u || fail "ctrl-u"
}

make_machine grub --iso $disc
start_machine grub
reach_prompt
vnc_type 'set who=World' 'grub> set who=World'
vnc_type '\necho "<$who>"' 'grub> echo "<$who>"'
vnc_type '\n' '<World>'

# The pictures that a viewer, the CLI and the control socket get are pictures.
head -c 2 "$work/screen.ppm" | grep -q P6 || fail "the viewer's picture"
"$VMDESK" screenshot grub "$work/screen.png" || fail "screenshot"
head -c 8 "$work/screen.png" | od -An -c | grep -q 'P   N   G' || fail "the PNG picture"

# The CLI types too.
"$VMDESK" type grub 'set x=42' || fail "type"
wait_screen grub 'grub> set x=42' 120
"$VMDESK" type grub '\necho "<$x>"\n' || fail "type"
wait_screen grub '<42>' 120
