#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The machine list: empty, with machines in several states, at several sizes, and in plain looks.
. "${0%/*}/lib.sh"

open_tui 80 24
golden list-empty

machine alpine <<'EOF'
[machine]
memory = 512M
description = What the fake engine runs
EOF
machine broken <<'EOF'
[machine]
memry = 1G
EOF
machine debian12 <<'EOF'
[machine]
cpus = 2
memory = 2G
description = The build box
[disk0]
file = /srv/disks/debian12.raw
EOF
machine freebsd <<'EOF'
[machine]
memory = 1G
EOF
machine win11 <<'EOF'
[machine]
memory = 8G
EOF
script debian12 <<'EOF'
{"stats": {"guest-time-ns": 11520000000000, "memory-resident": 734003200, "engine-pss": 5242880,
           "vcpus": [{"cpu-time-ns": 5}, {"cpu-time-ns": 7}]}}
EOF
script freebsd <<'EOF'
{"fail": "The disc /srv/discs/freebsd.iso is missing: put it back, or choose another one."}
EOF
script win11 <<'EOF'
{"status": "internal-error", "detail": "The host's KVM could not run this instruction: 9b at 0xfffced45.",
 "stats": {"guest-time-ns": 60000000000, "vcpus": []}}
EOF

# The store is watched: they come without a key.
wait_for win11
keys Down Down s
wait_for '0%'
keys Down s
wait_for failed
keys Down s
wait_for stuck
golden list-states

resize 140 40
golden list-140x40
keys Up Up
resize 60 16
golden list-60x16
resize 40 10
golden list-40x10
resize 80 24
golden list-80x24

# The mouse: a click selects a row, a second one soon after opens it, tabs and hints are buttons.
double_click_opens() {
    click 10 2
    click 10 2
    sleep 1
    shows '1 Overview'
}
eventually "a double click does not open the machine" double_click_opens
click 40 1
wait_for machine.memory
click 2 23
wait_for Machines
click 10 4

keys / f r e e
golden list-filter
keys Escape
wait_for debian12

# Every word of the state stays without colours, and nothing is coloured.
keys q
wait_for '[exit 0]'
export NO_COLOR=1
open_tui 80 24
keys Down Down
wait_for '0%'
golden_styled list-no-color
screen -e | grep -qE '\[[0-9;]*[34][0-9];5|\[3[1-7]m' && fail "there is a colour although NO_COLOR is set"
unset NO_COLOR

open_tui 80 24 --ascii
keys Down Down
wait_for '0%'
golden list-ascii
LC_ALL=C grep -q '[^ -~]' "$here/expected/list-ascii.txt" && fail "--ascii shows more than ASCII"

# A locale without UTF-8 gets the same without being told.
VMDESK="env LC_ALL=C $VMDESK"
open_tui 80 24
keys Down Down
wait_for '0%'
golden list-ascii
exit 0
