#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Start time, memory and idle CPU of vmdesk beside QEMU, in one run.

usage: start_and_memory.py BUILD-FOLDER [--runs N]

Prints a table of medians and the ratio of each to QEMU's. doc/BENCHMARKS.md explains the rows.
"""
import argparse
import json
import os
import pty
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

RAM_MIB = 128
SEABIOS = "/usr/share/seabios"
TICK = os.sysconf("SC_CLK_TCK")


def first_instruction_firmware():
    """A firmware whose first instructions, at the reset vector, write a byte to the serial port."""
    image = bytearray(256 * 1024)
    # mov dx, 0x3f8; mov al, 'x'; out dx, al; hlt; jmp to the hlt
    code = bytes([0xBA, 0xF8, 0x03, 0xB0, 0x78, 0xEE, 0xF4, 0xEB, 0xFD])
    image[-16 : -16 + len(code)] = code
    return bytes(image)


def overhead_kib(pid, ram_mib):
    """Pss of all mappings but the guest's RAM, known by its size."""
    total, inside = 0, False
    with open(f"/proc/{pid}/smaps") as smaps:
        for line in smaps:
            span = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
            if span:
                size = int(span[2], 16) - int(span[1], 16)
                inside = size == ram_mib << 20
            elif line.startswith("Pss:") and not inside:
                total += int(line.split()[1])
    return total


class Bench:
    def __init__(self, build, runs):
        self.runs = runs
        self.vmdesk = os.path.join(build, "vmdesk")
        self.engine = os.path.join(build, "vmdesk-engine")
        self.dir = tempfile.mkdtemp(prefix="vmdesk-bench-")
        self.firmware = os.path.join(self.dir, "firmware")
        os.mkdir(self.firmware)
        with open(os.path.join(self.firmware, "bios-256k.bin"), "wb") as f:
            f.write(first_instruction_firmware())
        os.mkdir(os.path.join(self.dir, "run"), 0o700)
        self.env = dict(
            os.environ,
            XDG_DATA_HOME=os.path.join(self.dir, "data"),
            XDG_RUNTIME_DIR=os.path.join(self.dir, "run"),
            TERM="xterm-256color",
        )
        self.machines = os.path.join(self.dir, "data", "vmdesk", "machines")
        self.rows = []

    def cli(self, *args):
        return subprocess.run(
            [self.vmdesk, *args], env=self.env, check=True, capture_output=True, text=True
        ).stdout

    def qemu(self, *args):
        return [
            "qemu-system-x86_64", "-machine", "q35", "-accel", "kvm", "-vga", "std",
            "-m", str(RAM_MIB), "-display", "none",
            "-vnc", "unix:" + os.path.join(self.dir, "qemu.vnc"), "-nodefaults", *args,
        ]  # fmt: skip

    def row(self, name, ours, peer, unit):
        self.rows.append((name, ours, peer, unit))

    def time_to_byte(self, command, env, output, end):
        """From starting command until output has a byte, in ms."""
        if os.path.exists(output):
            os.remove(output)
        start = time.monotonic()
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        while not (os.path.exists(output) and os.path.getsize(output)):
            time.sleep(0.0001)
        elapsed = time.monotonic() - start
        end(process)
        process.wait()
        return elapsed * 1000

    def start_time(self):
        """From exec of the start command to the guest's first instructions."""
        output = os.path.join(self.dir, "serial")
        self.cli("create", "first", "--memory", f"{RAM_MIB}M", "--set", "machine.accel=kvm",
                 "--set", "serial.port=file", "--set", f"serial.file={output}")  # fmt: skip
        ours = dict(self.env, VMDESK_FIRMWARE_PATH=f"{self.firmware}:{SEABIOS}")
        bios = os.path.join(self.firmware, "bios-256k.bin")
        kill = subprocess.Popen.kill
        commands = [
            ([self.vmdesk, "start", "first"], ours, lambda _: self.cli("stop", "first", "--force")),
            ([self.engine, os.path.join(self.machines, "first")], ours, kill),
            (self.qemu("-bios", bios, "-serial", f"file:{output}"), self.env, kill),
        ]
        # In turn, so that whatever else the host does falls on all of them.
        samples = [
            [self.time_to_byte(command, env, output, end) for command, env, end in commands]
            for _ in range(self.runs)
        ]
        start, engine, peer = (statistics.median(column) for column in zip(*samples))
        self.row("vmdesk start to first instruction", start, peer, "ms")
        self.row("the engine alone", engine, peer, "ms")

    def engine_pid(self, name):
        return json.loads(self.cli("show", name, "--json"))["pid"]

    @staticmethod
    def cpu_ticks(pid):
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def idle_cpu(self, pid, seconds=10):
        before = self.cpu_ticks(pid)
        time.sleep(seconds)
        return (self.cpu_ticks(pid) - before) / TICK / seconds * 100

    def memory(self):
        """With SeaBIOS up and waiting, VGA and VNC on, and no viewer."""
        self.cli("create", "idle", "--memory", f"{RAM_MIB}M", "--set", "machine.accel=kvm")
        self.cli("start", "idle")
        peer = subprocess.Popen(self.qemu(), env=self.env)
        time.sleep(25)  # both have shown that nothing boots, and wait
        pid = self.engine_pid("idle")
        self.row("memory beyond guest RAM", overhead_kib(pid, RAM_MIB) / 1024,
                 overhead_kib(peer.pid, RAM_MIB) / 1024, "MiB")  # fmt: skip
        self.cli("pause", "idle")
        peer.send_signal(signal.SIGSTOP)
        self.row("CPU of the paused engine", self.idle_cpu(pid), self.idle_cpu(peer.pid), "%")
        peer.kill()
        peer.wait()
        self.cli("stop", "idle", "--force")

    def first_frame(self):
        """From exec of the interface until the list is on the terminal, 100 machines defined."""
        for i in range(100):
            self.cli("create", f"machine{i:03}", "--memory", "16M")
        samples = []
        for _ in range(self.runs):
            start = time.monotonic()
            pid, fd = pty.fork()
            if pid == 0:
                os.environ.update(self.env, LINES="24", COLUMNS="80")
                os.execv(self.vmdesk, [self.vmdesk])
            seen = b""
            while b"machine000" not in seen and time.monotonic() - start < 10:
                if select.select([fd], [], [], 1)[0]:
                    seen += os.read(fd, 65536)
            samples.append((time.monotonic() - start) * 1000)
            if len(samples) == self.runs:
                time.sleep(1)
                self.row("CPU of the idle interface", self.idle_cpu(pid), 0, "%")
            os.kill(pid, signal.SIGTERM)
            os.close(fd)
            os.waitpid(pid, 0)
        self.row("first frame, 100 machines", statistics.median(samples), 0, "ms")

    def report(self):
        print(f"{'':36}{'vmdesk':>12}{'QEMU':>12}{'ratio':>9}")
        for name, ours, peer, unit in self.rows:
            other = f"{peer:8.2f} {unit:3}" if peer else "-"
            ratio = f"{ours / peer:9.3f}" if peer else f"{'-':>9}"
            print(f"{name:36}{ours:8.2f} {unit:3}{other:>12}{ratio}")

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    if shutil.which("qemu-system-x86_64") is None:
        sys.exit("the peer is missing: apt-get install qemu-system-x86")
    bench = Bench(os.path.abspath(options.build), options.runs)
    try:
        bench.start_time()
        bench.memory()
        bench.first_frame()
        bench.report()
    finally:
        bench.close()


if __name__ == "__main__":
    main()
