#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# USB under Linux' own drivers: a tree of devices, 64 MiB written and read back by both protocols of
# sticks, a file system, plugging and pulling in the midst of writing, a hub with a keyboard and a
# serial adapter behind it, and a pointer that is where the viewer's is.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/usb_guest.sh" || exit 1
begin
need_file /usr/share/seabios/bios-256k.bin seabios
get_usb_guest
truncate -s 96M "$work/stick.img"
truncate -s 80M "$work/uas.img"
/sbin/mkfs.ext4 -q -F "$work/uas.img" || skip "no mkfs.ext4: install the package e2fsprogs"
make_usb_machine usb --set machine.cpus=2 --set usb.storage="$work/stick.img"
boot_usb_machine usb

guest "^list: end" 60 list
results list | grep -q "^1-1 480 USB Tablet" || fail "no tablet: $(results list)"
results list | grep -q "^2-4 5000 USB Storage" || fail "no stick: $(results list)"

# digest IMAGE MEBIBYTES: of what is on it
digest() { head -c "${2}M" "$1" | sha256sum | cut -d ' ' -f 1; }

guest "^copy: [0-9a-f]" 300 'copy $(disk 2-4) 64'
results copy | grep -q "^same" || fail "the stick gives back something else"
[ "$(results copy | tail -n 1)" = "$(digest "$work/stick.img" 64)" ] || fail "the image differs"

control usb device_add "{\"driver\":\"usb-uas\",\"id\":\"disk\",\"port\":\"3\",\"file\":\"$work/uas.img\"}" >/dev/null ||
    fail "the disk cannot be plugged in"
wait_file "$log" "sdb.*Attached SCSI" 120
guest "^driver: uas" 60 'driver 2-3'
guest "^filesystem: 100000 lines 100000" 120 'filesystem $(disk 2-3)'
/sbin/debugfs -R "cat numbers.txt" "$work/uas.img" 2>/dev/null | cmp - <(seq 1 100000) ||
    fail "the guest's file is not on the image"
guest "^copy: [0-9a-f]" 300 'copy $(disk 2-3) 16'
[ "$(results copy | grep -c "^same")" = 2 ] || fail "the UAS disk gives back something else"
[ "$(results copy | tail -n 1)" = "$(digest "$work/uas.img" 16)" ] || fail "the image differs"

# Pulled out while it writes: an error there, and all else goes on.
guest "^pull: ready" 60 'pull $(disk 2-3)'
sleep 2
control usb device_del '{"id":"disk"}' >/dev/null || fail "the disk cannot be pulled out"
wait_new "^pull: gone" 60
refuses "There is no USB device" control usb device_del '{"id":"disk"}'
control usb device_add "{\"driver\":\"usb-storage\",\"id\":\"disk\",\"port\":\"3\",\"file\":\"$work/uas.img\"}" >/dev/null ||
    fail "the disk cannot be plugged in again"
guest "^driver: usb-storage" 60 'while [ -z "$(disk 2-3)" ]; do sleep 1; done; driver 2-3'
guest "^copy: [0-9a-f]" 100 'copy $(disk 2-3) 4'
[ "$(results copy | grep -c "^same")" = 3 ] || fail "the disk gives back something else"

# A hub and what is behind it.
control usb device_add '{"driver":"usb-hub","id":"hub","port":"2"}' >/dev/null || fail "no hub"
control usb device_add '{"driver":"usb-serial","id":"line","port":"2.1"}' >/dev/null || fail "no line"
control usb device_add '{"driver":"usb-kbd","id":"keys","port":"2.2"}' >/dev/null || fail "no keys"
wait_file "$log" "cdc_acm.*ttyACM0" 120
wait_file "$log" "USB Keyboard.*1-2.2" 120
guest "^list: 1-2.2" 60 list
guest "^answer: ready" 60 'answer /dev/ttyACM0'
python3 - "$XDG_RUNTIME_DIR/vmdesk/usb/usb-line.sock" <<'EOF' || fail "the serial adapter does not answer"
import socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
line.settimeout(60)
line.sendall(b"hello over usb\n")
got = b""
while not got.endswith(b"HELLO OVER USB\n"):
    got += line.recv(100)
EOF
guest "^events: ready" 60 'events "vmdesk USB Keyboard" 8'
mark
control usb input-send-event '{"events":[{"type":"key","data":{"down":true,"key":{"type":"qcode","data":"a"}}},{"type":"key","data":{"down":false,"key":{"type":"qcode","data":"a"}}}]}' >/dev/null
wait_new "^events: end" 60
results events | grep -q "^1 30 1" || fail "the key did not go down: $(results events)"
results events | grep -q "^1 30 0" || fail "the key did not come up: $(results events)"
control usb device_del '{"id":"hub"}' >/dev/null || fail "the hub cannot be pulled out"
guest "^driver: usb-storage" 60 'while [ -e /sys/bus/usb/devices/1-2 ]; do sleep 1; done; driver 2-3'
control usb query-usb | grep -q '"keys"' && fail "the keyboard is left without its hub"

# The pointer, in pixels of the screen and in the tablet's own units.
guest "^events: ready" 60 'events "vmdesk USB Tablet" 15'
mark
size=$("$vnc_tool" "$(socket usb vnc)" move 7 5 run 1 move 300 200 run 1 move 11 350 run 1 | sed -n 's/^size //p' | tail -n 1)
wait_new "^events: end" 60
width=${size%x*} height=${size#*x}
for point in 7,5 300,200 11,350; do
    x=$((${point%,*} * 32767 / (width - 1))) y=$((${point#*,} * 32767 / (height - 1)))
    results events | grep -q "^3 0 $x$" || fail "the pointer was never at $x of $size: $(results events)"
    results events | grep -q "^3 1 $y$" || fail "the pointer was never at $y of $size: $(results events)"
done
end_usb_machine
