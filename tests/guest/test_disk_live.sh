#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# "vmdesk disk" on the disks of a running machine, whose guest writes to them all the while. When it
# is over, what the guest wrote must be there: tests/guest/writer.S says how it can be told.
. "$(dirname "$0")/lib.sh" || exit 1
begin
[ "${GUEST_ACCEL-}" = soft ] || need_kvm
need_file /usr/share/seabios/bios-256k.bin seabios
need_file "$top/tests/guest/writer.img" "gcc with -m32"
command -v qemu-img qemu-io python3 >/dev/null || skip "qemu-utils or python3 is missing"
cd "$work" || exit 1

qcow2() { qemu-img "$1" -q -f qcow2 "${@:2}"; }

# The guest's disk is an overlay; the second has much below it, so that work on it takes a while.
cp "$top/tests/guest/writer.img" boot.raw && truncate -s 64M boot.raw
"$VMDESK" disk convert boot.raw base.qcow2 || fail "convert"
"$VMDESK" disk create box.qcow2 --backing base.qcow2 || fail "create"
head -c 1G /dev/zero | tr '\0' x >large.raw
"$VMDESK" disk create slow.qcow2 --backing large.raw || fail "create"
qemu-io -f qcow2 -c 'write -P 7 100M 64k' slow.qcow2 >/dev/null || fail "qemu-io"
qemu-img convert -f qcow2 -O raw slow.qcow2 slow.raw || fail "qemu-img"
"$VMDESK" disk create top.qcow2 --backing slow.qcow2 || fail "create"

make_machine box --disk "$work/box.qcow2" --disk "$work/top.qcow2" \
    --set disk0.format=qcow2 --set disk1.format=qcow2 --set disk1.cache=direct
# Off, it is the file.
"$VMDESK" disk info box:disk0 | grep -q "lies on.*base.qcow2" || fail "info while it is off"
"$VMDESK" disk snapshot create box:disk0 before || fail "a snapshot while it is off"
qemu-img snapshot -l box.qcow2 | grep -q before || fail "the snapshot is not in the file"
"$VMDESK" disk snapshot delete "box:$work/box.qcow2" before 2>/dev/null &&
    fail "what has a slash is a file"
"$VMDESK" disk snapshot delete box:disk0 before || fail "deleting while it is off"

start_machine box
wait_screen box "w" 120

# disk1.cache: past the host's cache, where the file system can.
opened_direct() {
    local fd
    for fd in /proc/"$(engines)"/fd/*; do
        [ "$(readlink "$fd")" = "$work/$1" ] || continue
        [ $((0$(sed -n 's/^flags:[[:space:]]*0*//p' "${fd/fd/fdinfo}") & 040000)) -ne 0 ] && return
    done
    return 1
}
opened_direct top.qcow2 || fail "disk1.cache=direct was not followed"
opened_direct box.qcow2 && fail "disk0 is opened past the cache"

# What it is.
"$VMDESK" disk info box:disk0 --json --chain >info.json || fail "info"
python3 - <<'END' || fail "info tells something else than qemu-img"
import json, subprocess
ours = json.load(open("info.json"))
theirs = json.loads(subprocess.check_output(
    ["qemu-img", "info", "-U", "--output=json", "--backing-chain", "box.qcow2"]))
assert len(ours) == len(theirs) == 2, ours
for our, their in zip(ours, theirs):
    for key in "format", "virtual-size", "cluster-size":
        assert our[key] == their[key], (key, our, their)
assert ours[0]["full-backing-filename"].endswith("/base.qcow2"), ours
END
"$VMDESK" disk info box:disk0 | grep -q "size of the disk .*67108864 bytes" || fail "info for people"

# What cannot be while it runs, and what has its file.
refuses "vmdesk stop box" "$VMDESK" disk snapshot apply box:disk0 one
refuses "vmdesk stop box" "$VMDESK" disk check box:disk0
refuses "vmdesk stop box" "$VMDESK" disk convert box:disk0 copy.qcow2
refuses 'box:disk0' "$VMDESK" disk snapshot create box.qcow2 one
refuses 'in use' "$VMDESK" disk snapshot create box.qcow2 one
refuses 'box:disk1' "$VMDESK" disk resize slow.qcow2 +1M
refuses 'it has disk0, disk1' "$VMDESK" disk info box:disk3
refuses 'no machine' "$VMDESK" disk info none:disk0
"$VMDESK" disk check box:disk0 2>/dev/null
[ $? = 4 ] || fail "the exit status of what the machine's state forbids"

# Snapshots.
for name in one two three; do
    "$VMDESK" disk snapshot create box:disk0 $name || fail "the snapshot $name"
