# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What guest tests share. A test sources it, in the build's folder, and begins with "begin":
#
#   . "$(dirname "$0")/lib.sh" || exit 1
#   begin
#
# From then on it has a data and a runtime folder of its own under $work, and whatever way it ends,
# its engines end with it. Exit status: 0 passed, 77 skipped, anything else failed.
#
# The waits are limits, not pauses: they are made for a KVM that interprets its guests.
# GUEST_TIME_SCALE multiplies them.

set -u

top=$PWD
VMDESK=${VMDESK:-$top/vmdesk}
export VMDESK_ENGINE=${VMDESK_ENGINE:-$top/vmdesk-engine}
vnc_tool=$top/tests/guest/vnc_tool
control_tool=$top/tests/guest/control_tool
cache=${VMDESK_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vmdesk-tests}

say() { printf '%s: %s\n' "$(basename "$0")" "$*"; }

skip() {
    say "skipped: $*"
    exit 77
}

fail() {
    say "failed: $*"
    exit 1
}

begin() {
    [ -x "$VMDESK" ] || fail "$VMDESK is not built"
    [ -x "$VMDESK_ENGINE" ] || fail "$VMDESK_ENGINE is not built"
    # Short: sockets live below it.
    work=$(mktemp -d /tmp/vmdesk-guest-XXXXXX) || fail "no temporary folder"
    trap finish EXIT
    trap 'exit 1' HUP INT TERM
    export XDG_DATA_HOME=$work/data XDG_RUNTIME_DIR=$work/run
    mkdir -m 700 "$XDG_DATA_HOME" "$XDG_RUNTIME_DIR" || fail "no folder in $work"
}

