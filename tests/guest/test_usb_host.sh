#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A device of the host in a Linux guest, all the way: the scripted device, a usbfs, libusb, the xHCI,
# the kernel's drivers. Written, read back and compared; pulled out in the midst of writing, back by
# its rule; detached and attached; and one that usbredir serves.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/usb_guest.sh" || exit 1
begin
need_file /usr/share/seabios/bios-256k.bin seabios
get_usb_guest
on_usb_host

make_usb_machine host --set "usb.rules=1234:0001 always"
boot_usb_machine host
wait_file "$log" "sda.*Attached SCSI" 60
guest "^list: end" 60 list
results list | grep -q "480 Scripted device" || fail "no device: $(results list)"
path=$(results list | sed -n 's/ 480 Scripted device//p')
"$VMDESK" usb list | grep -q "^1-2 .*; machine host" || fail "nobody knows who has it"
device drivers=0 || fail "the host's driver has it too"

guest "^sum: $SUM" 100 "mount -t ext4 -o ro \$(disk $path) /mnt; echo sum: \$(sha256sum </mnt/data); umount /mnt"
guest "^copy: [0-9a-f]\{64\}" 300 "copy \$(disk $path) 16"
copied "$USBFS_DISK" 16 1
play "delay 5"
guest "^copy: [0-9a-f]\{64\}" 100 "copy \$(disk $path) 1"
copied "$USBFS_DISK" 1 2
play "delay 0"

# Pulled out while it writes: an error there, and all else goes on. Plugged in, it is back.
guest "^pull: ready" 20 "pull \$(disk $path)"
sleep 2
play unplug
wait_file "$log" "^pull: gone" 60
play plug
guest "^driver: usb-storage" 60 "while [ -z \"\$(disk $path)\" ]; do sleep 1; done; driver $path"
guest "^copy: [0-9a-f]\{64\}" 100 "copy \$(disk $path) 4"
copied "$USBFS_DISK" 4 3

# By hand.
"$VMDESK" usb detach host 1-2 || fail "it cannot be detached"
within 20 device drivers=1 || fail "the host does not have it back"
guest "^list: end" 60 "while [ -e /sys/bus/usb/devices/$path ]; do sleep 1; done; list"
refuses "has no USB device" "$VMDESK" usb detach host 1-2
"$VMDESK" usb attach host 1234:0001:SN%20001 || fail "it cannot be attached"
guest "^driver: usb-storage" 60 "while [ -z \"\$(disk $path)\" ]; do sleep 1; done; driver $path"

# From elsewhere.
truncate -s 8M "$work/remote.img"
tests/usb/redir_peer unix "$work/peer" "$work/remote.img" >"$work/peer.log" &
peer=$!
wait_file "$work/peer.log" ready 20
"$VMDESK" usb attach host "unix:$work/peer" || fail "the remote device cannot be attached"
guest "^list: end" 60 "while [ \$(cat /sys/bus/usb/devices/*/product | grep -c Scripted) -lt 2 ]; do sleep 1; done; list"
far=$(results list | grep "480 Scripted device" | tail -n 1 | cut -d ' ' -f 1)
guest "^copy: [0-9a-f]\{64\}" 100 "while [ -z \"\$(disk $far)\" ]; do sleep 1; done; copy \$(disk $far) 4"
copied "$work/remote.img" 4 4
kill -9 $peer
guest "^list: end" 60 "while [ -e /sys/bus/usb/devices/$far ]; do sleep 1; done; list"
control host query-usb-hosts | grep -q unix: && fail "the remote device is still there"
end_usb_machine
within 20 device drivers=1 || fail "the host does not have it back"
