#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# OVMF from its flash, to its shell or boot manager, which it shows in graphics: the mode and that its
# picture is not blank tell. Under a KVM that interprets ring 0 it gets there only by the software
# CPU, which executes what KVM lacks.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_file /usr/share/OVMF/OVMF_CODE_4M.fd ovmf
need_file /usr/share/OVMF/OVMF_VARS_4M.fd ovmf
need_file /usr/share/seabios/vgabios-stdvga.bin seabios

make_machine uefi --set machine.firmware=ovmf
start_machine uefi
vars=$(machine_folder uefi)/ovmf-vars.fd
[ "$(stat -c %s "$vars")" = 540672 ] || fail "no copy of the variables in the machine's folder"

settled() {
    "$VMDESK" screen uefi 2>&1 | grep -q "mode graphics" || return
    # A blank picture of this size packs into some 3 KB; the shell's text into more than 4.
    "$VMDESK" screenshot uefi "$work/screen.png" && [ "$(stat -c %s "$work/screen.png")" -gt 4000 ]
}
within 120 settled || fail "neither a shell nor a boot manager"
control uefi query-stats | grep handed-off