# The engines of this test: those that run a machine below $work.
engines() {
    local cmdline
    for cmdline in /proc/[0-9]*/cmdline; do
        if tr '\0' '\n' 2>/dev/null <"$cmdline" | grep -q "^$work/"; then
            cmdline=${cmdline#/proc/}
            echo "${cmdline%/cmdline}"
        fi
    done
}

finish() {
    local status=$? pid log
    trap - EXIT
    for pid in $(engines); do
        kill -KILL "$pid" 2>/dev/null
    done
    if [ $status -ne 0 ] && [ $status -ne 77 ]; then
        for log in "$XDG_DATA_HOME"/vmdesk/machines/*/engine.log; do
            [ -e "$log" ] || continue
            echo "--- the last of $log:"
            tail -n 40 "$log"
        done
    fi
    rm -rf "$work"
    exit $status
}

need_kvm() {
    [ -e /dev/kvm ] || skip "this computer has no /dev/kvm"
    { [ -r /dev/kvm ] && [ -w /dev/kvm ]; } || skip "/dev/kvm is closed to this user"
}

# need_file FILE PACKAGE
need_file() {
    [ -e "$1" ] || skip "$1 is missing: install the package $2"
}

need_firmware() {
    need_kvm
    need_file /usr/share/seabios/bios-256k.bin seabios
    need_file /usr/share/seabios/vgabios-stdvga.bin seabios
}

# get_package PACKAGE [FILE...]: the Debian package, or just these files of it, in $package: a folder
# of the cache, into which it is unpacked the first time. Nothing is installed.
get_package() {
    local name=$1 fresh
    shift
    package=$cache/$name
    [ ! -d "$package" ] || return 0
    command -v apt-get dpkg-deb >/dev/null || skip "no apt-get and dpkg-deb to get $name"
    mkdir -p "$cache" || fail "no cache folder $cache"
    fresh=$(mktemp -d "$cache/new-XXXXXX") || fail "no folder in $cache"
    (cd "$fresh" && apt-get ${apt_options+"${apt_options[@]}"} download "$name" &&
        dpkg-deb --fsys-tarfile ./*.deb | tar xf - "${@/#/./}" && rm ./*.deb) \
        >"$work/download.log" 2>&1 || {
        rm -rf "$fresh"
        skip "$name cannot be downloaded: $(tail -n 1 "$work/download.log")"
    }
    # Another test may have been quicker.
    mv -T "$fresh" "$package" 2>/dev/null || rm -rf "$fresh"
}

# From here on, packages are those for 32-bit PCs, from lists of our own that the host's apt-get does
# not see.
use_i386() {
    local apt=$cache/i386/apt
    cache=$cache/i386
    command -v apt-get >/dev/null || skip "no apt-get to get packages for i386"
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" || fail "no folder $apt"
    : >>"$apt/status"
    apt_options=(-o APT::Architecture=i386 -o APT::Architectures=i386 -o "Dir::State=$apt/state"
        -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache")
    # A mirror that is being updated may give a part of its lists.
    [ -n "$(apt_cache pkgnames linux-image-686)" ] ||
        apt-get "${apt_options[@]}" update >"$work/update.log" 2>&1
}

apt_cache() { apt-cache ${apt_options+"${apt_options[@]}"} "$@" 2>/dev/null; }

# get_kernel META-PACKAGE FILE: the kernel that it depends on, whose name fits this pattern, in $kernel
get_kernel() {
    local name
    kernel=$(find "$cache" -name "$2" 2>/dev/null | sort -V | tail -n 1)
    [ -z "$kernel" ] || return 0
    name=$(apt_cache depends "$1" | sed -n 's/.*Depends: \(linux-image.*\)/\1/p')
    [ -n "$name" ] || skip "the package $1 is not available"
    get_package "$name"
    kernel=$(find "$package" -name "$2")
}

# Debian's kernel for virtual machines
get_cloud_kernel() { get_kernel linux-image-cloud-amd64 'vmlinuz-*-cloud-amd64'; }

seconds() { echo $(($1 * ${GUEST_TIME_SCALE:-1})); }

# within SECONDS COMMAND...: repeats the command until it succeeds; false when time is over.
within() {
    local end=$((SECONDS + $(seconds "$1")))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

no_engines() {
    [ -z "$(engines)" ]
}

# wait_file FILE PATTERN SECONDS
wait_file() {
    within "$3" grep -aqs -- "$2" "$1" || {
        echo "--- $1:"
        tail -n 40 "$1"
        fail "$1 did not show '$2' in $(seconds "$3") s"
    }
}

# wait_screen MACHINE TEXT SECONDS
wait_screen() {
    "$VMDESK" screen "$1" --wait "$2" --timeout "$(seconds "$3")" >/dev/null || {
        echo "--- the screen of $1:"
        "$VMDESK" screen "$1"
        fail "the screen of $1 did not show '$2' in $(seconds "$3") s"
    }
}

# make_machine NAME OPTION...: on the accelerator that GUEST_ACCEL names, unless an option says more.
make_machine() {
    "$VMDESK" create --set "machine.accel=${GUEST_ACCEL:-kvm}" "$@" >/dev/null || fail "the machine $1 could not be made"
}

start_machine() {
    "$VMDESK" start "$1" >/dev/null || fail "the machine $1 did not start"
}

# refuses WORDS COMMAND...: the command fails and says so with these words
refuses() {
    local words=$1 text
    shift
    if text=$("$@" 2>&1 >/dev/null); then
        fail "this should have failed: $*"
    fi
    case $text in
    *"$words"*) ;;
    *) fail "'$*' said '$text' without '$words'" ;;
    esac
}

machine_folder() { echo "$XDG_DATA_HOME/vmdesk/machines/$1"; }
socket() { echo "$XDG_RUNTIME_DIR/vmdesk/$1/$2.sock"; } # MACHINE control|vnc|serial

# control MACHINE COMMAND [ARGUMENTS]: prints the result
control() {
    "$control_tool" "$(socket "$1" control)" call "${@:2}"
}

# milliseconds COMMAND...: how long it takes; false when it fails
milliseconds() {
    local start end
    start=$(date +%s%N)
    "$@" >/dev/null || return 1
    end=$(date +%s%N)
    echo $(((end - start) / 1000000))
}
