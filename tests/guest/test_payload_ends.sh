#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How a guest may end or restart its machine, and what is said of one that breaks.
. "$(dirname "$0")/lib.sh" || exit 1
payload=$PWD/tests/guest/payload/payload
begin
need_firmware
[ -e "$payload" ] || skip "the compiler makes no 32-bit code: the payload was not built"

make_machine m --set machine.memory=64M --set boot.kernel="$payload" \
    --set serial.file="$work/serial.log" --set debug.exit-port=1281

# run WORDS: starts the machine with this command line
run() {
    : >"$work/serial.log"
    "$VMDESK" set m boot.cmdline="$1" >/dev/null || fail "set the command line"
    start_machine m
}

state() { control m query-status | sed -n 's/.*"status": "\([^"]*\)".*/\1/p'; }
state_is() { [ "$(state)" = "$1" ]; }

for how in cf9 i8042 port92; do
    run "reboot=$how exit=0x501"
    wait_file "$work/serial.log" "^DONE 1 passed, 0 failed" 60
    within 10 no_engines || fail "the debug exit port did not end the machine"
done

run poweroff
within 60 no_engines || fail "the machine did not power off"
grep -aq "vmdesk payload" "$work/serial.log" || fail "it ended before the payload ran"

# A triple fault: what on-crash says.
run triple
within 60 state_is guest-panicked || fail "after a triple fault the state is $(state)"
"$VMDESK" stop m --force || fail "force off"
"$VMDESK" set m machine.on-crash=reset >/dev/null || fail "set on-crash"
run "reboot=triple exit=0x501"
wait_file "$work/serial.log" "^DONE 1 passed, 0 failed" 60
within 10 no_engines || fail "the debug exit port did not end the machine"
"$VMDESK" set m machine.on-crash=stop >/dev/null || fail "set on-crash"
run triple
within 60 no_engines || fail "a triple fault did not stop the machine"

# An instruction (iret) that a software KVM lacks: it runs, or the machine says which one it was.
"$VMDESK" set m machine.on-crash=pause >/dev/null || fail "set on-crash"
run "badop exit=0x501"
if within 30 no_engines; then
    grep -aq "PASS badop" "$work/serial.log" || fail "the machine ended without a result"
else
    state_is internal-error || fail "after an instruction that KVM lacks the state is $(state)"
    grep -q "instruction: cf" "$(machine_folder m)/engine.log" || fail "the log does not show the bytes"
    "$VMDESK" stop m --force || fail "force off"
fi

# It halts with interrupts off: nothing happens, and force works.
run hang
wait_file "$work/serial.log" "hanging" 60
"$VMDESK" stop m --force || fail "force off"
