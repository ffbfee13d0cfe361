#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An engine killed at any moment leaves nothing that hinders the next start.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_firmware

make_machine m --set debug.console-file="$work/debug.log"
for delay in 0 0.02 0.05 0.1 0.2 0.5 1; do
    "$VMDESK" start m >/dev/null 2>&1 &
    start=$!
    sleep $delay
    for pid in $(engines); do
        kill -KILL "$pid"
    done
    wait $start
done
# The last one may have come up after the look around.
for pid in $(engines); do
    kill -KILL "$pid"
done
within 5 no_engines || fail "an engine outlived SIGKILL"
"$VMDESK" list --json | grep -q '"running": true' && fail "a killed machine is listed as running"

start_machine m
refuses "m" "$VMDESK" start m # twice
wait_file "$work/debug.log" "SeaBIOS" 60
pid=$(engines)
kill -KILL "$pid"
within 5 test ! -e "/proc/$pid" || fail "SIGKILL"
refuses "m" "$VMDESK" pause m # it does not run
start_machine m
"$VMDESK" stop m --force --wait 10 || fail "stop after a restart"
