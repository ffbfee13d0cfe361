#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The USB tab, on a computer with one device: who has it, attaching, policies, a disk in use.
if [ -z "${IN_USBFS:-}" ]; then
    [ -x tests/usb/fuse_usbfs ] || { echo "skipped: tests/usb/fuse_usbfs is not built"; exit 77; }
    IN_USBFS=1 exec tests/usb/fuse_usbfs "$0"
fi
. "${0%/*}/lib.sh"

play() {
    echo "$1" >/dev/bus/usb/script
}

# holds MACHINE: has the device, as an engine does, until the next call
holder=
holds() {
    [ -z "$holder" ] || kill "$holder"
    python3 -c '
import fcntl, os, struct, sys, time
folder = os.environ["XDG_RUNTIME_DIR"] + "/vmdesk"
os.makedirs(folder, mode=0o700, exist_ok=True)
lock = open(folder + "/.usb-1-2", "w+")
fcntl.fcntl(lock, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)) # F_OFD_SETLK
lock.write(sys.argv[1])
lock.flush()
time.sleep(600)' "$1" &
    holder=$!
}

said() {
    grep -qxF -- "$1" "$VMDESK_FAKE/one.usb" 2>/dev/null
}

machine one <<'EOT'
[machine]
memory = 64M
EOT
script one <<'EOT'
{"stats": {"guest-time-ns": 90000000000, "vcpus": []}}
EOT

open_tui 80 24
keys Enter u
wait_for 'Scripted device'
keys Enter
wait_for 'one does not run'
keys s
wait_for running
keys Down
golden usb-free

keys Enter
eventually "it was not attached" said 'usb-attach 1-2'
holds one
wait_for 'this machine'
golden usb-attached
keys Enter
eventually "it was not detached" said 'usb-detach 1-2'
holds two
wait_for 'machine two'
keys Enter
wait_for 'The machine two has it'
kill "$holder"
holder=
wait_for 'device  usb-storage'

# A policy, which the engine hears of and the definition keeps.
keys o
wait_for 'Policy for this device'
golden usb-policy
keys k
wait_for 'ask'
eventually "the engine was not told" said 'usb-rules 1234:0001:SN%20001 ask'
grep -q '^rules *= *1234:0001:SN%20001 ask' "$machines/one/machine.conf" ||
    fail "the definition has no rule"
keys o
wait_for 'Policy for this device'
keys p
wait_for 'always'
eventually "the engine was not told" said 'usb-rules 1-2 always'

# A disk that is mounted: asks, and Cancel is what Enter takes.
block=/sys/devices/pci0/usb1/1-2/1-2:1.0/host0/block/sdz
mount -t tmpfs none /media
mkdir -p "$block" /sys/class/block
awk '$5 == "/media" { print $3 }' /proc/self/mountinfo >"$block/dev"
ln -s "$block" /sys/class/block/sdz
wait_for 'mounted at /media'
rm "$VMDESK_FAKE/one.usb"
keys Enter
wait_for 'unmount it first'
golden usb-mounted
keys Enter
wait_gone 'unmount it first'
keys Enter
wait_for 'unmount it first'
keys Right Enter
eventually "it was not attached" said 'usb-attach 1-2'
[ "$(wc -l <"$VMDESK_FAKE/one.usb")" = 1 ] || fail "Cancel attached it"

# It comes and goes.
play unplug
wait_for 'No USB device is plugged'
golden usb-none
play plug
wait_for 'Scripted device'
resize 40 12
golden usb-40x12
resize 140 40
golden usb-140x40
