#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The init of the USB tests' guest: the kernel's USB drivers, and a shell on the serial port with
# the work that the tests ask for. Results are lines that begin with the work's name and a colon.
. /setup.sh
mkdir /mnt

# The devices: their place in the tree, speed and name.
list() {
    local device
    for device in /sys/bus/usb/devices/*; do
        [ -e "$device/speed" ] || continue
        echo "list: $(basename "$device") $(cat "$device/speed") $(cat "$device/product")"
    done
    echo "list: end"
}

# disk USB-PATH: the disk at that place
disk() {
    local block
    for block in /sys/block/sd*; do
        case $(readlink -f "$block") in
        */"$1"/"$1":*) echo "/dev/$(basename "$block")" ;;
        esac
    done
}

# driver USB-PATH: of its first interface
driver() {
    echo "driver: $(basename "$(readlink "/sys/bus/usb/devices/$1:1.0/driver")")"
}

# copy DISK MEBIBYTES: writes, reads back past the cache, compares
copy() {
    dd if=/dev/urandom of=/data bs=1M count="$2" 2>/dev/null
    dd if=/data of="$1" bs=1M conv=fsync 2>/dev/null || echo "copy: not written"
    echo 3 >/proc/sys/vm/drop_caches
    dd if="$1" bs=1M count="$2" 2>/dev/null | cmp - /data && echo "copy: same"
    echo "copy: $(sha256sum </data | cut -d ' ' -f 1)"
    rm /data
}

# filesystem DISK: a file that outlasts its file system's being unmounted
filesystem() {
    mount -t ext4 "$1" /mnt && seq 1 100000 >/mnt/numbers.txt && umount /mnt
    mount -t ext4 "$1" /mnt
    echo "filesystem: $(wc -l </mnt/numbers.txt) lines $(tail -n 1 /mnt/numbers.txt)"
    umount /mnt
}

# pull DISK: writes until the disk is pulled out; not by its name, of which dd would make a file once
# it is gone, in the place of the node that comes when it is back
pull() {
    echo "pull: ready"
    while dd if=/dev/zero of=/proc/self/fd/4 bs=64k count=64 conv=fsync 2>/dev/null; do :; done 4<>"$1"
    while [ -b "$1" ]; do sleep 1; done
    echo "pull: gone"
}

# events NAME SECONDS: what an input device of that name reports: type, code, value
events() {
    local input node
    for input in /sys/class/input/event*; do
        [ "$(cat "$input/device/name")" = "$1" ] && node=/dev/input/$(basename "$input")
    done
    cat "$node" >/events &
    sleep 2
    echo "events: ready"
    sleep "$2"
    kill $!
    od -A n -v -t u2 -w24 /events | while read -r _ _ _ _ _ _ _ _ type code value _; do
        echo "events: $type $code $value"
    done
    echo "events: end"
}

# answer TTY: sends back one line in capitals
answer() {
    stty -F "$1" raw -echo
    echo "answer: ready"
    head -n 1 <"$1" | tr a-z A-Z >"$1"
    echo "answer: sent"
}

echo "init: Linux $(uname -r) on $(nproc) processors"
stty -F /dev/ttyS0 -echo
while true; do
    echo "init: shell"
    read -r line </dev/ttyS0 || continue
    eval "$line"
done >/dev/ttyS0 2>&1
