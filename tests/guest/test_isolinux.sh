#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Discs with ISOLINUX: memtest86+ from the prompt, where a name that is not there is refused, and
# from a menu, whose time runs out. On the software CPU: a KVM that interprets its guests took minutes
# for a few keys at the prompt while the screen was looked at, and seconds without.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_file /usr/share/seabios/bios-256k.bin seabios
command -v xorriso >/dev/null || skip "xorriso is missing: install the package xorriso"
get_package isolinux
isolinux=$package/usr/lib/ISOLINUX/isolinux.bin
get_package syslinux-common
modules=$package/usr/lib/syslinux/modules/bios
get_package memtest86+
memtest=$package/boot/memtest86+x64.bin

# make_disc NAME: with $work/isolinux.cfg, as $work/NAME.iso
make_disc() {
    local root=$work/$1
    mkdir -p "$root/isolinux" || fail "no folder"
    cp "$isolinux" "$modules"/{ldlinux,libcom32,libutil,menu}.c32 "$work/isolinux.cfg" "$root/isolinux/"
    cp "$memtest" "$root/memtest"
    xorriso -as mkisofs -quiet -o "$work/$1.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat \
        -no-emul-boot -boot-load-size 4 -boot-info-table "$root" >"$work/xorriso.log" 2>&1 ||
        fail "xorriso: $(cat "$work/xorriso.log")"
}

cat >"$work/isolinux.cfg" <<'END'
PROMPT 1
SAY Type a name.
DEFAULT none
LABEL test
  LINUX /memtest
END
make_disc prompt
make_machine prompt --iso "$work/prompt.iso" --set machine.accel=soft --set machine.memory=32M
start_machine prompt
wait_screen prompt "Type a name." 300
wait_screen prompt "boot:" 60
"$VMDESK" type prompt 'nosuch\n' || fail "type"
wait_screen prompt "Loading nosuch... failed" 120
"$VMDESK" type prompt 'test\n' || fail "type"
wait_screen prompt "Memtest86" 300
"$VMDESK" stop prompt --force --wait 10 || fail "force off"

cat >"$work/isolinux.cfg" <<'END'
UI menu.c32
MENU TITLE A menu
TIMEOUT 30
LABEL first
  MENU LABEL The first entry
  LINUX /nothing
LABEL test
  MENU LABEL The test of memory
  MENU DEFAULT
  LINUX /memtest
END
make_disc menu
make_machine menu --iso "$work/menu.iso" --set machine.accel=soft --set machine.memory=32M
start_machine menu
wait_screen menu "The first entry" 300
wait_screen menu "Memtest86" 300
