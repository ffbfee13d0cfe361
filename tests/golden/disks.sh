#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The disks of a machine: what they take and lie on, their snapshots, and work on them.
. "${0%/*}/lib.sh"

folder=$machines/box
mkdir -p "$folder"
(cd "$folder" && "$VMDESK" disk create base.qcow2 64M --cluster-size 64K &&
    "$VMDESK" disk create disk0.qcow2 --backing base.qcow2 && "$VMDESK" disk create data.raw 16M)
machine box <<'EOF'
[disk0]
file = disk0.qcow2
format = qcow2

[disk1]
file = data.raw
EOF
machine lost <<'EOF'
[disk0]
file = gone.raw
EOF

# An L1 table that leads nowhere.
mkdir -p "$machines/hurt"
(cd "$machines/hurt" && "$VMDESK" disk create disk0.qcow2 64M --preallocation metadata &&
    printf '\377\377\377\377\377\377\377\377' |
    dd of=disk0.qcow2 bs=1 seek=$((0x30000)) conv=notrunc status=none)
machine hurt <<'EOF'
[disk0]
file = disk0.qcow2
format = qcow2
EOF

# What the images take depends on the file system, and dates on the day.
mask='s/ [0-9.]*[^0-9.]*[KMG]*i*[Bb][ytes]* used/ SOME used/; s/20[0-9-]* [0-9]*:[0-9]*/DATE            /'
open_tui 80 24 --machine lost
keys 3
wait_for 'Cannot open the image'
# All of the reason is there, not just what fits beside the name.
wait_for 'settings.'
open_tui 80 24 --machine hurt
keys 3
wait_for '64M, '
keys Enter
wait_for 'Take a snapshot...'
keys c
wait_for 'puts it right'
keys Enter
wait_for 'Take a snapshot...'
keys r
wait_for 'The new size.'
keys C-u
typed '1M'
keys Enter
wait_for 'the tables of the image'
! screen | grep 'info disks' || fail 'the log is on the screen'
open_tui 80 24 --machine box
keys 3
wait_for 'on base.qcow2 (qcow2)'
wait_for 'disk0.qcow2'
wait_for '64M'

# Take a snapshot, and one that descends from it.
keys Enter
wait_for 'Take a snapshot...'
golden disks-menu
keys s
wait_for 'A name for what'
keys Enter
wait_for 'Type a name'
typed 'first'
keys Enter
wait_for 'done'
wait_for 'first'
wait_for 'current'
keys Enter s
wait_for 'A name for what'
typed 'second'
keys Enter
wait_for '  second'
eventually "the image has both" sh -c \
    "[ \$('$VMDESK' disk snapshot list --json '$folder/disk0.qcow2' | grep -c '\"name\"') = 2 ]"

# Going back asks first, and Cancel is what Enter means.
keys Down Down Enter
wait_for 'Go back to it...'
keys b
wait_for 'holds now is lost'
golden disks-go-back
keys Enter
wait_gone 'holds now is lost'
keys Enter b
wait_for 'holds now is lost'
keys Right Enter
wait_for 'Going back: done'

# Another name, which the dialog starts with the old one for.
keys Down Enter n
wait_for 'Its name from now on'
typed '+'
keys Enter
wait_for 'Renaming a snapshot: done'
wait_for '  second+'

# Deleting, in the same way as going back.
keys Enter x
wait_for 'What the disk holds now stays'
keys y
wait_for 'Deleting a snapshot: done'
wait_gone '  second+'

# Resizing: what is wrong keeps the dialog.
keys g Enter r
wait_for 'The new size.'
keys C-u
typed 'large'
keys Enter
wait_for 'large'
keys C-u
typed '96M'
keys Enter
wait_for 'Resizing: done'
wait_for '96M'

# Checking, and converting what holds no snapshots.
keys Enter c
wait_for 'Checking: done'
keys Down Down Down Enter
wait_for 'convert it first'
golden disks-raw
keys v
wait_for 'A new qcow2 image'
keys Enter
wait_for 'Converting: done'
[ "$(head -c 3 "$folder/data.qcow2")" = QFI ] || fail "the image was not made"

# A running machine is asked what its disks are.
cat >"$temp/images" <<'EOF'
"images": {
    "disk0": [{"filename": "FOLDER/disk0.qcow2", "format": "qcow2", "virtual-size": 100663296,
               "actual-size": 300000, "snapshots": [
                   {"id": "2", "name": "later", "parent": "1", "date-sec": 1700000000,
                    "virtual-size": 67108864, "vm-state-size": 0, "current": true},
                   {"id": "1", "name": "early", "date-sec": 1600000000,
                    "virtual-size": 67108864, "vm-state-size": 0, "current": false}]},
              {"filename": "FOLDER/base.qcow2", "format": "qcow2"}],
    "disk1": [{"filename": "FOLDER/data.qcow2", "format": "qcow2", "virtual-size": 16777216,
               "actual-size": 200000, "snapshots": []},
              {"filename": "/other/big.raw", "format": "raw"}]
}
EOF
sed -i "s#FOLDER#$folder#" "$temp/images"
machine box <<'EOF'
[disk0]
file = disk0.qcow2
format = qcow2

[disk1]
file = data.qcow2
format = qcow2
EOF
echo "{ $(cat "$temp/images") }" | script box
keys s
wait_for 'running'
keys 3
wait_for 'early'
wait_for '/other/big.raw (raw)'
keys g Enter
wait_for 'the machine runs'
golden disks-running-menu
keys r
wait_for 'only larger while'
keys C-u
typed '128M'
keys Enter
wait_for 'Resizing: done'
eventually 'the engine takes the size' grep -q '^block_resize disk0 134217728' \
    "$VMDESK_FAKE/box.disk"
keys Enter
wait_for 'Take a snapshot...'
keys s
wait_for 'A name for what'
typed 'live'
keys Enter
wait_for 'Taking a snapshot: done'
eventually 'the engine takes it' grep -q '^blockdev-snapshot-internal-sync disk0 live' \
    "$VMDESK_FAKE/box.disk"
keys Down Down Enter
wait_for 'Go back to it...'
golden disks-running-snapshot
keys n
wait_for 'Its name from now on'
typed '!'
keys Enter
wait_for 'Renaming a snapshot: done'
eventually 'the engine renames it' grep -q '^blockdev-snapshot-rename-internal-sync disk0 1 early!' \
    "$VMDESK_FAKE/box.disk"
keys Enter x
wait_for 'deleted for good'
keys y
wait_for 'Deleting a snapshot: done'
eventually 'the engine deletes it' grep -q '^blockdev-snapshot-delete-internal-sync disk0 1' \
    "$VMDESK_FAKE/box.disk"

# Long work, which is stopped, and which comes to its end.
keys G Up Enter
wait_for 'Flatten...'
keys f
wait_for 'stands alone'
keys y
wait_for 'Flattening'
wait_for '40%'
golden disks-running-work
keys Enter
wait_for 'Stop the work'
keys y
wait_for 'Stopped as asked'
grep -q '^block-job-cancel disk1' "$VMDESK_FAKE/box.disk" || fail "nothing was cancelled"
keys Enter
wait_for 'Commit...'
keys o
wait_for 'Any other disk'
keys y
wait_for 'Committing'
eventually 'the engine commits' grep -q '^block-commit disk1' "$VMDESK_FAKE/box.disk"
echo "{ \"job-ends\": true, $(cat "$temp/images") }" | script box
wait_for 'Committing: done'
