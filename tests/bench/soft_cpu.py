#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The software CPU beside QEMU's TCG: a Debian kernel and a busybox, in one run.

usage: soft_cpu.py BUILD-FOLDER [--runs N] [--boots N] [--only NAME,...] [--no-peer]

Both guests wait at a prompt on the serial port and get the same work in turn. Prints a table of
medians, with QEMU's time over ours as the ratio. Times are what the processes had of the host's
processors, which other work of the host hardly touches. doc/BENCHMARKS.md explains the rows.
"""
import argparse
import glob
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from start_and_memory import TICK, Bench, overhead_kib

HERE = os.path.dirname(os.path.abspath(__file__))
RAM_MIB = 512
CACHE = os.environ.get("VMDESK_TEST_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "vmdesk-tests"
)
COMMAND_LINE = "console=ttyS0 earlyprintk=ttyS0 panic=-1"
LIMIT = 300  # seconds for any one thing

# What the guest's shell runs; the names are those of the rows.
WORK = {
    "register loop": "/loops register",
    "load/store loop": "/loops memory",
    "call/return": "/loops call",
    "rep movs": "/loops movs",
    "shell loop": "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done",
    "awk loop": "awk 'BEGIN { for (i = 0; i < 400000; i++) { s += i % 7; a[i % 100] = s } }'",
    "md5 of 16 MiB": "md5sum /data",
    "fork and exec": "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done",
    "pipes": "dd if=/dev/zero bs=512 count=20000 2>/dev/null | cat | wc -c",
    "sort in a pipe": "seq 20000 | sort -r | md5sum",
}

INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
stty -echo </dev/ttyS0
dd if=/dev/zero of=/data bs=1M count=16 2>/dev/null
echo "bench ready"
while read -r work; do
    case $work in
    off) poweroff -f ;;
    esac
    echo "bench begin"
    eval "$work" >/dev/null
    echo "bench end $?"
done
"""


def pack_initramfs(root, text):
    """The folder, with text as its init; the file lies beside it."""
    init = os.path.join(root, "init")
    with open(init, "w") as f:
        f.write(text)
    os.chmod(init, 0o755)
    path = root + ".cpio"
    names = subprocess.run(["find", "."], cwd=root, check=True, capture_output=True).stdout
    with open(path, "wb") as f:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names, stdout=f,
                       check=True)  # fmt: skip
    return path


def make_initramfs(folder):
    """busybox, the loops, and an init that runs what it reads."""
    root = os.path.join(folder, "root")
    for name in ("bin", "dev", "proc"):
        os.makedirs(os.path.join(root, name))
    shutil.copy("/bin/busybox", os.path.join(root, "bin"))
    for applet in "sh mount stty dd echo poweroff awk md5sum true cat wc seq sort".split():
        os.symlink("busybox", os.path.join(root, "bin", applet))
    subprocess.run(
        ["gcc", "-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-pie", "-no-pie",
         "-fno-stack-protector", "-o", os.path.join(root, "loops"),
         os.path.join(HERE, "soft_loops.c")], check=True,
    )  # fmt: skip
    return pack_initramfs(root, INIT)


def cpu_seconds(pid):
    """What all threads of a process have had of the processors, those that ended too."""
    return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid() has it


class Guest:
    """A machine that runs, by its serial socket."""

    def __init__(self, path, pid):
        self.pid = pid
        self.seconds = 0
        self.socket = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + LIMIT
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.001)
        self.socket.settimeout(LIMIT)
        self.text = b""

    def wait(self, pattern):
        """The processor time when pattern has come; what came up to it is taken."""
        while True:
            found = re.search(pattern, self.text)
            if found:
                self.text = self.text[found.end() :]
                return cpu_seconds(self.pid)
            more = self.socket.recv(65536)
            if not more:
                sys.exit(f"the guest is gone before {pattern}: {self.text[-500:]}")
            self.text += more

    def boot(self):
        """Seconds from the kernel's first line to init."""
        start = self.wait(rb"Linux version")
        return self.wait(rb"bench ready") - start

    def run(self, work):
        """Seconds of the processors; guest.seconds are those of the clock."""
        self.socket.sendall(work.encode() + b"\n")
        start = self.wait(rb"bench begin")
        begun = time.monotonic()
        end = self.wait(rb"bench end 0")
        self.seconds = time.monotonic() - begun
        return end - start

    def close(self):
        self.socket.close()


