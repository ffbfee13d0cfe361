#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Work on the disks of a running machine: snapshots, making an overlay independent of its base, and
# bringing an overlay's data into its base; the guest reads its disk meanwhile. On the software CPU: on
# a KVM that interprets its guests GRUB's menu may take minutes to look at the keyboard.
. "$(dirname "$0")/lib.sh" || exit 1
disc=/usr/lib/grub-rescue/grub-rescue-cdrom.iso
begin
need_firmware
need_file $disc grub-rescue-pc
command -v qemu-img qemu-io >/dev/null || skip "qemu-img or qemu-io is missing: install qemu-utils"

# The disc ends with padding.
end=$(($(stat -c %s $disc) - 64 * 1024))

# new_chain NAME: an overlay on a copy of the disc, with data of its own at the end
new_chain() {
    "$VMDESK" disk convert --format raw --target-format qcow2 $disc "$work/$1-base.qcow2" ||
        fail "convert"
    "$VMDESK" disk create --backing "$work/$1-base.qcow2" --backing-format qcow2 \
        "$work/$1.qcow2" || fail "the overlay"
    qemu-io -f qcow2 -c "write -P 7 $end 64k" "$work/$1.qcow2" >/dev/null || fail "qemu-io"
    qemu-img convert -f qcow2 -O raw "$work/$1.qcow2" "$work/$1.raw" || fail "qemu-img"
}

no_jobs() { [ "$(control jobs query-block-jobs)" = "[]" ]; }
snapshots() { control jobs query-snapshots "{\"device\":\"disk0\"}"; }

new_chain first
new_chain second
make_machine jobs --disk "$work/first.qcow2" --disk "$work/second.qcow2" \
    --set machine.accel=soft --set disk0.format=qcow2 --set disk1.format=qcow2
start_machine jobs
wait_screen jobs "for a command-line" 300

for name in one two; do
    control jobs blockdev-snapshot-internal-sync "{\"device\":\"disk0\",\"name\":\"$name\"}" \
        >/dev/null || fail "the snapshot $name"
done
snapshots | grep -q '"parent": *"1"' || fail "the second has no parent: $(snapshots)"
refuses "snapshot" control jobs blockdev-snapshot-internal-sync \
    '{"device":"disk0","name":"one"}'
for name in one two; do
    control jobs blockdev-snapshot-delete-internal-sync \
        "{\"device\":\"disk0\",\"name\":\"$name\"}" >/dev/null || fail "deleting $name"
done

control jobs block-stream '{"device":"disk0"}' >/dev/null || fail "block-stream"
control jobs block-commit '{"device":"disk1"}' >/dev/null || fail "block-commit"
within 60 no_jobs || fail "the work does not end: $(control jobs query-block-jobs)"
# The guest lives on. Where it is slow its menu boots the first entry before it looks at the keyboard;
# that fails, takes any key, and comes back to the menu.
for _ in 1 2 3 4; do
    "$VMDESK" type jobs c || fail "type"
    "$VMDESK" screen jobs --wait "grub>" --timeout "$(seconds 45)" >/dev/null 2>&1 && break
done
wait_screen jobs "grub>" 10
refuses "no disk3" control jobs block-stream '{"device":"disk3"}'

"$VMDESK" stop jobs --force || fail "stop"
within 20 no_engines || fail "the engine is still there"
qemu-img info "$work/first.qcow2" | grep -q "backing file" && fail "it still lies on its base"
for image in first second second-base; do
    qemu-img check -q -f qcow2 "$work/$image.qcow2" || fail "$image is damaged"
    qemu-img compare -q -f qcow2 -F raw "$work/$image.qcow2" "$work/${image%-base}.raw" ||
        fail "$image reads differently"
done
