#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Firmware and USB: SeaBIOS boots from a stick, by either protocol's port, before a disc that cannot
# boot; UEFI's shell lists it.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_file /usr/share/seabios/bios-256k.bin seabios
need_file /usr/share/seabios/vgabios-stdvga.bin seabios
accel=${GUEST_ACCEL:-soft}

if [ -e tests/guest/keys.img ]; then
    cp tests/guest/keys.img "$work/stick.img"
    truncate -s 4M "$work/stick.img"
    "$VMDESK" disk convert "$work/stick.img" "$work/stick.qcow2" || fail "disk convert"
    make_machine bios --set machine.accel="$accel" --set usb.storage="$work/stick.qcow2" \
        --set usb.storage-format=qcow2 --set serial.file="$work/bios.log" --set debug.console-file="$work/debug.log"
    start_machine bios
    wait_file "$work/bios.log" keys 120
    grep -aq "USB MSC vendor='vmdesk'" "$work/debug.log" || fail "SeaBIOS knows no stick"
    # From the stick's sector, which it read: keys arrive, as PS/2 or USB keys.
    "$VMDESK" type bios 'abc' || fail "type"
    wait_file "$work/bios.log" '^abc$' 60
    "$VMDESK" stop bios --force --wait 10 || fail "force off"
else
    say "the compiler makes no 32-bit code: keys.img was not built"
fi

[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || {
    say "without UEFI: install the package ovmf"
    exit 0
}
truncate -s 4M "$work/uefi.img"
make_machine uefi --set machine.accel="$accel" --set machine.firmware=ovmf \
    --set usb.storage="$work/uefi.img" --set serial.file="$work/uefi.log"
start_machine uefi
# Its mapping table: the xHCI at 14.0 and the port of the stick.
wait_file "$work/uefi.log" "Pci(0x14,0x0)/USB(0x[0-9A-F]*,0x0)" 600
grep -a -m 1 "Pci(0x14,0x0)/USB" "$work/uefi.log"
"$VMDESK" stop uefi --force --wait 10 || fail "force off"
