#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares disk images through the library with qemu-img and with plain pread and pwrite.

Run as disk_bench.py BUILD_FOLDER [SCRATCH_FOLDER [PART...]]. Each number is the best of ROUNDS,
which take turns, so that other work of the host meets all of them. In each round QEMU has a try with
each of its ways to use a file, and so the others have as many. "random" is a walk in steps of a
prime number of blocks, which all three can take.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROUNDS = 3
TRIES = "threads", "io_uring"
DIRECT_TRIES = *TRIES, "native"
MIB = 1 << 20
GIB = 1 << 30
PRIME = 7919
SIZE = GIB // 2

build = os.path.abspath(sys.argv[1])
scratch = tempfile.mkdtemp(prefix="disk-bench-", dir=sys.argv[2] if len(sys.argv) > 2 else None)
vmdesk = os.path.join(build, "vmdesk")
bench = os.path.join(build, "tests/bench/disk_bench")
hold = os.path.join(build, "tests/bench/disk_hold")


def run(*command):
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    # Leaks are no failure of a check.
    if result.returncode not in (0, 3):
        sys.exit(f"failed: {command}")
    return result.stdout


def timed(*command):
    start = time.monotonic()
    run(*command)
    return time.monotonic() - start


def image(name):
    return os.path.join(scratch, name)


def forget(*names):
    for name in names:
        if os.path.exists(image(name)):
            os.unlink(image(name))


def cache_pages(*names):
    """Brings images into the host's cache page by page. In larger pieces, of which a file gets as many
    as its writer's requests happen to give, a request takes up to 20 times as long."""
    for name in names:
        with open(image(name), "rb", buffering=0) as file:
            os.fsync(file)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            for offset in range(0, os.fstat(file.fileno()).st_size, 4096):
                os.pread(file.fileno(), 1, offset)


def ours(name, fmt, op, block, depth, count, step, *more):
    return float(run(bench, "library", fmt, image(name), op, block, depth, count, step, *more))


def plain(name, op, block, depth, count, step, *more):
    return float(run(bench, "plain", "raw", image(name), op, block, depth, count, step, *more))


def qemu(aio, name, fmt, op, block, depth, count, step, cache="writeback"):
    output = run("qemu-img", "bench", "-i", aio, "-f", fmt, "-t", cache,
                 "-c", count, "-d", depth, "-s", block, "-S", step,
                 *(["-w"] if op == "write" else []), image(name))
    return float(re.search(r"completed in ([0-9.]+) seconds", output).group(1))


def best(*runs, before=None, tries=TRIES):
    """The best time of each of the runs, which take turns; before() makes the image anew."""
    times = [[] for _ in runs]
    for _ in range(ROUNDS):
        for one_try in tries:
            for i, one in enumerate(runs):
                if before:
                    before()
                times[i].append(one(one_try))
    return [min(row) for row in times]


def row(title, mine, theirs, *limits):
    ratios = " / ".join(f"{limit / mine:.2f}" for limit in limits)
    print(f"| {title} | {mine * 1000:.1f} ms | {theirs * 1000:.1f} ms | {theirs / mine:.2f} | "
          f"{ratios or '-'} |", flush=True)


def sequential():
    for fmt in "raw", "qcow2":
        for op in "read", "write":
            args = op, MIB, 4, SIZE // MIB, MIB
            times = best(lambda _: ours("full." + fmt, fmt, *args),
                         lambda aio: qemu(aio, "full." + fmt, fmt, *args),
                         lambda _: plain("full.raw", *args))
            row(f"{fmt}: 512 MiB sequential {op}, 1 MiB at depth 4", *times)


def allocated_io(fmt):
    cache_pages("full.raw", "full." + fmt)
    for cache in "writeback", "none":
        direct = ["direct"] if cache == "none" else []
        for op in "read", "write":
            for depth in 1, 32:
                count = 100000 if not direct else 20000 if depth == 32 else 5000
                args = op, 4096, depth, count, 4096 * PRIME
                threads = [1, depth] if depth > 1 and not direct else [depth]
                times = best(
                    lambda _: ours("full." + fmt, fmt, *args, *direct),
                    lambda aio: qemu(aio, "full." + fmt, fmt, *args, cache),
                    *(lambda _, most=most: plain("full.raw", op, 4096, most, *args[3:], *direct)
                      for most in threads), tries=DIRECT_TRIES if direct else TRIES)
                row(f"{fmt}{', direct' if direct else ''}: {count} x 4 KiB random {op}, depth "
                    f"{depth}", *times)


def new_image():
    forget("new.qcow2", "new.raw")
    run("qemu-img", "create", "-q", "-f", "qcow2", image("new.qcow2"), SIZE)
    run("qemu-img", "create", "-q", "-f", "raw", image("new.raw"), SIZE)


def snapshot_image():
    forget("new.qcow2")
    shutil.copyfile(image("full.qcow2"), image("new.qcow2"))
    run("qemu-img", "snapshot", "-c", "before", image("new.qcow2"))


