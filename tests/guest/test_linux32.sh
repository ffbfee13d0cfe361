#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 32-bit programs on the software CPU, to a shell on the serial port, and work there: on Debian's
# 32-bit kernels, without PAE and with it, and in compatibility mode on a 64-bit one.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/linux.sh" || exit 1
begin
need_file /usr/share/seabios/bios-256k.bin seabios
get_cloud_kernel
kernel64=$kernel
use_i386
get_busybox # its x87 rounds where SSE does not
make_stress_initramfs "$work/initramfs.gz" "$busybox"
expect_stress

# run_linux NAME MACHINE-TYPE: on the kernel $kernel, which is of that type
run_linux() {
    make_machine "$1" --set machine.accel=soft --set machine.memory=512M \
        --set machine.on-crash=stop \
        --set boot.kernel="$kernel" --set boot.initrd="$work/initramfs.gz" \
        --set boot.cmdline="console=ttyS0 panic=-1" --set serial.file="$work/$1.log"
    boot_linux "$1"
    grep -aq "^init: 1 processors, $2" "$work/$1.log" || fail "it is no $2"
    run_stress "$1" 1
    power_off
}

for flavour in 686 686-pae; do
    get_kernel linux-image-$flavour "vmlinuz-*[0-9]-$flavour"
    run_linux linux-$flavour i686
done
kernel=$kernel64
run_linux linux-amd64 x86_64
