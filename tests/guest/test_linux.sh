#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A direct-booted Debian cloud kernel: its first line on the serial port.
#
# Where KVM interprets ring 0, unpacking takes minutes and the kernel dies of an instruction that
# KVM lacks, after its first lines or before: then the machine must name it.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_firmware
get_cloud_kernel

head -c 300000 /dev/zero >"$work/initrd"
make_machine linux --set machine.memory=512M --set machine.cpus=2 --set boot.kernel="$kernel" \
    --set boot.initrd="$work/initrd" \
    --set boot.cmdline="console=ttyS0 earlyprintk=ttyS0 panic=-1" \
    --set serial.file="$work/serial.log"
start_machine linux
wait_file "$work/serial.log" "Linux version" 300
grep -a "Linux version" "$work/serial.log"

# What we and the firmware told it arrived.
wait_file "$work/serial.log" "Command line: console=ttyS0 earlyprintk=ttyS0 panic=-1" 60
wait_file "$work/serial.log" "RAMDISK: \[mem " 60
wait_file "$work/serial.log" "DMI: vmdesk" 120
wait_file "$work/serial.log" "ACPI: FACP .*VMDESK" 120
