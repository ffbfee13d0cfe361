# SPDX-License-Identifier: GPL-2.0-or-later
# For tests of the interface: the real vmdesk in a tmux of its own, with a store of its own and
# tests/fakes/scripted_engine. Sourced by each test, which is run from the top of the build tree.
#
# golden NAME compares the screen with expected/NAME.txt; GOLDEN_UPDATE=1 writes that file instead.
# What cannot be the same everywhere is taken out by the sed script $mask.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
VMDESK=${VMDESK:-$PWD/vmdesk}
VMDESK_ENGINE=$PWD/tests/fakes/scripted_engine
patience=${GOLDEN_TIMEOUT:-60} # seconds until something expected counts as missing

skip() {
    echo "skipped: $*"
    exit 77
}

fail() {
    echo "FAIL: $*"
    echo "--- screen ---"
    screen || true
    exit 1
}

command -v tmux >/dev/null || skip "tmux is not installed"
locale -a 2>/dev/null | grep -qi '^c\.utf-\?8$' || skip "there is no locale C.UTF-8"
infocmp tmux-256color >/dev/null 2>&1 || skip "the terminal type tmux-256color is not known"
[ -x "$VMDESK" ] || fail "$VMDESK is not built"

temp=$(mktemp -d /tmp/vmdesk-golden.XXXXXX)
export HOME=$temp/home XDG_DATA_HOME=$temp/data XDG_RUNTIME_DIR=$temp/run VMDESK_FAKE=$temp/fake
export VMDESK_ENGINE TZ=UTC LC_ALL=C.UTF-8 TMUX_TMPDIR=$temp
ulimit -c 0
unset NO_COLOR COLORTERM TMUX XDG_DOWNLOAD_DIR || true
machines=$XDG_DATA_HOME/vmdesk/machines
mkdir -p "$HOME" "$machines" "$XDG_RUNTIME_DIR" "$VMDESK_FAKE"
chmod 700 "$XDG_RUNTIME_DIR"
cat >"$temp/tmux.conf" <<'EOF'
set -g status off
set -g default-terminal tmux-256color
set -g escape-time 0
set -g default-shell /bin/sh
EOF

# A server for each interface that is opened: it has the environment of that moment.
server=0
tm() {
    tmux -f "$temp/tmux.conf" -L "golden$server" "$@"
}

engine_pid() {
    sed -n 1p "$machines/$1/lock"
}

clean_up() {
    for lock in "$machines"/*/lock; do
        pid=$(sed -n 1p "$lock" 2>/dev/null) || continue
        # only an engine of this test has its folder as an argument
        if tr '\0' '\n' 2>/dev/null <"/proc/${pid:-none}/cmdline" | grep -q "^$machines/"; then
            kill -9 "$pid" 2>/dev/null || true
        fi
    done
    tm kill-server 2>/dev/null || true
    rm -rf "$temp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# machine NAME: its definition from standard input.
machine() {
    mkdir -p "$machines/$1"
    cat >"$machines/$1/machine.conf"
}

# script NAME: what the fake engine plays, from standard input; a running one takes it at once.
script() {
    cat >"$VMDESK_FAKE/$1.json"
    if [ -s "$machines/$1/lock" ]; then
        kill -USR1 "$(engine_pid "$1")" 2>/dev/null || true
    fi
}

# open_tui COLUMNS ROWS [ARGUMENT...]; the environment of the test is vmdesk's.
open_tui() {
    columns=$1 rows=$2
    shift 2
    tm kill-server 2>/dev/null || true
    server=$((server + 1))
    tm new-session -d -x "$columns" -y "$rows" "$VMDESK $* ; echo [exit \$?]; sleep 600"
    wait_for help
}

resize() {
    tm resize-window -x "$1" -y "$2"
}

keys() {
    for key in "$@"; do
        tm send-keys "$key"
    done
}

typed() {
    tm send-keys -l "$1"
}

# click COLUMN ROW, from 0: the left button down and up, as X10 terminals tell it.
click() {
    place=$(printf '\\%03o\\%03o' $(($1 + 33)) $(($2 + 33)))
    tm send-keys -l "$(printf "\033[M $place\033[M#$place")"
}

screen() {
    tm capture-pane -p "$@"
}

tui_pid() {
    pgrep -P "$(tm display-message -p '#{pane_pid}')" | head -n 1
}

# eventually WHAT COMMAND...: until it succeeds.
eventually() {
    what=$1
    shift
    tries=$((patience * 10))
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "$what"
        sleep 0.1
    done
}

shows() {
    screen 2>/dev/null | grep -qF -- "$1"
}

hides() {
    ! shows "$1"
}

wait_for() {
    eventually "the screen does not show '$1'" shows "$1"
}

wait_gone() {
    eventually "the screen still shows '$1'" hides "$1"
}

file_has() {
    [ "$(cat "$1" 2>/dev/null)" = "$2" ]
}

# The screen, or with colours and attributes.
seen() {
    if [ -n "$styled" ]; then
        screen -e | awk -f "$here/styles.awk"
    else
        screen
    fi
}

same_screen() {
    seen | sed "${mask:-}" >"$temp/screen"
    cmp -s "$temp/screen" "$here/expected/$1.txt"
}

still_screen() {
    seen >"$temp/screen"
    sleep 1.5
    seen | cmp -s - "$temp/screen"
}

golden() {
    styled=${2:-}
    if [ -n "${GOLDEN_UPDATE:-}" ]; then
        eventually "the screen does not come to rest" still_screen
        sed "${mask:-}" "$temp/screen" >"$here/expected/$1.txt"
        return
    fi
    tries=$((patience * 10))
    until same_screen "$1"; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            diff -u "$here/expected/$1.txt" "$temp/screen" || true
            fail "the screen is not as in expected/$1.txt"
        fi
        sleep 0.1
    done
}

golden_styled() {
    golden "$1" styled
}
