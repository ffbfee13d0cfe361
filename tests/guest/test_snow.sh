#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that hammers random ports and addresses: whatever becomes of the guest, the engine goes
# on, answers at once, and its log stays short.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_firmware
[ -e tests/guest/snow.img ] || skip "the compiler makes no 32-bit code: snow.img was not built"

cp tests/guest/snow.img "$work/snow.img"
truncate -s 1M "$work/snow.img" # firmware boots no disk of one sector
make_machine snow --set disk0.file="$work/snow.img" --set serial.file="$work/serial.log"
start_machine snow
wait_file "$work/serial.log" snow 60
for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 1
    ms=$(milliseconds control snow query-status) || fail "query-status"
    [ "$ms" -le $((1000 * ${GUEST_TIME_SCALE:-1})) ] || fail "query-status took $ms ms"
done
say "after 10 s the guest is $(control snow query-status | sed -n 's/.*"status": "\(.*\)".*/\1/p')"
lines=$(wc -l <"$(machine_folder snow)/engine.log")
[ "$lines" -le 2000 ] || fail "the log grew to $lines lines"
"$VMDESK" reset snow || fail "reset"
: >"$work/serial.log"
wait_file "$work/serial.log" snow 60
