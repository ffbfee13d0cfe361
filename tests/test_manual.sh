#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual pages say what the tables of verbs and keys say, and scdoc takes them.
doc=${srcdir:-.}/doc
failures=0
for page in 'vmdesk.1 verbs' 'machine.conf.5 keys'; do
    set -- $page
    if ! sh "$doc/update_manual.sh" "$doc/$1.scd" "$2" | diff -u "$doc/$1.scd" -; then
        echo "$1.scd differs from the table: run 'make update-manual'"
        failures=1
    fi
done
if [ -x ./vmdesk-engine ]; then
    for option in $(./vmdesk-engine --help | grep -o -e '--[a-z-]*'); do
        if [ "$option" != --help ] && ! grep -q -e "^\*$option\*" "$doc/vmdesk-engine.1.scd"; then
            echo "vmdesk-engine.1.scd lacks $option"
            failures=1
        fi
    done
fi
if command -v scdoc >/dev/null; then
    for page in vmdesk.1 vmdesk-engine.1 machine.conf.5; do
        scdoc <"$doc/$page.scd" >/dev/null || failures=1
    done
fi
exit $failures
