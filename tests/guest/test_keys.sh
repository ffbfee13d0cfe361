#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Keys from VNC viewers that come and go, and from the control socket, arrive in the guest: each
# once, in order. Pointer events that no driver reads do not get in their way.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_firmware
[ -e tests/guest/keys.img ] || skip "the compiler makes no 32-bit code: keys.img was not built"

cp tests/guest/keys.img "$work/keys.img"
truncate -s 1M "$work/keys.img" # firmware boots no disk of one sector
make_machine keys --set disk0.file="$work/keys.img" --set serial.file="$work/serial.log"
start_machine keys
wait_file "$work/serial.log" keys 60
for key in 1 2 3 4 5; do
    "$vnc_tool" "$(socket keys vnc)" move 1$key 20 type $key move 20 1$key >/dev/null || fail "VNC"
done
wait_file "$work/serial.log" '^12345$' 30
"$VMDESK" type keys 'Hello, World!' || fail "type"
wait_file "$work/serial.log" '^12345Hello, World!$' 30
# More than a BIOS keeps, no faster than it is read.
"$vnc_tool" "$(socket keys vnc)" type 'The "quick" brown fox: <jumps> over {the} lazy dog~' \
    >/dev/null || fail "VNC"
wait_file "$work/serial.log" 'The "quick" brown fox: <jumps> over {the} lazy dog~$' 30
