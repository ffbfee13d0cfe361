#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A device elsewhere in a Linux guest, all the way: the scripted device, a usbfs, a stock usbredirect
# with a stock libusb, the xHCI, the kernel's drivers. Read, written, read back and compared, over a
# connection that the machine makes and over one that usbredirect makes; the end of the one, and the
# unplugging in the midst of writing of the other, are the device's going.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/usb_guest.sh" || exit 1
begin
need_file /usr/share/seabios/bios-256k.bin seabios
command -v usbredirect >/dev/null || skip "usbredirect is missing: install the package usbredirect"
get_usb_guest
on_usb_host --simple

where=127.0.0.1:4321
# serve HOW: --as, it listens, or --to, it connects
serve() {
    usbredirect --device 1234:0001 "$1" $where >"$work/peer.log" 2>&1 &
    peer=$!
}
attach() { "$VMDESK" usb attach redir "$1:$where" >"$work/attach.log" 2>&1; }
# The place of the disk, in $path
find_disk() {
    guest "^list: end" 60 "until grep -q Scripted /sys/bus/usb/devices/*/product; do sleep 1; done; list"
    path=$(results list | sed -n 's/ 480 Scripted device//p' | tail -n 1)
    [ -n "$path" ] || fail "no device: $(results list)"
    guest "^driver: usb-storage" 60 "while [ -z \"\$(disk $path)\" ]; do sleep 1; done; driver $path"
}

make_usb_machine redir
boot_usb_machine redir

serve --as
within 20 attach tcp || fail "it cannot be attached: $(cat "$work/attach.log" "$work/peer.log")"
device drivers=0 || fail "the host's driver has it too"
find_disk
guest "^sum: $SUM" 100 "mount -t ext4 -o ro \$(disk $path) /mnt; echo sum: \$(sha256sum </mnt/data); umount /mnt"
guest "^copy: [0-9a-f]\{64\}" 300 "copy \$(disk $path) 8"
copied "$USBFS_DISK" 8 1
kill $peer
guest "^list: end" 60 "while [ -e /sys/bus/usb/devices/$path ]; do sleep 1; done; list"
wait $peer
control redir query-usb-hosts | grep -q tcp && fail "the remote device is still there"

attach tcp-listen &
attaching=$!
connected() {
    serve --to
    within 2 device claimed=7
}
within 20 connected || fail "it cannot connect: $(cat "$work/peer.log")"
wait $attaching || fail "it cannot be attached: $(cat "$work/attach.log" "$work/peer.log")"
find_disk
guest "^copy: [0-9a-f]\{64\}" 300 "copy \$(disk $path) 2"
copied "$USBFS_DISK" 2 2
guest "^pull: ready" 20 "pull \$(disk $path)"
sleep 2
play unplug
wait_file "$log" "^pull: gone" 60
end_usb_machine
