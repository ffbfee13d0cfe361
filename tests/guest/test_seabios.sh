#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SeaBIOS in a machine with nothing to boot from: it says so on the debug console and the screen.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_firmware

make_machine bare --set debug.console-file="$work/debug.log"
start_machine bare
wait_file "$work/debug.log" "No bootable device" 60
wait_screen bare "No bootable device" 10
grep -aq "Machine UUID\|SeaBIOS (version" "$work/debug.log" || fail "no greeting in the debug log"

# The reset button starts it over.
: >"$work/debug.log"
"$VMDESK" reset bare || fail "reset"
wait_file "$work/debug.log" "No bootable device" 60

# Forced off, nothing is left of it.
"$VMDESK" stop bare --force --wait 10 || fail "force off"
within 10 no_engines || fail "the engine is still there"
[ ! -e "$(socket bare control)" ] || fail "its socket is still there"
