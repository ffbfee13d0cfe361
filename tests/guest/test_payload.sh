#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The multiboot payload tests the devices of a machine with four processors, and is given modules.
. "$(dirname "$0")/lib.sh" || exit 1
payload=$PWD/tests/guest/payload/payload
begin
need_firmware
[ -e "$payload" ] || skip "the compiler makes no 32-bit code: the payload was not built"

# The pattern that payload/ahci.c expects.
awk 'BEGIN {
    for (s = 0; s < 2048; s++)
        for (l = 0; l < 16; l++)
            printf "vmdesk test disk, sector %06d\n", s
}' >"$work/disk.img"
echo "first content" >"$work/first"
echo "second content" >"$work/second"

make_machine m --set machine.cpus=4 --set machine.memory=128M --set machine.on-crash=stop \
    --set disk0.file="$work/disk.img" --set disk0.read-only=yes \
    --set boot.kernel="$payload" --set boot.initrd="$work/first with words, $work/second" \
    --set boot.cmdline="exit=0x501" --set debug.exit-port=1281 \
    --set serial.file="$work/serial.log"
start_machine m
wait_file "$work/serial.log" "^DONE " 120
cat "$work/serial.log"
grep -aq "^FAIL" "$work/serial.log" && fail "the payload found faults"
for name in multiboot pm-timer pit pic rtc local-apic io-apic pci-ports pci-ecam fw-cfg \
    ahci-identify ahci-read ahci-scatter ahci-past-end smp; do
    grep -aq "^PASS $name" "$work/serial.log" || fail "no result of $name"
done
grep -aq "4 processors, counter 4000" "$work/serial.log" || fail "not four processors"
grep -aq 'module ".*first with words", 14 bytes: first content' "$work/serial.log" ||
    fail "the first module"
grep -aq 'module ".*second", 15 bytes: second content' "$work/serial.log" ||
    fail "the second module"
within 10 no_engines || fail "the debug exit port did not end the machine"
