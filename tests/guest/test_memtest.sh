#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# memtest86+ on the software CPU, its 64-bit and its 32-bit program: a whole pass without an error.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_file /usr/share/seabios/bios-256k.bin seabios
get_package memtest86+

# passed MACHINE: it completed a pass; ends the test when it found an error
passed() {
    "$VMDESK" screen "$1" >"$work/screen" 2>&1 || return
    grep -q "Errors: *[1-9]" "$work/screen" && fail "memtest86+ found errors: $(cat "$work/screen")"
    grep -q "Pass: *[1-9]" "$work/screen"
}

for program in x64 ia32; do
    make_machine $program --set machine.accel=soft --set machine.memory=16M \
        --set boot.kernel="$package/boot/memtest86+$program.bin"
    start=$SECONDS
    start_machine $program
    within 1200 passed $program || fail "no pass in time: $(cat "$work/screen")"
    say "$program: a pass took $((SECONDS - start)) s:" \
        "$(grep -o "Pass: *[0-9]* *Errors: *[0-9]*" "$work/screen")"
    grep -q "Errors: *0" "$work/screen" || fail "it does not say that there were no errors"
    "$VMDESK" stop $program --force --wait 10 || fail "force off"
done
