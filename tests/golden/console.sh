#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The console: text modes as text, pictures as half cells, the serial line, and where keys go.
. "${0%/*}/lib.sh"

machine demo <<'EOF'
[machine]
memory = 64M
EOF

# text_screen CURSOR-X LINE...: a screen of 80x25; '@' stands for an escape, '~' for a bell.
text_screen() {
    awk 'BEGIN {
        blank = sprintf("%80s", "")
        attributes = blank; gsub(/ /, "07", attributes)
        title = blank; gsub(/ /, "1f", title)
        printf "{\"screen\": {\"mode\": \"text\", \"guest-width\": 720, \"guest-height\": 400,"
        printf "\"columns\": 80, \"rows\": 25, \"cursor\": {\"x\": %d, \"y\": %d},", ARGV[1], ARGC - 3
        printf "\"text\": ["
        for (i = 0; i < 25; i++)
            printf "%s\"%s\"", i ? "," : "", substr((i + 2 < ARGC ? ARGV[i + 2] : "") blank, 1, 80)
        printf "], \"attributes\": ["
        for (i = 0; i < 25; i++)
            printf "%s\"%s\"", i ? "," : "", i ? attributes : title
        printf "]}, \"stats\": {\"guest-time-ns\": 90000000000, \"vcpus\": []}}"
    }' "$@" | sed 's/@/\\u001b/g; s/~/\\u0007/g'
}

text_screen 6 ' GNU GRUB  version 2.06' '' '   Minimal BASH-like line editing is supported.' \
    '   escapes @[31m and ~ are only characters' '' 'grub> ' | script demo

open_tui 80 24
keys s
wait_for running
keys 2
wait_for 'grub>'
golden console-text
golden_styled console-text-styled

# The guest gets the keys, in order and let go of again.
keys c
wait_for 'keys go to: demo'
golden console-grabbed
typed 'aB'
keys Enter Up F10 C-c M-x
eventually "the keys did not arrive" file_has "$VMDESK_FAKE/demo.keys" "down a
up a
down shift
down b
up b
up shift
down ret
up ret
down up
up up
down f10
up f10
down ctrl
down c
up c
up ctrl
down alt
down x
up x
up alt"
rm "$VMDESK_FAKE/demo.keys"

# The prefix key: Ctrl-Alt-Del, itself, and back. q is the guest's until then.
keys C-]
wait_for 'Ctrl-] then'
keys a
wait_for 'keys go to: demo'
keys C-] ] q C-] d
wait_gone 'keys go to'
eventually "Ctrl-Alt-Del did not arrive" file_has "$VMDESK_FAKE/demo.keys" "down ctrl
down alt
down delete
up delete
up alt
up ctrl
down ctrl
down bracket_right
up bracket_right
up ctrl
down q
up q"

# The screen changes when the guest's does; the view follows the cursor where there is no room.
text_screen 14 ' GNU GRUB  version 2.06' '' '' 'a' 'b' 'c' 'd' 'e' 'f' 'g' 'h' 'i' 'j' 'k' 'l' 'm' \
    'n' 'o' 'p' 'q' 'r' 's' 't' 'grub> echo hi' 'hi after that' | script demo
wait_for 'hi after that'
golden console-follows
resize 40 10
golden console-40x10
resize 140 40
golden console-140x40
resize 80 24
wait_for 'hi after that'

# Full screen, and back by Escape.
keys f
wait_gone '1 Overview'
golden console-full
keys Escape
wait_for '1 Overview'

# The serial line is a terminal.
keys S
wait_for 'serial line of the fake'
keys c
wait_for 'keys go to: demo'
typed 'uptime'
keys Enter
eventually "the serial line got nothing" grep -q uptime "$VMDESK_FAKE/demo.serial"
wait_for uptime
keys C-] d
golden console-serial
keys S

# Pictures: an upper and a lower half in each cell.
{
    printf '{"screen": {"mode": "graphics", "guest-width": 640, "guest-height": 400, "width": 4,'
    printf '"height": 4, "rgb": "%s"}, "stats": {"guest-time-ns": 90000000000, "vcpus": []}}' \
        "$(printf '\377\0\0\0\377\0\0\0\377\377\377\377\0\0\0\0\0\0\0\0\0\0\0\0\200\200\200\200\200\200\377\377\0\0\377\377\377\377\377\377\377\377\377\377\377\377\377\377' | base64)"
} | script demo
wait_for 640x400
golden_styled console-picture
keys q
wait_for '[exit 0]'
open_tui 80 24 --ascii --no-color
keys 2
wait_for 640x400
golden console-picture-ascii
exit 0
