#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's cloud kernel on the software CPU to a shell on its serial port, and work there: forks,
# pipes, MD5, signals, sorting, floating point. With one processor, then on four at once.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/linux.sh" || exit 1
begin
need_file /usr/share/seabios/bios-256k.bin seabios
get_cloud_kernel
get_busybox
make_stress_initramfs "$work/initramfs.gz" "$busybox"
expect_stress

for cpus in 1 4; do
    make_machine linux$cpus --set machine.accel=soft --set machine.memory=512M \
        --set machine.cpus=$cpus --set machine.on-crash=stop \
        --set boot.kernel="$kernel" --set boot.initrd="$work/initramfs.gz" \
        --set boot.cmdline="console=ttyS0 panic=-1" --set serial.file="$work/linux$cpus.log"
    boot_linux linux$cpus
    grep -aq "^init: $cpus processors" "$work/linux$cpus.log" || fail "not $cpus processors"
    run_stress linux$cpus $cpus
    power_off
done
