#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Viewers that stop reading or send garbage are dropped, and delay neither the control socket nor
# another viewer.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_firmware
limit_ms=$((1000 * ${GUEST_TIME_SCALE:-1}))

make_machine m
start_machine m
wait_screen m "No bootable device" 60
vnc=$(socket m vnc)

"$vnc_tool" "$vnc" stall "$(seconds 60)" >"$work/stall" 2>&1 &
stalled=$!
"$vnc_tool" "$vnc" garbage >"$work/garbage" 2>&1 &
garbage=$!
"$vnc_tool" "$vnc" raw >"$work/raw" 2>&1 &
raw=$!
worst=0
for _ in 1 2 3 4 5 6 7 8 9 10; do
    ms=$(milliseconds control m query-status) || fail "query-status while viewers misbehave"
    [ "$ms" -le $worst ] || worst=$ms
    ms=$(milliseconds "$vnc_tool" "$vnc" move 10 10 save "$work/screen.ppm") ||
        fail "a viewer while others misbehave"
    [ "$ms" -le $worst ] || worst=$ms
    sleep 0.2
done
[ $worst -le $limit_ms ] || fail "the slowest answer took $worst ms"
wait $stalled || fail "stalled viewer: $(cat "$work/stall")"
wait $garbage || fail "garbage after the handshake: $(cat "$work/garbage")"
wait $raw || fail "garbage from the start: $(cat "$work/raw")"
control m query-status | grep -q '"running": true' || fail "the guest does not run any more"
within 10 eval 'control m query-vnc | grep -q "\"clients\": \[\]"' || fail "a viewer is left over"
say "the slowest answer took $worst ms; stalled viewer $(grep dropped "$work/stall")"