class SoftBench(Bench):
    def __init__(self, build, options):
        super().__init__(build, options.runs)
        self.boots = options.boots
        self.peer = options.peer
        self.kernel = max(glob.glob(CACHE + "/**/vmlinuz-*-cloud-amd64", recursive=True))
        self.initramfs = make_initramfs(self.dir)
        self.cli("create", "soft", "--memory", f"{RAM_MIB}M",
                 "--set", "machine.accel=soft", "--set", f"boot.kernel={self.kernel}",
                 "--set", f"boot.initrd={self.initramfs}",
                 "--set", f"boot.cmdline={COMMAND_LINE}")  # fmt: skip
        self.process = None

    def start_ours(self):
        self.cli("start", "soft")
        path = os.path.join(self.dir, "run", "vmdesk", "soft", "serial.sock")
        return Guest(path, self.engine_pid("soft"))

    def start_peer(self):
        path = os.path.join(self.dir, "qemu.serial")
        if os.path.exists(path):
            os.remove(path)
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-m", str(RAM_MIB),
             "-vga", "std", "-display", "none", "-vnc", "unix:" + self.dir + "/qemu.vnc",
             "-nodefaults", "-kernel", self.kernel, "-initrd", self.initramfs,
             "-append", COMMAND_LINE, "-serial", f"unix:{path},server=on,wait=off"],
            env=self.env, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return Guest(path, self.process.pid)

    def stop_ours(self, guest):
        self.cli("stop", "soft", "--force", "--wait", "20")
        guest.close()

    def stop_peer(self, guest):
        self.process.kill()
        self.process.wait()
        guest.close()

    def boot(self):
        """Both guests boot in turn; those of the last turn are kept."""
        ours, peer = [], []
        for last in range(self.boots - 1, -1, -1):
            guest = self.start_ours()
            ours.append(guest.boot())
            if last:
                self.stop_ours(guest)
            if self.peer:
                other = self.start_peer()
                peer.append(other.boot())
                if last:
                    self.stop_peer(other)
        self.row("kernel boot to init", ours, peer, "s")
        return guest, other if self.peer else None

    def compare(self, guest, other, name):
        ours, peer = [], []
        for _ in range(self.runs):
            ours.append(guest.run(WORK[name]))
            if other:
                peer.append(other.run(WORK[name]))
        self.row(name, ours, peer, "s")

    def at_rest(self, guest, other):
        """Memory, and processor time of a guest that waits for input."""
        pids = [self.engine_pid("soft")] + ([self.process.pid] if other else [])
        memory = [overhead_kib(pid, RAM_MIB) / 1024 for pid in pids]
        self.row("memory beyond guest RAM", memory[:1], memory[1:], "MiB")
        before = [self.cpu_ticks(pid) for pid in pids]
        time.sleep(10)
        idle = [(self.cpu_ticks(pid) - n) / TICK * 10 for pid, n in zip(pids, before)]
        self.row("CPU of an idle guest", idle[:1], idle[1:], "%")

    def row(self, name, ours, peer, unit, more=False):
        """Prints at once: a run is long. A ratio above 1 is in our favour; more: of more."""
        mine, other = statistics.median(ours), statistics.median(peer) if peer else 0
        ratio = f"{mine / other if more else other / mine:9.2f}" if peer and mine else ""
        print(f"{name:26}{mine:9.3f} {unit:3}{other:9.3f} {unit:3}{ratio}", flush=True)

    def run(self, names):
        print(f"{'':26}{'vmdesk':>13}{'QEMU':>13}{'ratio':>8}")
        guest, other = self.boot()
        time.sleep(2)
        if not names:
            self.at_rest(guest, other)
        for name in WORK:
            if not names or name in names:
                self.compare(guest, other, name)
        self.stop_ours(guest)
        if other:
            self.stop_peer(other)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        subprocess.run([self.vmdesk, "stop", "soft", "--force"], env=self.env, check=False,
                       capture_output=True)  # fmt: skip
        super().close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=5, help="samples of each work")
    parser.add_argument("--boots", type=int, default=3, help="samples of the boot")
    parser.add_argument("--only", default="", help="names of rows, with commas between")
    parser.add_argument("--no-peer", dest="peer", action="store_false", help="without QEMU")
    options = parser.parse_args()
    needs = {"gcc": "gcc", "cpio": "cpio", "/bin/busybox": "busybox-static"}
    if options.peer:
        needs["qemu-system-x86_64"] = "qemu-system-x86"
    missing = [package for program, package in needs.items() if not shutil.which(program)]
    if missing:
        sys.exit("missing: apt-get install " + " ".join(missing))
    if not glob.glob(CACHE + "/**/vmlinuz-*-cloud-amd64", recursive=True):
        sys.exit(f"no kernel in {CACHE}: run make check-guest GUEST_TESTS=tests/guest/test_linux.sh")
    bench = SoftBench(os.path.abspath(options.build), options)
    try:
        bench.run([name for name in options.only.split(",") if name])
    finally:
        bench.close()


if __name__ == "__main__":
    main()
