#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A desktop on the software CPU: Debian's graphical installer to its list of languages, which the
# picture shows over VNC; a click on its button and a key move it on.
. "$(dirname "$0")/lib.sh" || exit 1
gtk=usr/lib/debian-installer/images/12/amd64/gtk/debian-installer/amd64
begin
need_file /usr/share/seabios/bios-256k.bin seabios
get_package debian-installer-12-netboot-amd64 $gtk/linux $gtk/initrd.gz

make_machine desktop --set machine.accel=soft --set machine.memory=1G \
    --set boot.kernel="$package/$gtk/linux" --set boot.initrd="$package/$gtk/initrd.gz" \
    --set boot.cmdline="vga=788 --- quiet"
vnc=$(socket desktop vnc)
start_machine desktop

# region X Y WIDTH HEIGHT: what vnc_tool says of a part of the screen, as $colour, $percent, $colours
# and $sum; false when the screen is too small for it
region() {
    local line
    line=$("$vnc_tool" "$vnc" run 2 region "$@" 2>/dev/null | grep '^region') || return
    read -r _ colour percent colours sum <<<"$line"
}

# The banner is a picture; below it stands a title and a white list with a row that is selected.
banner() { region 0 0 1024 70 && [ "$colours" -gt 200 ]; }
list() { region 22 180 960 520 && [ "$colour" = ffffff ] && [ "$percent" -ge 60 ] && [ "$colours" -gt 20 ]; }
at_a_list() {
    banner && list && region 18 86 400 18 && [ "$colours" -gt 2 ] && [ "$sum" != "$before" ]
}

before=
within 1800 at_a_list || fail "no list of languages: region $colour $percent $colours"
say "the first screen after $SECONDS s"
first=$sum

# pointer_at X Y: moves it there, and looks at what is around it.
pointer_at() {
    "$vnc_tool" "$vnc" move "$1" "$2" run 1 >/dev/null && region $(($1 - 20)) $(($2 - 20)) 40 40
}

# The tablet is absolute: on the white of the list the tip of the pointer, which is black, is just
# where the viewer's is; the pointer is whole, and not left where it was.
pointer=
for place in "700 300" "811 557" "943 641" "702 301"; do
    # shellcheck disable=SC2086 # words
    pointer_at $place && [ "$sum" = "${pointer:=$sum}" ] || fail "the pointer is not at $place"
    # shellcheck disable=SC2086
    region $place 1 1 && [ "$colour" = 000000 ] || fail "the pointer's tip is not at $place"
done
region 791 537 40 40 && [ "$colours" -eq 1 ] || fail "a pointer is left at 811, 557"
say "the pointer is where the viewer's is after $SECONDS s"

# On the button "Continue".
"$vnc_tool" "$vnc" move 975 743 run 1 click run 1 >/dev/null || fail "the click"
before=$first
within 600 at_a_list || fail "the click does not lead to the next screen"
say "the click led on after $SECONDS s"
second=$sum

"$vnc_tool" "$vnc" type '\n' run 1 >/dev/null || fail "the key"
before=$second
within 600 at_a_list || fail "the key does not lead to the next screen"
[ "$sum" != "$first" ] || fail "the key led back"
say "the key led on after $SECONDS s"
