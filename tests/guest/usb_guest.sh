# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of lib.sh and linux.sh
# What USB tests with a Linux guest share: Debian's kernel with its USB drivers, to a shell on its
# serial port. A test sources it after lib.sh.
. "$(dirname "$0")/linux.sh" || exit 1

# In the order of their needs.
usb_modules="usb-common usbcore xhci-hcd xhci-pci scsi_common scsi_mod crct10dif_common
    crct10dif_generic crc-t10dif crc64 crc64_rocksoft_generic crc64-rocksoft t10-pi sd_mod
    usb-storage uas hid usbhid hid-generic evdev cdc-acm libcrc32c crc32c_generic
    crc16 mbcache jbd2 ext4"

# The kernel, and an initial RAM disk
get_usb_guest() {
    get_full_kernel
    get_busybox
    begin_initramfs "$busybox" "$guest_tests/usb_init.sh"
    # shellcheck disable=SC2086 # one a module
    add_modules $usb_modules
    end_initramfs "$work/initramfs.gz"
}

# on_usb_host [--simple]: runs the test again where the scripted device is, and ends, if it is not
# there: with a file system on its disk, the image $USBFS_DISK, that has a file "data" of the
# checksum $SUM.
on_usb_host() {
    [ -z "${USBFS_DISK:-}" ] || return 0
    [ -x tests/usb/fuse_usbfs ] || skip "tests/usb/fuse_usbfs is not built: install libfuse3-dev"
    truncate -s 32M "$work/host.img"
    mkdir "$work/contents"
    head -c 6000000 /dev/urandom >"$work/contents/data"
    PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -d "$work/contents" "$work/host.img" ||
        skip "mke2fs cannot make a file system: install e2fsprogs"
    export SUM=$(sha256sum <"$work/contents/data" | cut -d ' ' -f 1)
    USBFS_DISK=$work/host.img tests/usb/fuse_usbfs "$@" --disk "$work/host.img" "$0"
    exit $?
}

play() { echo "$1" >/dev/bus/usb/script; }
device() { grep -q "$1" /dev/bus/usb/script; }
# digest IMAGE MEBIBYTES: of what is on it
digest() { head -c "${2}M" "$1" | sha256sum | cut -d ' ' -f 1; }
# copied IMAGE MEBIBYTES TIMES: so often it was the same, and the image has it
copied() {
    [ "$(results copy | grep -c "^same")" = "$3" ] || fail "the disk gives back something else"
    [ "$(results copy | tail -n 1)" = "$(digest "$1" "$2")" ] || fail "the image differs"
}

# make_usb_machine NAME OPTION...: with that kernel, its serial port in $log
make_usb_machine() {
    log=$work/$1.log
    make_machine "$1" --set machine.accel="${GUEST_ACCEL:-soft}" --set machine.memory=512M \
        --set boot.kernel="$kernel" --set boot.initrd="$work/initramfs.gz" \
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
