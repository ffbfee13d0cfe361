#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Engines that are killed, hang or end: the interface shows it and goes on.
. "${0%/*}/lib.sh"

for name in one two; do
    machine $name <<'EOF'
[machine]
memory = 64M
EOF
    script $name <<'EOF'
{"stats": {"guest-time-ns": 90000000000, "vcpus": []}}
EOF
done

open_tui 80 24
keys s Down s
wait_for '2 running'
golden engine-running

# kill -9: named, the lock is free, and it starts again.
kill -9 "$(engine_pid two)"
wait_for killed
golden engine-killed
keys s
wait_for '2 running'

# Pause and resume, by the menu too.
keys p
wait_for '1 paused'
keys m
wait_for 'Power button'
golden engine-menu
keys p
wait_for '2 running'

# Off: asks first, and Cancel is what Enter takes.
keys x
wait_for 'Force two off?'
golden engine-force-off
keys Enter
wait_gone 'Force two off?'
kill -0 "$(engine_pid two)" || fail "Cancel turned it off"
keys x Right Enter
wait_for '1 running'
wait_for 'off'

# One that hangs: shown, and nothing else waits for it.
keys Up
pid=$(engine_pid one)
kill -STOP "$pid"
wait_for 'no answer'
keys Down s
wait_for '1 running'
keys Up Enter
wait_for 'The engine does not answer'
golden engine-hung
kill -CONT "$pid"
wait_gone 'The engine does not answer'
wait_for 'running'

# One that hangs for good is killed by force off.
kill -STOP "$pid"
wait_for 'no answer'
keys x
wait_for 'its process is killed'
keys Right Enter
killed() {
    ! kill -0 "$pid" 2>/dev/null
}
eventually "the engine that hangs is still there" killed
wait_gone 'no answer'

# The interface that is killed leaves the machines alone, and a new one finds them.
pid=$(engine_pid two)
kill -9 "$(tui_pid)"
open_tui 80 24
wait_for '1 running'
[ "$(engine_pid two)" = "$pid" ] || fail "the machine did not go on"

# One that hangs already when the interface opens.
keys q
wait_for '[exit 0]'
kill -STOP "$pid"
open_tui 80 24
wait_for 'no answer'
kill -CONT "$pid"
wait_for '1 running'
exit 0
