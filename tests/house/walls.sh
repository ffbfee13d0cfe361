#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The walls of the house (HACKING.md): which folder may include what.
set -u
cd "${srcdir:-.}" || exit 99

failed=0

# wall TEXT REGEX FOLDER...: no C source in the folders, but for those named in $except (a pattern
# of file names), has a line that matches.
wall() {
    text=$1
    regex=$2
    shift 2
    hits=$(grep -rnE --include='*.[ch]' "$regex" "$@" | grep -vE "^(${except:-$^}):")
    if [ -n "$hits" ]; then
        printf 'FAIL %s\n%s\n' "$text" "$hits"
        failed=1
    else
        printf 'ok   %s\n' "$text"
    fi
}

include='^ *# *include *[<"]'

except= wall "curses is ui/tui's" "$include(n?curses|ncursesw/|term\.h)" core engine display usb disks
except= wall "curses is not the command line's" "$include(n?curses|ncursesw/|term\.h)" $(ls ui/*.[ch])
except= wall "libvncserver is display's" "${include}rfb/" core ui engine usb disks
except= wall "libusb is usb's" "${include}libusb" core ui engine display disks
except='engine/cpu/kvm[a-z_]*\.[ch]' wall "linux/kvm.h is engine/cpu/kvm's" "${include}linux/kvm\.h" \
    core ui engine display usb disks
except= wall "display, usb and disks know no guest" "${include}engine/" display usb disks core
except= wall "the interface knows no engine" "${include}(engine|display)/" ui
except= wall "nothing points back to the interface" "${include}ui/" core engine display usb disks
except= wall "core stands alone" "${include}(display|disks|usb)/" core

# The tests that tests/diff/directed.def names.
missing=$(sed -n 's/^DIRECTED([a-z0-9_]*, \([a-z0-9_]*\), \([a-z0-9_]*\))$/\1 \2/p' tests/diff/directed.def |
    sort -u | while read -r suite test; do
        grep -q "^START_TEST($test)\$" "tests/unit/$suite.c" || echo "$suite: $test"
    done)
if [ -n "$missing" ]; then
    printf 'FAIL directed tests of instructions exist\n%s\n' "$missing"
    failed=1
else
    echo 'ok   directed tests of instructions exist'
fi

exit $failed
