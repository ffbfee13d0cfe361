#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line from outside, with an engine that has no guest. Run in the build tree.
set -u

vmdesk=$PWD/vmdesk
work=$(mktemp -d "${TMPDIR:-/tmp}/vmdesk-cli-XXXXXX")
export XDG_DATA_HOME="$work/data" XDG_RUNTIME_DIR="$work/run" HOME="$work"
export VMDESK_ENGINE="$PWD/tests/fakes/fake_engine" LC_ALL=C.UTF-8
machines=$XDG_DATA_HOME/vmdesk/machines
mkdir "$XDG_RUNTIME_DIR"
cd "$work" || exit 1
failures=0

pid_of()
{
    head -n 1 "$machines/$1/lock" 2>/dev/null
}

clean_up()
{
    tmux -L "vmdesk-cli-$$" kill-server 2>/dev/null
    for folder in "$machines"/*/; do
        pid=$(pid_of "$(basename "$folder")")
        # The lock of a machine that ended may name a process that is somebody else's by now.
        if "$vmdesk" show --json -- "$(basename "$folder")" | grep -q '"running": true'; then
            kill -9 "$pid"
        fi
    done 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT

# check STATUS PATTERN ARGUMENT...: vmdesk exits so, and what it prints (both streams) matches.
check()
{
    expected=$1 pattern=$2
    shift 2
    output=$("$vmdesk" "$@" 2>&1 </dev/null)
    status=$?
    if [ $status -ne "$expected" ] || ! printf '%s\n' "$output" | grep -q -- "$pattern"; then
        printf 'FAIL: vmdesk %s\n  status %s, expected %s; output without "%s":\n%s\n' \
            "$*" $status "$expected" "$pattern" "$output"
        failures=$((failures + 1))
    fi
}

# expect DESCRIPTION COMMAND...: the command succeeds.
expect()
{
    description=$1
    shift
    if ! "$@" >"$work/expect.out" 2>&1; then
        printf 'FAIL: %s\n' "$description"
        cat "$work/expect.out"
        failures=$((failures + 1))
    fi
}

# Kills the engine of a machine, and gives the kernel the time to bury it.
kill_engine()
{
    pid=$(pid_of "$1")
    kill -9 "$pid"
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return
        sleep 0.05
    done
}

# Use and misuse.
check 0 'Verbs' help
check 0 'Verbs' --help
check 0 'vmdesk create \[OPTION' help create
check 0 'vmdesk start \[OPTION' start --help
check 0 '^vmdesk [0-9]' --version
check 2 'did you mean "start"' strat
check 2 'Unknown option --bogus' list --bogus
check 2 'Something is missing' start
check 2 'That is too much' start a b
check 2 'timeout: "x" is not a number' start --timeout x a
check 1 'is no terminal\|terminal' --ascii
check 0 'There is no machine yet' list
check 0 '^\[\]$' list --json

# Creating.
long=$(printf '%0300d' 0)
printf 'disc' >disc.iso
check 2 'Give the new machine a name' create
check 1 'start with a letter' create .hidden
check 1 'use only' create a/b
check 1 '300 bytes long' create "$long"
check 3 'no file "none.iso"' create deb --iso none.iso
check 1 'not a number from 1 to 8' create deb --cpus 9
check 1 'whole mebibytes' create deb --memory 1K
check 1 'did you mean "cpus"' create deb --set machine.cpu=1
check 2 'write GROUP.KEY=VALUE' create deb --set machine
check 1 'multiple of 512' create deb --disk 1000
check 2 'size 0' create deb --disk 0
check 2 'at most 4 disks' create deb -d 1M -d 1M -d 1M -d 1M -d 1M
check 1 'needs boot.kernel' create deb --cmdline quiet
expect 'failed creations leave nothing' test -z "$(ls -A "$machines" 2>/dev/null)"
check 0 '^$' create deb --iso disc.iso --disk 10M --disk disc.iso --memory 64M -c 2 \
    --set machine.description='first machine'
check 1 'a machine "deb" already' create deb
expect 'the disk is there' test -s "$machines/deb/disk0.qcow2"
check 0 '10485760 bytes' disk info "$machines/deb/disk0.qcow2"
check 0 'disk0.format = qcow2' show deb
check 2 'is qcow2 or raw' create other --disk 1M --disk-format vdi
check 0 '^$' create other --disk 1M --disk-format raw
expect 'a raw disk is there' test "$(stat -c %s "$machines/other/disk0.raw")" = 1048576
check 0 '^$' delete other --yes
check 0 "cdrom.file = $work/disc.iso" show deb
check 0 "disk1.file = $work/disc.iso" show deb
check 0 '"cpus": "2"' show deb --json
check 0 'deb  *off  *2  *64M  *first machine' list
if [ -e /usr/lib/grub-rescue/grub-rescue-cdrom.iso ]; then
    check 0 '^$' create --demo
    check 0 'grub-rescue-cdrom.iso' cd demo
    check 0 '^$' delete demo --yes
else
    check 1 'apt install grub-rescue-pc' create --demo
fi

# Changing.
check 3 'did you mean "deb"' show dev
check 0 '^$' set deb machine.cpus=3 display.width=800
check 1 'from 1 to 8' set deb display.width=900 machine.cpus=99
check 0 'machine.cpus = 3' show deb
check 0 'display.width = 800' show deb
check 0 '^$' cd deb --eject
check 0 '^empty$' cd deb
check 3 'no disc "none.iso"' cd deb none.iso
check 2 'not both' cd deb disc.iso --eject
check 0 '^$' cd deb disc.iso
check 0 '"file": "/.*disc.iso"' cd deb --json

# Editing.
cat >editor <<'END'
#!/bin/sh
sed -i "$CHANGE" "$1"
END
chmod +x editor
export VISUAL="$work/editor" TMPDIR="$work"
CHANGE='s/^cpus = .*/cpus = 4/' check 0 '^$' edit deb
check 0 'machine.cpus = 4' show deb
CHANGE='s/^cpus = .*/cpus = many/' check 1 'Nothing was saved; your text is in' edit deb
expect 'the refused text is kept' grep -q 'cpus = many' "$work"/vmdesk-*.conf
check 0 'machine.cpus = 4' show deb
VISUAL=false check 1 'The editor false failed' edit deb
printf '[machine]\ncpus = 99\n' >"$machines/deb/machine.conf"
check 0 'deb  *broken .*machine.conf:2:' list
check 1 'machine.conf:2:.*from 1 to 8' start deb
check 1 'machine.conf:2:' set deb machine.cpus=1
CHANGE='s/99/1/' check 0 '^$' edit deb
check 0 'deb  *off  *1 ' list

# Running.
check 4 'is not running' pause deb
check 4 'is not running' stop deb
check 4 'is not running' screen deb
check 0 '^$' start deb
check 4 'running already (process [0-9]*)' start deb
check 0 'deb  *running' list
check 0 '"status": "running"' show deb --json
check 4 'running already' delete deb --yes
XDG_RUNTIME_DIR="$work/elsewhere" check 0 'deb  *running' list # the lock says where it is
check 0 '^$' pause deb
check 0 '"state": "paused"' list --json
check 0 '^$' resume deb
check 0 '^$' type deb 'Echo "it\\"'
check 0 '^Echo "it\\"$' screen deb
check 0 '"The fake engine of deb"' screen deb --json
check 0 'of deb' screen deb --wait 'fake engine' --timeout 5
check 5 'did not show "nothing of it"' screen deb --wait 'nothing of it' --timeout 0
check 1 'no key for U+00FC' type deb 'für'
check 1 'backslash' type deb 'a\x'
check 1 '' type deb --key ctrl-alt-nonsense
check 2 'Give a text' type deb
check 0 '^$' type deb --key ctrl-alt-delete --delay 0
check 0 '^$' screenshot deb shot.png
expect 'the screenshot is a picture' sh -c "head -c 4 shot.png | grep -q PNG"
check 1 'Cannot save the picture' screenshot deb none/shot.png
check 0 '^$' cd deb --eject
check 0 '^empty$' cd deb
check 0 'it takes the change at its next start' set deb machine.cpus=2
expect 'the serial port answers' sh -c "echo through | timeout 2 '$vmdesk' console deb --serial |
    grep -q through"
check 1 'needs a terminal' console deb
check 0 'The fake engine runs deb' log deb
check 0 '^$' log deb --lines 0
check 0 '^$' reset deb
check 0 '^$' stop deb --wait 10
check 0 'deb  *off' list
check 0 '^$' start deb
check 0 '^$' stop deb --force
check 0 'deb  *off' list

# Started twice at the same moment, it runs once.
"$vmdesk" start deb 2>first & first=$!
"$vmdesk" start deb 2>second & second=$!
wait $first; statuses=$?
wait $second; statuses=$statuses$?
expect "one of two starts wins, not $statuses" expr "$statuses" : "0[14]$\|[14]0$"
expect 'the other one says so' grep -q 'already' first second

# Following the log.
"$vmdesk" log deb --follow >followed & follower=$!
echo 'a line more' >>"$machines/deb/engine.log"
for _ in $(seq 100); do grep -q 'a line more' followed && break; sleep 0.1; done
kill $follower
expect 'log --follow goes on' grep -q 'a line more' followed
check 0 '^$' stop deb --force

# A guest that ignores the power button.
check 0 '^$' set deb machine.description=deaf
check 0 '^$' start deb
check 5 'still running after 0 s' stop deb --wait 0
check 0 '^$' stop deb --wait 0 --force
check 0 'deb  *off' list

# Engines that fail.
check 0 '^$' set deb machine.description=refuses
check 1 '^vmdesk: The fake engine refuses' start deb
check 0 '^$' set deb machine.description=dies
check 4 'ended before the machine was ready; the last line of its log.*fake engine' start deb
check 0 'deb  *off' list
check 0 '^$' set deb machine.description=graphics
check 0 '^$' start deb
check 1 'no text (mode graphics, 640x480)' screen deb
kill_engine deb
check 0 'deb  *off' list
check 0 '^$' start deb
check 0 '^$' stop deb --force
check 0 '^$' set deb machine.description=hangs
check 0 '^$' start deb
check 0 'deb  *not answering' list
check 0 '^$' stop deb --force
check 0 '^$' set deb machine.description=
VMDESK_ENGINE=/none check 3 'Cannot run the engine /none' start deb
XDG_RUNTIME_DIR=$work/$(printf '%0100d' 0) check 1 'set XDG_RUNTIME_DIR to a shorter' start deb

# The text console, in a terminal of 80x24.
if command -v tmux >/dev/null; then
    tmux() { command tmux -L "vmdesk-cli-$$" -f /dev/null "$@"; }
    # Waits up to ten seconds for a line on the terminal.
    wait_for()
    {
        for _ in $(seq 100); do
            tmux capture-pane -p -t console 2>/dev/null | grep -q -- "$1" && return 0
            sleep 0.1
        done
        tmux capture-pane -p -t console
        return 1
    }
    check 0 '^$' start deb
    tmux new-session -d -s keep # a server without sessions ends
    tmux new-session -d -s console -x 80 -y 24 "'$vmdesk' console deb; echo left; sleep 30"
    expect 'the console shows the screen' wait_for 'The fake engine of deb'
    expect 'the console says how to leave' wait_for 'Ctrl-\] leaves'
    tmux send-keys -t console -l 'Typed here'
    expect 'the console types' wait_for '^Typed here$'
    check 0 '^Typed here$' screen deb
    tmux resize-window -t console -x 60 -y 10
    expect 'the console follows the size' wait_for 'The fake engine of deb'
    tmux send-keys -t console C-]
    expect 'Ctrl-] leaves' wait_for '^left$'
    check 0 'deb  *running' list
    tmux kill-session -t console
    tmux new-session -d -s console -x 80 -y 24 "'$vmdesk' console deb; echo status \$?; sleep 30"
    expect 'the console shows the screen again' wait_for 'The fake engine of deb'
    kill_engine deb
    expect 'the console ends with the engine' wait_for 'status [14]'
    tmux kill-session -t console