def first_writes():
    for title, args in (("512 MiB sequential, 1 MiB at depth 4", ("write", MIB, 4, SIZE // MIB, MIB)),
                        ("10000 x 4 KiB random, depth 32",
                         ("write", 4096, 32, 10000, 4096 * PRIME))):
        times = best(lambda _: ours("new.qcow2", "qcow2", *args),
                     lambda aio: qemu(aio, "new.qcow2", "qcow2", *args),
                     lambda _: plain("new.raw", *args), before=new_image)
        row(f"qcow2: first write, {title}", *times)
    args = "write", 4096, 32, 4000, 4096 * PRIME
    times = best(lambda _: ours("new.qcow2", "qcow2", *args),
                 lambda aio: qemu(aio, "new.qcow2", "qcow2", *args), before=snapshot_image)
    row("qcow2: write after a snapshot, 4000 x 4 KiB random, depth 32", *times)


def large():
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata,cluster_size=8k",
        image("large.qcow2"), 64 * GIB)
    for cache in "writeback", "none":
        direct = ["direct"] if cache == "none" else []
        for depth in 1, 32:
            args = "read", 4096, depth, 20000, 4096 * PRIME * 50
            times = best(lambda _: ours("large.qcow2", "qcow2", *args, *direct),
                         lambda aio: qemu(aio, "large.qcow2", "qcow2", *args, cache),
                         tries=DIRECT_TRIES if direct else TRIES)
            row(f"qcow2{', direct' if direct else ''}, 64 GiB in clusters of 8 KiB: 20000 x 4 KiB "
                f"random read, depth {depth}", *times)
    forget("large.qcow2")


def snapshots():
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata",
        image("big.qcow2"), 32 * GIB)
    times = {(who, what): [] for who in ("ours", "qemu") for what in ("create", "apply", "delete")}
    for _ in range(ROUNDS):
        for what, letter in (("create", "-c"), ("apply", "-a"), ("delete", "-d")):
            times["ours", what].append(
                timed(vmdesk, "disk", "snapshot", what, image("big.qcow2"), "s"))
        for what, letter in (("create", "-c"), ("apply", "-a"), ("delete", "-d")):
            times["qemu", what].append(timed("qemu-img", "snapshot", letter, "s",
                                             image("big.qcow2")))
    for what in "create", "apply", "delete":
        row(f"qcow2: snapshot {what}, 32 GiB allocated, as a program", min(times["ours", what]),
            min(times["qemu", what]))
    times = best(lambda _: timed(vmdesk, "disk", "check", image("big.qcow2")),
                 lambda _: timed("qemu-img", "check", "-q", image("big.qcow2")))
    row("qcow2: check, 32 GiB allocated", *times)
    forget("big.qcow2")


def hold_row(title, what):
    took, *longest = (float(word) * 1000 for word in run(hold, image("big.qcow2"), what, "s").split())
    print(f"| {title} | {took:.1f} ms | " + " | ".join(f"{one:.1f} ms" for one in longest) + " |",
          flush=True)


def clone_with_snapshots():
    """A linked clone of 1 GiB of data, with three snapshots and little of its own."""
    forget("big.qcow2")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", image("base.raw"), "-F", "raw",
        image("big.qcow2"))
    for number in range(3):
        run("qemu-io", "-f", "qcow2", "-c", f"write -q {number * 100}M 10M", image("big.qcow2"))
        run("qemu-img", "snapshot", "-c", f"old{number}", image("big.qcow2"))


def holds():
    """How long requests wait for work on their image, beside which they run: at worst."""
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata",
        image("big.qcow2"), 32 * GIB)
    print("| What | takes | read | write | flush |\n|---|---|---|---|---|")
    for what in ("create", "delete") * ROUNDS:
        hold_row(f"snapshot {what}", what)
    with open(image("base.raw"), "wb") as file:
        for _ in range(GIB // (16 * MIB)):
            file.write(os.urandom(16 * MIB))
    for _ in range(ROUNDS):
        clone_with_snapshots()
        hold_row("flatten", "flatten")
    forget("big.qcow2", "base.raw")
    print()


def conversions():
    for title, source, target, our_options, options in (
            ("raw to qcow2", "full.raw", "out.qcow2", [], []),
            ("qcow2 to raw", "full.qcow2", "out.raw", [], []),
            ("raw to compressed qcow2", "text.raw", "out.qcow2", ["-c"], ["-c"])):
        fmt = target.split(".")[1]

        def mine(_):
            return timed(vmdesk, "disk", "convert", image(source), image(target), *our_options)

        def theirs(_):
            # Both leave the image on the disk.
            return timed("qemu-img", "convert", "-t", "writeback", "-O", fmt, *options,
                         image(source), image(target))

        times = best(mine, theirs, before=lambda: forget(target), tries=[None])
        row(f"convert {title}, {'256 MiB' if options else '512 MiB'}", *times)
        forget(target)


PARTS = {
    "sequential": sequential,
    "raw": lambda: allocated_io("raw"),
    "qcow2": lambda: allocated_io("qcow2"),
    "first": first_writes,
    "large": large,
    "snapshots": snapshots,
    "conversions": conversions,
}
# Which are compared with nothing else.
ALONE = {"holds": holds}


def main():
    names = sys.argv[3:] or [*PARTS, *ALONE]
    for name in names:
        if name in ALONE:
            ALONE[name]()
    parts = [name for name in names if name not in ALONE]
    if not parts:
        return
    run("qemu-img", "create", "-q", "-f", "raw", image("full.raw"), SIZE)
    with open(image("full.raw"), "r+b") as file:
        for _ in range(SIZE // (16 * MIB)):
            file.write(os.urandom(16 * MIB))
    with open(image("text.raw"), "wb") as file:
        for i in range(256 * 64):
            line = f"{i} all work and no play {os.urandom(4).hex()} ".encode()
            file.write((line * (16384 // len(line) + 1))[:16384])
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", image("full.raw"), image("full.qcow2"))
    print("| What | vmdesk | QEMU | times as fast as QEMU | of the plain file |\n"
          "|---|---|---|---|---|")
    for name in parts:
        PARTS[name]()


try:
    main()
finally:
    shutil.rmtree(scratch)
