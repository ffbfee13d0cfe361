#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Work for the programs of a computer, whose results are the same on any x86-64: compiling, then the
# compiled program, interpreters, packing, sorting. In a folder of its own, with programs.c.
export LC_ALL=C TZ=UTC PYTHONHASHSEED=1

seq 1 200000 | awk '{ print ($1 * 7919) % 1000003, "line", $1 }' >numbers
for level in 0 1 2 3; do
    (
        gcc -O$level -c -o programs-$level.o programs.c &&
            objdump -d programs-$level.o | sha256sum &&
            gcc -O$level -pthread -o programs-$level programs.c -lm &&
            ./programs-$level
    ) >out-O$level 2>&1 &
done
# From a pipe: gzip takes a file's date.
for kind in gzip xz; do
    (
        cat numbers | $kind >numbers.$kind && $kind -d <numbers.$kind | cmp - numbers &&
            sha256sum <numbers.$kind
    ) >out-$kind 2>&1 &
done
sort -n numbers | sha256sum >out-sort 2>&1 &
perl -e '
    my ($text, %count) = (join("", map { chr(97 + $_ * 31 % 26) } 1 .. 200000), ());
    $count{$1}++ while $text =~ /([a-m]+?)(?=[n-z])/g;
    printf "%s %d\n", $_, $count{$_} for sort keys %count;
    printf "%.15g %s\n", sqrt(2) * 1e300 / 7, 2 ** 0.5;
    my @sorted = sort { $a <=> $b } map { $_ * 48271 % 2147483647 } 1 .. 50000;
    printf "%d %d\n", @sorted[0, 49999];
' >out-perl 2>&1 &
python3 -c '
import decimal, hashlib, json, math, random, re, struct, zlib
draw = random.Random(5)
numbers = [draw.random() * 10 ** draw.randint(-300, 300) for _ in range(20000)]
text = json.dumps(numbers)
assert json.loads(text) == numbers
print("json", hashlib.sha512(text.encode()).hexdigest())
print("floats", struct.pack("<d", math.fsum(numbers)).hex(), zlib.crc32(text.encode()))
decimal.getcontext().prec = 1000
print("decimal", decimal.Decimal(2).sqrt(), decimal.Decimal(1).exp())
print("integers", pow(3, 10 ** 5, 10 ** 400 + 69), math.factorial(2000) % (2 ** 521 - 1))
print("regular expressions", len(re.findall(r"(\d+)\.(\d*?)(7+)e-", text)))
words = sorted({"".join(draw.choices("abcdef", k=5)) for _ in range(5000)})
print("sets", len(words), hashlib.md5("".join(words).encode()).hexdigest())
' >out-python 2>&1 &
wait
for name in O0 O1 O2 O3 gzip xz sort perl python; do
    sed "s/^/$name: /" out-$name
done
