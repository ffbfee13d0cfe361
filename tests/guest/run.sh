#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs guest tests, one after the other: run.sh SCRIPT... One line each and a sum; what a test said
# is shown when it failed or was skipped.
passed=0 failed=0 skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
for script; do
    start=$SECONDS
    "$script" >"$log" 2>&1 </dev/null
    status=$?
    name="$(basename "$script") ($((SECONDS - start)) s)"
    case $status in
    0)
        echo "PASS: $name"
        passed=$((passed + 1))
        ;;
    77)
        echo "SKIP: $name: $(tail -n 1 "$log")"
        skipped=$((skipped + 1))
        ;;
    *)
        echo "FAIL: $name"
        sed 's/^/    /' "$log"
        failed=$((failed + 1))
        ;;
    esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
