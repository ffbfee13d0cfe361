# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# What tests of Linux guests share: kernels, an initial RAM disk, a shell on the serial port, and work
# there whose results are the host's. A test sources it after lib.sh.
guest_tests=$(dirname "$0")

# get_busybox: a static one that runs here too, in $busybox
get_busybox() {
    get_package busybox-static
    busybox=$package/bin/busybox
    [ -x "$busybox" ] || busybox=$package/usr/bin/busybox
    "$busybox" true || skip "$busybox does not run here"
}

# Debian's kernel for any computer, in $kernel; its drivers are modules
get_full_kernel() {
    get_kernel linux-image-amd64 'vmlinuz-*[0-9]-amd64'
    modules=${kernel%/boot/*}/lib/modules
}

# begin_initramfs BUSYBOX INIT: in the folder $initramfs, to which more may be added
begin_initramfs() {
    initramfs=$work/initramfs
    rm -rf "$initramfs"
    mkdir -p "$initramfs/bin"
    cp "$1" "$initramfs/bin/busybox" && install -m 755 "$2" "$initramfs/init" || fail "no initramfs"
}

# add_modules NAME...: in the order of their needs, which modules/order tells; those that the kernel
# has built in are left out. An init loads them by ". /setup.sh".
add_modules() {
    local name file
    mkdir -p "$initramfs/modules"
    cp "$guest_tests/setup.sh" "$initramfs/setup.sh" || fail "no initramfs"
    for name; do
        file=$(find "$modules" -name "$name.ko")
        [ -z "$file" ] || { cp "$file" "$initramfs/modules/" && echo "$name" >>"$initramfs/modules/order"; }
    done
}

# end_initramfs FILE
end_initramfs() {
    (cd "$initramfs" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$1" || fail "no initramfs"
}

# make_stress_initramfs FILE BUSYBOX: the tests' init and work
make_stress_initramfs() {
    begin_initramfs "$2" "$guest_tests/stress_init.sh"
    install -m 755 "$guest_tests/stress.sh" "$initramfs/stress.sh"
    end_initramfs "$1"
}

# The host's results of the work, in $work/expected
expect_stress() {
    local tools=$work/tools tool
    mkdir -p "$tools"
    for tool in $("$busybox" --list); do
        ln -s "$busybox" "$tools/$tool"
    done
    PATH=$tools sh "$guest_tests/stress.sh" >"$work/expected" 2>/dev/null
    [ "$(wc -l <"$work/expected")" = 9 ] || fail "the work does not run here: $(cat "$work/expected")"
}

# open_serial MACHINE: what is written to $serial is typed at its serial port, until it ends
open_serial() {
    rm -f "$work/serial"
    mkfifo "$work/serial" || fail "no pipe"
    "$VMDESK" console --serial "$1" <"$work/serial" >/dev/null 2>&1 &
    exec {serial}>"$work/serial"
}

serial_type() { printf '%s\n' "$1" >&"$serial"; }

# boot_linux MACHINE: to the shell, $serial being its port, and shows how long it took
boot_linux() {
    local start=$SECONDS version
    start_machine "$1"
    wait_file "$work/$1.log" "Linux version" 300
    version=$((SECONDS - start))
    wait_file "$work/$1.log" "^init: " 300
    say "$(grep -a "^init: " "$work/$1.log" | tr -d '\r'); its first line after $version s, its shell" \
        "after $((SECONDS - start)) s"
    open_serial "$1"
    # shellcheck disable=SC2016 # for the guest's shell
    serial_type 'echo "the answer is $((6 * 7))"'
    wait_file "$work/$1.log" "^the answer is 42" 30
}

# run_stress MACHINE COUNT: the work so many times at once
run_stress() {
    local start=$SECONDS i
    serial_type "stress $2"
    wait_file "$work/$1.log" "^stress done" 600
    say "the work of $2 at once took $((SECONDS - start)) s"
    for ((i = 0; i < $2; i++)); do
        tr -d '\r' <"$work/$1.log" | sed -n "s/^stress $i: //p" >"$work/result-$i"
        diff "$work/expected" "$work/result-$i" || fail "the guest's results are not the host's"
    done
    grep -aE "BUG:|Oops|WARNING:|segfault|traps:|general protection|soft lockup|rcu.*stall" \
        "$work/$1.log" && fail "the kernel complains"
}

# from its shell
power_off() {
    serial_type "poweroff -f"
    exec {serial}>&-
    within 60 no_engines || fail "poweroff does not end the machine"
}
