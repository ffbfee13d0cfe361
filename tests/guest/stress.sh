#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Work for a guest's processor, in what a busybox offers. What it prints depends on nothing but the
# processor being right, so the test runs it on the host too and compares:
#
#   stress.sh [ROUNDS]
rounds=${1:-1}

# Numbers of a linear congruential generator: "numbers COUNT SEED".
numbers() {
    awk -v count="$1" -v x="$2" 'BEGIN {
        for (i = 0; i < count; i++) {
            x = (x * 16807) % 2147483647
            print x
        }
    }'
}

# fork and exec: children in subshells and as programs, with their statuses.
fork_exec() {
    sum=0 i=0
    while [ $i -lt 40 ]; do
        (exit $((i % 50)))
        sum=$((sum + $?))
        sum=$((sum + $(expr $i \* $i)))
        i=$((i + 1))
    done
    echo "fork-exec $sum"
}

pipes() {
    echo "pipes $(numbers 4000 7 | cat | cat | tr 0-9 a-j | cat | md5sum)"
}

md5() {
    echo "md5 $(tr '\0' x </dev/zero | head -c 16777216 | md5sum)"
}

# A child that asks for signals, and one that is killed.
signals() {
    # shellcheck disable=SC2016 # for the child's shell
    sh -c 'n=0
        trap "n=\$((n + 1))" USR1
        for i in 1 2 3 4 5 6 7 8 9 10; do
            kill -USR1 $$
        done
        exit $n'
    echo "signals $?"
    sh -c 'while :; do :; done' &
    kill -TERM $!
    wait $!
    echo "terminated $?"
}

sorting() {
    echo "sort $(numbers 4000 11 | sort | md5sum)"
    echo "sort-n $(numbers 4000 13 | sort -n | md5sum)"
}

# Floating point: exactly what IEEE 754 doubles give.
floats() {
    awk 'BEGIN {
        for (i = 1; i <= 5000; i++) {
            s += 1 / (i * i)
            r = (r + i / (r + 1)) / 2
            p = (p * 1.000001 + i / 7) - int(i / 3)
        }
        printf "floats %.17g %.17g %.17g\n", s, r, p
    }'
}

files() {
    folder=$(mktemp -d) && mkdir "$folder/from" "$folder/to" || return
    i=0
    while [ $i -lt 10 ]; do
        numbers 50 $((i + 1)) >"$folder/from/$i"
        i=$((i + 1))
    done
    tar cf - -C "$folder/from" . | tar xf - -C "$folder/to"
    i=0
    while [ $i -lt 10 ]; do
        cmp "$folder/from/$i" "$folder/to/$i" || echo "files: $i differs"
        i=$((i + 1))
    done
    echo "files $(cat "$folder"/to/* | md5sum)"
    rm -r "$folder"
}

round=0
while [ $round -lt "$rounds" ]; do
    fork_exec
    pipes
    md5
    signals
    sorting
    floats
    files
    round=$((round + 1))
done
