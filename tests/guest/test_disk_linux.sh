#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The disks of a Linux guest on the software CPU: they become larger while it runs, and it finds out.
# Then the engine is killed: what was written through is there, though the guest never asked for that.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/linux.sh" || exit 1
begin
need_file /usr/share/seabios/bios-256k.bin seabios
command -v qemu-img qemu-io >/dev/null || skip "qemu-img or qemu-io is missing: install qemu-utils"
get_full_kernel
get_busybox
begin_initramfs "$busybox" "$guest_tests/disk_init.sh"
add_modules scsi_common scsi_mod libata libahci ahci crct10dif_common crct10dif_generic crc-t10dif \
    crc64 crc64_rocksoft_generic crc64-rocksoft t10-pi sd_mod
end_initramfs "$work/initramfs.gz"
cd "$work" || exit 1

for name in disk0 through back; do
    "$VMDESK" disk create $name.qcow2 64M || fail "create"
done
truncate -s 64M disk1.raw
log=$work/guest.log
make_machine guest --set machine.accel=soft --set machine.memory=256M \
    --disk "$work/disk0.qcow2" --set disk0.format=qcow2 --disk "$work/disk1.raw" \
    --disk "$work/through.qcow2" --set disk2.format=qcow2 --set disk2.cache=writethrough \
    --disk "$work/back.qcow2" --set disk3.format=qcow2 \
    --set boot.kernel="$kernel" --set boot.initrd="$work/initramfs.gz" \
    --set boot.cmdline="console=ttyS0 panic=-1" --set serial.file="$log"
boot_linux guest

# guest_does COMMAND PATTERN: at its shell, until it shows a line that begins so
guest_does() {
    serial_type "$1"
    wait_file "$log" "^$2" 90
}

guest_does "fill 0 63 a" "filled: disk0 63 a"
guest_does "fill 1 63 b" "filled: disk1 63 b"
"$VMDESK" disk snapshot create guest:disk0 small || fail "a snapshot"

# Larger, and no smaller.
"$VMDESK" disk resize guest:disk0 128M || fail "disk0 does not become larger"
"$VMDESK" disk resize guest:disk1 +32M || fail "disk1 does not become larger"
refuses "cannot become smaller while the machine runs: turn the machine off" \
    "$VMDESK" disk resize guest:disk0 64M
refuses "disks of machines that are off" "$VMDESK" disk resize guest:disk0 64M --shrink
refuses "disks of machines that are off" "$VMDESK" disk resize guest:disk1 1G --preallocation full
refuses "multiple of 512" "$VMDESK" disk resize guest:disk1 +100
"$VMDESK" disk resize guest:disk1 64M 2>/dev/null
[ $? = 4 ] || fail "the exit status of what the machine's state forbids"
[ "$(stat -c %s disk1.raw)" = $((96 << 20)) ] || fail "disk1.raw has $(stat -c %s disk1.raw) bytes"
"$VMDESK" disk info guest:disk0 | grep -q "size of the disk .*134217728 bytes" || fail "info"

# A disk in use goes on as it was, until the guest lets go of it and looks for it again.
guest_does "size 0 before; size 1 before" "size: disk1 131072 before"
grep -aq "^size: disk0 131072 before" "$log" || fail "the disk has another size under the guest"
guest_does "fill 0 1 c" "filled: disk0 1 c"
for disk in 0 1; do
    serial_type "again $disk; size $disk after"
done
wait_file "$log" "^size: disk0 262144 after" 90
wait_file "$log" "^size: disk1 196608 after" 90
guest_does "fill 0 127 d" "filled: disk0 127 d"
guest_does "fill 1 95 e" "filled: disk1 95 e"
guest_does "sync; echo \"synced: \$((1))\"" "synced: 1"

# The snapshot is of a smaller disk.
"$VMDESK" disk snapshot create guest:disk0 large || fail "a snapshot of the larger disk"
[ "$("$VMDESK" disk snapshot list guest:disk0 --json | tr -d ' \n' |
    grep -o '"virtual-size":[0-9]*' | cut -d: -f2 | tr '\n' ' ')" = "67108864 134217728 " ] ||
    fail "the snapshots' sizes: $("$VMDESK" disk snapshot list guest:disk0 --json)"

# Written, and not flushed: that ends with the last of a disk's users, but asks for nothing.
guest_does "fill 2 10 f" "filled: disk2 10 f"
guest_does "fill 3 10 f" "filled: disk3 10 f"
kill -KILL "$(engines)"
within 20 no_engines || fail "the engine is still there"
exec {serial}>&-
holds() { qemu-io -r -f "$1" -c "read -P 0x$3 $4M 1M" "$2" | grep -q "read 1048576/1048576" &&
    ! qemu-io -r -f "$1" -c "read -P 0x$3 $4M 1M" "$2" | grep -q "Pattern verification failed"; }
holds qcow2 through.qcow2 66 10 || fail "disk2 has lost what was written through"
# The tables of the other were in the engine's memory alone, or this would show nothing.
holds qcow2 back.qcow2 66 10 && fail "disk3 was brought to the file, though nobody asked for it"
qemu-img check -q -f qcow2 through.qcow2 || fail "disk2 is damaged: $(qemu-img check through.qcow2)"

# What was there before the disks became larger, and after.
for image in disk0 back; do
    "$VMDESK" disk check --repair $image.qcow2 >/dev/null || fail "$image is damaged"
    qemu-img check -q -f qcow2 $image.qcow2 || fail "$image is damaged"
done
holds qcow2 disk0.qcow2 61 63 && holds qcow2 disk0.qcow2 63 1 && holds qcow2 disk0.qcow2 64 127 ||
    fail "disk0 does not hold what was written"
holds raw disk1.raw 62 63 && holds raw disk1.raw 65 95 || fail "disk1 does not hold what was written"
"$VMDESK" disk snapshot apply disk0.qcow2 small || fail "going back"
"$VMDESK" disk info disk0.qcow2 | grep -q "size of the disk .*67108864 bytes" ||
    fail "the snapshot has another size: $("$VMDESK" disk info disk0.qcow2)"
qemu-img check -q -f qcow2 disk0.qcow2 || fail "disk0 is damaged"
