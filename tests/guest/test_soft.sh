#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The software CPU: SeaBIOS, GRUB's command line and OVMF's shell come up within seconds.
. "$(dirname "$0")/lib.sh" || exit 1
disc=/usr/lib/grub-rescue/grub-rescue-cdrom.iso
begin
need_file /usr/share/seabios/bios-256k.bin seabios
need_file /usr/share/OVMF/OVMF_CODE_4M.fd ovmf
need_file $disc grub-rescue-pc

make_machine bare --set machine.accel=soft --set debug.console-file="$work/debug.log"
start_machine bare
wait_file "$work/debug.log" "No bootable device" 30
"$VMDESK" show bare | grep -q "runs on *software CPU: machine.accel asks for it" || fail "it does not say that it runs on soft"
"$VMDESK" stop bare --force --wait 10 || fail "force off"

make_machine grub --iso $disc --set machine.accel=soft
start_machine grub
wait_screen grub "for a command-line" 60
"$VMDESK" type grub c || fail "type"
wait_screen grub 'grub>' 10
"$VMDESK" type grub 'set x=42\necho "<$x>"\n' || fail "type"
wait_screen grub '<42>' 10
"$VMDESK" stop grub --force --wait 10 || fail "force off"

# It shows its shell in graphics; that it got there, the mode tells.
make_machine uefi --set machine.accel=soft --set machine.firmware=ovmf
start_machine uefi
reached_graphics() {
    "$VMDESK" screen uefi 2>&1 | grep -q "mode graphics"
}
within 120 reached_graphics || fail "OVMF sets no graphics mode"
