#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A 100 MB line and a client that never reads, while the guest runs: both are dropped, and the
# engine's memory and other clients do not notice.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_firmware

make_machine m
start_machine m
control=$(socket m control)
pid=$(engines)
peak() { sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"; }
wait_screen m "No bootable device" 60
before=$(peak)
"$control_tool" "$control" flood 100000000 || fail "the 100 MB line"
after=$(peak)
[ $((after - before)) -le 4096 ] || fail "the line cost $((after - before)) KiB"
"$control_tool" "$control" deaf >"$work/deaf" 2>&1 &
deaf=$!
for _ in 1 2 3 4 5; do
    ms=$(milliseconds control m query-status) || fail "query-status"
    [ "$ms" -le $((1000 * ${GUEST_TIME_SCALE:-1})) ] || fail "query-status took $ms ms"
done
wait $deaf || fail "the deaf client: $(cat "$work/deaf")"
control m query-status | grep -q '"running": true' || fail "the guest does not run any more"
