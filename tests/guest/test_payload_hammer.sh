#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The payload writes nonsense to ports, holes, and DMA addresses outside of RAM; the engine goes on.
. "$(dirname "$0")/lib.sh" || exit 1
payload=$PWD/tests/guest/payload/payload
begin
need_firmware
[ -e "$payload" ] || skip "the compiler makes no 32-bit code: the payload was not built"

truncate -s 1M "$work/disk.img"
make_machine m --set machine.memory=64M --set disk0.file="$work/disk.img" \
    --set boot.kernel="$payload" --set serial.file="$work/serial.log" --set debug.exit-port=1281
for seed in 1 $RANDOM; do
    : >"$work/serial.log"
    "$VMDESK" set m boot.cmdline="hammer seed=$seed exit=0x501" >/dev/null || fail "set"
    start_machine m
    wait_file "$work/serial.log" "^DONE 5 passed, 0 failed" 120
    within 10 no_engines || fail "seed $seed: the machine did not end"
    lines=$(wc -l <"$(machine_folder m)/engine.log")
    [ "$lines" -le 2000 ] || fail "seed $seed: the log grew to $lines lines"
done