done
refuses "one" "$VMDESK" disk snapshot create box:disk0 one
refuses "Give the snapshot a name" "$VMDESK" disk snapshot create box:disk0 ""
"$VMDESK" disk snapshot rename box:disk0 two second || fail "rename"
refuses "none-such" "$VMDESK" disk snapshot rename box:disk0 none-such other
"$VMDESK" disk snapshot list box:disk0 --tree | grep -q "^3 *    three .*you are here" ||
    fail "the tree: $("$VMDESK" disk snapshot list box:disk0 --tree)"
[ "$(qemu-img snapshot -U -l box.qcow2 | awk '/^[0-9]/ {print $2}' | tr '\n' ' ')" = \
    "one second three " ] || fail "qemu-img lists $(qemu-img snapshot -U -l box.qcow2)"
for name in one 2 three; do
    "$VMDESK" disk snapshot delete box:disk0 $name || fail "deleting $name"
done
[ -z "$("$VMDESK" disk snapshot list box:disk0)" ] || fail "snapshots are left"
[ "$("$VMDESK" disk snapshot list box:disk0 --json)" = "[]" ] || fail "snapshots are left"

# Larger, beside the guest's writes.
refuses "turn the machine off" "$VMDESK" disk resize box:disk0 32M
for size in +512 +1M 96M; do
    "$VMDESK" disk resize box:disk0 $size || fail "resize $size"
done
"$VMDESK" disk info box:disk0 | grep -q "size of the disk .*100663296 bytes" || fail "the size"

# Stopped by a signal, work leaves the disk as it was.
job() { control box query-block-jobs | grep -q "$1"; }
stop_by_signal() {
    "$VMDESK" disk "$1" box:disk1 2>stopped.err &
    pid=$!
    within 60 job "$2" || fail "$1 does not begin"
    kill -INT $pid
    wait $pid
    status=$?
    [ $status = 130 ] || fail "$1 ends with $status when stopped: $(cat stopped.err)"
    within 60 job "^\[\]" || fail "$1 goes on"
}
"$VMDESK" disk snapshot create box:disk1 kept || fail "the snapshot kept"
refuses "flatten the image" "$VMDESK" disk commit box:disk1
stop_by_signal flatten stream
"$VMDESK" disk info box:disk1 | grep -q "lies on.*slow.qcow2" || fail "it does not lie on its base"

# To the end, with a bar.
command -v script >/dev/null && bar="script -qec" || bar="sh -c"
$bar "'$VMDESK' disk flatten box:disk1" bar.txt >bar.out 2>&1 || fail "flatten: $(cat bar.out)"
[ "$bar" = "sh -c" ] || grep -q "Flattening.*\[##.*%" bar.out || fail "no bar: $(cat bar.out)"
refuses "no backing file" "$VMDESK" disk commit box:disk1
"$VMDESK" disk commit box:disk0 || fail "commit"
# While the guest writes, with a snapshot of what it has written.
"$VMDESK" disk snapshot create box:disk0 written || fail "the snapshot written"
"$VMDESK" disk flatten box:disk0 || fail "flatten"
refuses "no backing file" "$VMDESK" disk flatten box:disk0

"$VMDESK" stop box --force --wait 20 || fail "stop"
for image in box base top slow; do
    qcow2 check $image.qcow2 || fail "$image is damaged"
done
qcow2 compare -F raw top.qcow2 slow.raw || fail "the flattened disk reads differently"
qemu-img convert -f qcow2 -O raw -l snapshot.name=kept top.qcow2 kept.raw || fail "qemu-img"
cmp kept.raw slow.raw || fail "the snapshot of the flattened disk reads differently"
qemu-img convert -f qcow2 -O raw box.qcow2 end.raw || fail "qemu-img"
python3 - <<'END' || fail "writes of the guest were lost"
import struct
last = None
with open("end.raw", "rb") as disk:
    disk.seek(2048 * 512)
    passes = []
    for sector in range(2048, 34816):
        data = disk.read(512)
        first, at, same, too = struct.unpack("<II", data[:8]) + struct.unpack("<II", data[504:])
        assert (first, at) == (same, too), (sector, first, at, same, too)
        assert at == sector or first == 0, (sector, at)
        passes.append(first)
falls = [i for i in range(1, len(passes)) if passes[i] != passes[i - 1]]
assert len(falls) <= 1, falls[:10]
assert all(passes[i] == passes[i - 1] - 1 for i in falls), passes[falls[0] - 1:falls[0] + 1]
assert passes[0] > 1, passes[0]
END
