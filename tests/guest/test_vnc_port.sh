#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# VNC by TCP: a fixed port that is taken is refused with the reason; port 0 takes the next free one;
# a password is asked for.
. "$(dirname "$0")/lib.sh" || exit 1
begin
need_firmware

printf 'secret\n' >"$work/password"
chmod 600 "$work/password"
make_machine first --set display.vnc=tcp --set display.vnc-password-file="$work/password"
start_machine first
port=$(control first query-vnc | sed -n 's/.*"service": "\([0-9]*\)".*/\1/p')
[ -n "$port" ] || fail "query-vnc names no port"
"$vnc_tool" -p secret "127.0.0.1:$port" run 0.2 >/dev/null 2>&1 || fail "the password was refused"
"$vnc_tool" -p wrong "127.0.0.1:$port" run 0.2 >/dev/null 2>&1 && fail "a wrong password was taken"

make_machine taken --set display.vnc=tcp --set display.vnc-port="$port"
refuses "$port" "$VMDESK" start taken
[ "$(engines | wc -l)" = 1 ] || fail "the engine that could not start is still there"

make_machine free --set display.vnc=tcp
start_machine free
control free query-vnc | grep -q "\"service\": \"$port\"" && fail "two machines on port $port"
control free query-vnc | grep -q '"host": "127.0.0.1"' || fail "not on the loopback interface"
