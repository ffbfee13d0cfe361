#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A machine whose disk is a qcow2 image on a block device, which its guest fills: the guest is told
# that a write failed, the machine goes on, and the image is good. tests/guest/writer.S is the guest.
. "$(dirname "$0")/lib.sh" || exit 1
begin
[ "${GUEST_ACCEL-}" = soft ] || need_kvm
need_file /usr/share/seabios/bios-256k.bin seabios
need_file "$top/tests/guest/writer.img" "gcc with -m32"
command -v qemu-img losetup python3 >/dev/null || skip "qemu-img, losetup or python3 is missing"
cd "$work" || exit 1

# It writes to 16 MiB of its disk, and has 8. The loop device is gone with its last user.
truncate -s 8M device
device=$(losetup -f --show "$work/device" 2>/dev/null) || skip "there is no loop device to be had"
exec {held}<"$device"
losetup -d "$device"
cp "$top/tests/guest/writer.img" boot.raw && truncate -s 64M boot.raw
qemu-img create -q -f qcow2 "$device" 64M || fail "qemu-img create"
qemu-img convert -n -f raw -O qcow2 boot.raw "$device" || fail "qemu-img convert"

make_machine box --disk "$device" --set disk0.format=qcow2
"$VMDESK" disk snapshot create box:disk0 empty || fail "a snapshot while it is off"
start_machine box
wait_screen box "E" 120
refuses "in use" "$VMDESK" disk check --format qcow2 "$device"
control box query-status | grep -q '"running": true' || fail "the machine does not run any more"
"$VMDESK" disk info box:disk0 | grep -q "size of the disk .*67108864 bytes" || fail "info"
"$VMDESK" disk snapshot delete box:disk0 empty || fail "deleting a snapshot on the full device"
"$VMDESK" stop box --force --wait 20 || fail "stop"

"$VMDESK" disk check --format qcow2 "$device" >/dev/null || fail "the image is damaged"
qemu-img check -q -f qcow2 "$device" || fail "qemu-img finds the image damaged"
qemu-img convert -f qcow2 -O raw "$device" end.raw || fail "qemu-img"
cmp -n 512 end.raw boot.raw || fail "the boot sector is lost"
# Of the first pass, in order: each sector's number, then nothing.
python3 - <<'END' || fail "what the guest wrote is not there"
import struct
written = 0
with open("end.raw", "rb") as disk:
    disk.seek(2048 * 512)
    for sector in range(2048, 34816):
        data = disk.read(512)
        first, at, same, too = struct.unpack("<II", data[:8]) + struct.unpack("<II", data[504:])
        assert (first, at) == (same, too) and (first, at) in ((1, sector), (0, 0)), (sector, first, at)
        written += first
assert 4 << 11 < written < 8 << 11, written
END
