#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's 32-bit kernels on the software CPU, without PAE and with it, to a shell on the serial
# port, and work there.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/linux.sh" || exit 1
begin
need_file /usr/share/seabios/bios-256k.bin seabios
use_i386
get_busybox # its x87 rounds where SSE does not
make_initramfs "$work/initramfs.gz" "$busybox"
expect_stress

for flavour in 686 686-pae; do
    get_kernel linux-image-$flavour "vmlinuz-*[0-9]-$flavour"
    make_machine linux-$flavour --set machine.accel=soft --set machine.memory=512M \
        --set machine.on-crash=stop \
        --set boot.kernel="$kernel" --set boot.initrd="$work/initramfs.gz" \
        --set boot.cmdline="console=ttyS0 panic=-1" --set serial.file="$work/linux-$flavour.log"
    boot_linux linux-$flavour
    grep -aq "^init: 1 processors, i686" "$work/linux-$flavour.log" || fail "it is not 32-bit"
    run_stress linux-$flavour 1
    power_off
done
