#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The terminal: gone, not one, suspended; two interfaces on the same machines.
. "${0%/*}/lib.sh"

machine demo <<'EOF'
[machine]
memory = 64M
EOF
script demo <<'EOF'
{"stats": {"guest-time-ns": 90000000000, "vcpus": []}}
EOF

# No terminal: says so, and fails.
if "$VMDESK" </dev/null >"$temp/out" 2>&1; then
    fail "it ran without a terminal"
fi
grep -q 'needs a terminal' "$temp/out" || fail "it does not say what it needs: $(cat "$temp/out")"

open_tui 80 24
keys s
wait_for '1 running'
engine=$(engine_pid demo)

# Suspended and continued, as a job of a shell is.
tm new-window -d -n shell "VMDESK='$VMDESK' sh -i"
tm send-keys -t shell "$VMDESK" Enter
shell_shows() {
    tm capture-pane -p -t shell 2>/dev/null | grep -qF -- "$1"
}
eventually "no second interface" shell_shows '1 running'
tm send-keys -t shell C-z
eventually "it was not suspended" shell_shows 'topped'
tm send-keys -t shell "fg" Enter
eventually "it did not come back" shell_shows '1 running'

# Two agree: what one does, the other shows.
tm send-keys -t shell p
eventually "the second does not show it" shell_shows '1 paused'
wait_for '1 paused'
keys p
eventually "the second does not show it" shell_shows '1 running'
tm kill-window -t shell

# No size is too small for any part of it.
small_sizes() {
    for size in '1 1' '2 2' '9 3' '20 5' '59 15' '300 80'; do
        resize $size
        sleep 0.2
    done
    resize 80 24
}
keys Enter
for tab in 1 2 3 4; do
    keys $tab
    small_sizes
done
# opens KEY TEXT: what it opens has the text, at any size, and Escape leaves it.
opens() {
    keys "$1"
    wait_for "$2"
    small_sizes
    wait_for "$2"
    keys Escape
    wait_gone "$2"
}
opens m 'Power button'
opens : 'Action menu'
opens '?' 'type to search'
opens n 'New machine'
opens x 'Force demo off?'
keys 1
wait_for '1 min'

# A crash gives the terminal back: the keys are echoed again, the other screen is left.
kill -SEGV "$(tui_pid)"
wait_for '[exit 139]'
hides vmdesk || fail "a crash leaves its screen behind"
typed 'echo is on'
wait_for 'echo is on'
open_tui 80 24
wait_for '1 running'

# A hangup ends it, and leaves the machine alone.
kill -HUP "$(tui_pid)"
wait_for '[exit 0]'
kill -0 "$engine" || fail "the machine ended with the terminal"
open_tui 80 24
wait_for '1 running'
pid=$(tui_pid)
tm kill-server
gone() {
    ! kill -0 "$pid" 2>/dev/null
}
eventually "it outlives its terminal" gone
kill -0 "$engine" || fail "the machine ended with the terminal"
exit 0
