#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# This computer's own programs - compiler, interpreters, packers - on the disk of a Linux guest with
# two software processors: what they make there is what they make here, to the bit.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/linux.sh" || exit 1
begin
need_file /usr/share/seabios/bios-256k.bin seabios
command -v apt-cache dpkg >/dev/null || skip "no apt-cache and dpkg to ask for the programs' files"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
get_full_kernel
get_busybox
begin_initramfs "$busybox" "$guest_tests/programs_init.sh"
add_modules scsi_common scsi_mod libata libahci ahci crct10dif_common crct10dif_generic crc-t10dif \
    crc64 crc64_rocksoft_generic crc64-rocksoft t10-pi sd_mod libcrc32c crc32c_generic crc16 \
    mbcache jbd2 ext4
end_initramfs "$work/initramfs.gz"

# The work, here.
root=$work/root
mkdir -p "$root/programs" "$root/proc" "$root/dev" "$root/tmp" "$work/here"
cp "$guest_tests/programs.sh" "$guest_tests/programs.c" "$root/programs"
cp "$guest_tests/programs.c" "$work/here"
(cd "$work/here" && bash "$root/programs/programs.sh") >"$work/expected"
[ "$(grep -c '^O[0-3]: [a-z0-9]* ' "$work/expected")" = 32 ] ||
    fail "the work does not run here: $(cat "$work/expected")"

# The packages of its programs, with all that they need; the folders that Debian merged are one.
apt_cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances bash binutils coreutils diffutils gcc gzip libc6-dev mawk \
    perl-base python3 sed xz-utils | grep '^[a-z]' | sort -u >"$work/packages"
for folder in bin sbin lib lib64; do
    mkdir -p "$root/usr/$folder"
    ln -s "usr/$folder" "$root/$folder"
done
# Paths that are excluded from a computer's packages are listed and not there.
xargs dpkg -L <"$work/packages" 2>/dev/null | grep -vE '^/usr/share/|^/var/|^/\.$' | sort -u |
    sed 's,^/,,' | tar -C / --no-recursion --ignore-failed-read -T - -cf - usr/bin/awk \
    etc/alternatives/awk 2>/dev/null |
    tar -C "$root" --keep-directory-symlink --no-same-owner -xf - || fail "the programs cannot be copied"
truncate -s 1G "$work/root.raw"
/sbin/mke2fs -q -t ext4 -d "$root" "$work/root.raw" || skip "no mke2fs: install the package e2fsprogs"
"$VMDESK" disk convert "$work/root.raw" "$work/root.qcow2" >/dev/null || fail "no disk"
rm -rf "$root" "$work/root.raw"

log=$work/serial.log
make_machine programs --set machine.accel=soft --set machine.memory=1G --set machine.cpus=2 \
    --set disk0.file="$work/root.qcow2" --set disk0.format=qcow2 \
    --set boot.kernel="$kernel" --set boot.initrd="$work/initramfs.gz" \
    --set boot.cmdline="console=ttyS0 panic=-1" --set serial.file="$log"
start=$SECONDS
start_machine programs
within 1200 no_engines || fail "the guest does not end: $(tail -n 20 "$log")"
say "the guest's life took $((SECONDS - start)) s"
tr -d '\r' <"$log" | sed -n 's/^result: //p' >"$work/results"
diff "$work/expected" "$work/results" || fail "the guest's results are not this computer's"
grep -aq "^end: clean" "$log" || fail "the guest's disk was not unmounted: $(tail -n 20 "$log")"
grep -aE "BUG:|Oops|WARNING:|segfault|traps:|general protection|soft lockup|rcu.*stall|EXT4-fs error|ata1.*(failed|exception)" "$log" &&
    fail "the kernel complains"

# What is on the disk is a file system in good order, and what is in it is what the guest wrote.
"$VMDESK" disk check "$work/root.qcow2" >/dev/null || fail "the image is damaged"
"$VMDESK" disk convert "$work/root.qcow2" "$work/root.raw" >/dev/null || fail "no raw image"
/sbin/e2fsck -fn "$work/root.raw" >"$work/fsck.log" 2>&1 || fail "the file system is damaged: $(cat "$work/fsck.log")"
for file in numbers numbers.gzip numbers.xz programs-2.o; do
    /sbin/debugfs -R "cat /programs/$file" "$work/root.raw" 2>/dev/null | cmp - "$work/here/$file" ||
        fail "$file is not what it is here"
done