fi

# Deleting.
check 1 'That is not the name' delete deb
check 0 'deb' list
printf 'deb\n' | "$vmdesk" delete deb 2>/dev/null
check 0 'no machine yet' list
expect 'the disc stays' test -e disc.iso

# The rest.
check 2 'vmdesk help usb' usb nonsense
check 2 'usb attach' usb attach
check 3 'no machine' usb attach none 1-2
check 2 'usb rule' usb rule none --udev 1-2
check 0 'idVendor}=="1234"' usb rule --udev 1234:abcd --user somebody
"$vmdesk" completion >completion.bash
expect 'bash takes the completion' bash -c '. ./completion.bash
    complete_for() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vmdesk; }
    complete_for vmdesk scr; [ "${COMPREPLY[*]}" = "screen screenshot" ] || exit 1
    complete_for vmdesk create --me; [ "${COMPREPLY[*]}" = "--memory" ] || exit 2
    complete_for vmdesk --as; [ "${COMPREPLY[*]}" = "--ascii" ] || exit 3
    complete_for vmdesk usb l; [ "${COMPREPLY[*]}" = "list" ] || exit 4
    complete_for vmdesk di; [ "${COMPREPLY[*]}" = "disk" ] || exit 5
    complete_for vmdesk disk snapshot d; [ "${COMPREPLY[*]}" = "delete" ] || exit 6
    complete_for vmdesk disk create --ba; [ "${COMPREPLY[*]}" = "--backing --backing-format" ] ||
        exit 7'
check 0 'disk create' help disk
check 0 'vmdesk disk create \[OPTION' help disk create
check 2 'did you mean "disk create"' disk creat
expect 'a full disk is noticed' sh -c "! '$vmdesk' help >/dev/full"

[ $failures -eq 0 ] || printf '%s checks failed\n' $failures
[ $failures -eq 0 ]
