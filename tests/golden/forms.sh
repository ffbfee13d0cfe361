#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Making, changing and deleting machines: what is wrong is said, and nothing typed is lost.
. "${0%/*}/lib.sh"

mkdir -p "$HOME/Downloads"
open_tui 80 24
keys n
wait_for 'New machine'
typed 'my box'
golden forms-new
keys C-s
wait_for '✗ Name'
golden forms-new-error-name
keys C-u
typed 'box'
keys Tab Tab C-u
typed '2 parsecs'
keys C-s
wait_for '2 parsecs'
golden forms-new-error
keys C-u
typed '64M'
keys Tab Tab C-u
typed '1M'
keys Tab Tab Tab Right C-s
wait_for 'Made box'
golden forms-made
[ -s "$machines/box/disk0.qcow2" ] || fail "the disk was not made"

# The name is taken: the form stays.
keys n
typed 'box'
keys Tab Tab Tab Tab C-u
typed '1M'
keys C-s
wait_for '✗ Name'
keys Escape
wait_gone 'New machine'

# A raw disk.
keys n
typed 'plain'
keys Tab Tab Tab Tab C-u
typed '1M'
keys Tab Right Tab Tab Right C-s
wait_for 'Made plain'
[ -s "$machines/plain/disk0.raw" ] || fail "the raw disk was not made"
"$VMDESK" delete plain --yes || fail "plain cannot be deleted"
wait_gone "○ plain"

# A setting: refused with the reason, then taken.
keys 4
wait_for machine.cpus
golden forms-settings
keys Enter
wait_for 'Enter save'
keys C-u
typed '99'
keys Enter
wait_for 'machine.cpus'
golden forms-setting-error
keys C-u
typed '4'
keys Enter
wait_gone 'Enter save'
eventually "the setting was not saved" grep -q '^cpus = 4' "$machines/box/machine.conf"
keys Escape
wait_for 'Machines'

# Deleting asks for the name.
keys D
wait_for 'Type its name'
golden forms-delete
typed 'bax'
keys Enter
wait_for 'That is not its name'
keys C-u
typed 'box'
keys Enter
wait_for 'There are no machines yet'
[ ! -e "$machines/box" ] || fail "the machine is still there"

# The help finds keys by words.
keys '?'
wait_for 'type to search'
typed 'eject'
golden forms-help
typed 'x'
wait_for 'Nothing matches'
keys Escape
wait_gone 'type to search'
exit 0
