#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A direct-booted Debian cloud kernel: its first line on the serial port. The package is unpacked
# into VMDESK_TEST_CACHE (default: vmdesk-tests in the user's cache folder), never installed.
#
# Where KVM interprets ring 0, unpacking takes minutes and the kernel dies of an instruction that
# KVM lacks, after its first lines or before: then the machine must name it.
. "$(dirname "$0")/lib.sh" || exit 1
cache=${VMDESK_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vmdesk-tests}
package=linux-image-cloud-amd64
begin
need_firmware

# The kernel that the meta package depends on.
kernel=$(find "$cache" -name 'vmlinuz-*-cloud-amd64' 2>/dev/null | sort -V | tail -n 1)
if [ -z "$kernel" ]; then
    command -v apt-get dpkg-deb >/dev/null || skip "no apt-get and dpkg-deb to get $package"
    name=$(apt-cache depends $package 2>/dev/null | sed -n 's/.*Depends: \(linux-image.*\)/\1/p')
    [ -n "$name" ] || skip "the package $package is not available"
    mkdir -p "$cache" || fail "no cache folder $cache"
    (cd "$cache" && apt-get download "$name" && dpkg-deb -x "$name"_*.deb kernel && rm "$name"_*.deb) \
        >"$work/download.log" 2>&1 || skip "$name cannot be downloaded: $(tail -n 1 "$work/download.log")"
    kernel=$(find "$cache" -name 'vmlinuz-*-cloud-amd64' | sort -V | tail -n 1)
fi

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
