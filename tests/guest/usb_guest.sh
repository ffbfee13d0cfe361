# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What USB tests with a Linux guest share: Debian's kernel with its USB drivers, to a shell on its
# serial port. A test sources it after lib.sh. Packages are unpacked into VMDESK_TEST_CACHE
# (default: vmdesk-tests in the user's cache folder), never installed.
guest_tests=$(dirname "${BASH_SOURCE[0]}")
cache=${VMDESK_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vmdesk-tests}

# In the order of their needs.
usb_modules="usb-common usbcore xhci-hcd xhci-pci scsi_common scsi_mod crct10dif_common
    crct10dif_generic crc-t10dif crc64 crc64_rocksoft_generic crc64-rocksoft t10-pi sd_mod
    usb-storage uas hid usbhid hid-generic evdev cdc-acm libcrc32c crc32c_generic
    crc16 mbcache jbd2 ext4"

# unpack PACKAGE FOLDER: into that folder of the cache
unpack() {
    local log=$work/unpack.log
    [ ! -d "$cache/$2" ] || return 0
    command -v apt-get dpkg-deb >/dev/null || skip "no apt-get and dpkg-deb to get $1"
    mkdir -p "$cache/$2.part" || fail "no cache folder $cache"
    (cd "$cache/$2.part" && apt-get download "$1" && dpkg-deb -x "$1"_*.deb . && rm "$1"_*.deb) \
        >"$log" 2>&1 || skip "$1 cannot be downloaded: $(tail -n 1 "$log")"
    mv "$cache/$2.part" "$cache/$2"
}

# The kernel, in $usb_kernel, and an initial RAM disk, in $usb_initrd
get_usb_guest() {
    local name root=$work/initramfs module file
    name=$(apt-cache depends linux-image-amd64 2>/dev/null |
        sed -n 's/.*Depends: \(linux-image.*\)/\1/p' | head -n 1)
    [ -n "$name" ] || [ -d "$cache/usb-kernel" ] || skip "linux-image-amd64 is not available"
    unpack "$name" usb-kernel
    unpack busybox-static busybox-static
    usb_kernel=$(find "$cache/usb-kernel/boot" -name 'vmlinuz-*')
    usb_initrd=$work/initrd.gz
    mkdir -p "$root/bin" "$root/modules"
    cp "$(find "$cache/busybox-static" -name busybox -type f)" "$root/bin/" || fail "no busybox"
    install -m 755 "$guest_tests/usb_init.sh" "$root/init"
    for module in $usb_modules; do
        file=$(find "$cache/usb-kernel/lib/modules" -name "$module.ko")
        [ -z "$file" ] || { cp "$file" "$root/modules/" && echo "$module" >>"$root/modules/order"; }
    done
    (cd "$root" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$usb_initrd" ||
        fail "no initramfs"
}

# make_usb_machine NAME OPTION...: with that kernel, its serial port in $log
make_usb_machine() {
    log=$work/$1.log
    make_machine "$1" --set machine.accel="${GUEST_ACCEL:-soft}" --set machine.memory=512M \
        --set boot.kernel="$usb_kernel" --set boot.initrd="$usb_initrd" \
        --set boot.cmdline="console=ttyS0 panic=-1 printk.devkmsg=on" --set serial.file="$log" \
        "${@:2}"
}

# boot_usb_machine NAME: to its shell, at which guest types
boot_usb_machine() {
    machine=$1
    start_machine "$1"
    wait_file "$log" "^init: shell" 400
    mkfifo "$work/typed" || fail "no pipe"
    "$VMDESK" console --serial "$1" <"$work/typed" >/dev/null 2>&1 &
    exec {typed}>"$work/typed"
}

# From here on lines are new.
mark() { marked=$(wc -l <"$log"); }

is_new() { tail -n "+$((marked + 1))" "$log" | tr -d '\r' | grep -aq -- "$1"; }

# wait_new PATTERN SECONDS: for a line that is new
wait_new() {
    within "$2" is_new "$1" || {
        tail -n 40 "$log"
        fail "$machine did not show '$1' in $(seconds "$2") s"
    }
}

# guest PATTERN SECONDS COMMAND: types the command and waits for what it shows
guest() {
    mark
    printf '%s\n' "$3" >&"$typed"
    wait_new "$1" "$2"
}

# results NAME: all lines of that work
results() { tr -d '\r' <"$log" | sed -n "s/^$1: //p"; }

end_usb_machine() {
    exec {typed}>&-
    "$VMDESK" stop --force "$machine" >/dev/null || fail "it cannot be forced off"
    within 60 no_engines || fail "the engine does not end"
    grep -aE "BUG:|Oops|WARNING:|Host System Error|HC died|not responding" "$log" &&
        fail "the kernel complains"
    ! grep -qE "CRITICAL|warning" "$(machine_folder "$machine")/engine.log" ||
        fail "the engine complains"
}
