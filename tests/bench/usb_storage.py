#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""USB sticks beside QEMU's: a Debian kernel on software CPUs, all sticks in each, in one run.

usage: usb_storage.py BUILD-FOLDER [--runs N] [--only STICK,...] [--no-peer]

Both guests read the same sticks, one bulk-only, one UAS, and one that libusb passes through from a
usbfs of its own, on an xHCI with a tablet, and get the same work in turn. Prints a table of medians;
a ratio above 1 is in our favour. Times are what the processes had of the host's processors, and
what their device code had by samples. doc/BENCHMARKS.md explains the rows.
"""
import argparse
import glob
import os
import shutil
import statistics
import subprocess
import sys
import time

import device_code
from soft_cpu import CACHE, COMMAND_LINE, RAM_MIB, Guest, SoftBench, pack_initramfs
from start_and_memory import TICK, Bench

KERNEL = max(glob.glob(CACHE + "/*/boot/vmlinuz-*[0-9]-amd64"), default=CACHE).split("/boot/")[0]
STICK_MIB = 64
SMALL = 2000  # reads of 4 KiB
SAMPLED_SECONDS = 1  # at least, in one turn
# In the order of their needs.
MODULES = """usb-common usbcore xhci-hcd xhci-pci scsi_common scsi_mod crct10dif_common
    crct10dif_generic crc-t10dif crc64 crc64_rocksoft_generic crc64-rocksoft t10-pi sd_mod
    usb-storage uas hid usbhid hid-generic""".split()

INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
stty -echo </dev/ttyS0
while read -r module; do
    [ ! -f "/modules/$module.ko" ] || insmod "/modules/$module.ko"
done </modules/order
# Until they are there: known by name the one that is passed, by driver the others.
find_sticks() {
    for stick; do
        until [ -e /dev/$stick ]; do
            sleep 1
            for disk in sda sdb sdc; do
                [ -e /dev/$disk ] || continue
                at=/sys/block/$disk/device
                case $(cat $at/model)$(readlink $at/../../../driver) in
                Scripted*) ln -sf $disk /dev/passed ;;
                */uas) ln -sf $disk /dev/uas ;;
                *) ln -sf $disk /dev/bulk ;;
                esac
            done
        done
    done
}
echo "bench ready"
while read -r work; do
    echo "bench begin"
    eval "$work" >/dev/null 2>&1
    echo "bench end $?"
done
"""

STICKS = {"bulk-only": "bulk", "UAS": "uas", "passed": "passed"}
# Rows of each, with the bytes and number of reads.
ROWS = {
    f"{STICK_MIB} MiB in 1 MiB": (1 << 20, STICK_MIB),
    f"{SMALL} of 4 KiB": (4096, SMALL),
}


def make_initramfs(folder):
    """busybox, the drivers, and an init that runs what it reads."""
    root = os.path.join(folder, "root")
    for name in ("bin", "dev", "proc", "sys", "modules"):
        os.makedirs(os.path.join(root, name))
    shutil.copy("/bin/busybox", os.path.join(root, "bin"))
    for applet in "sh mount stty dd echo insmod sleep cat readlink ln".split():
        os.symlink("busybox", os.path.join(root, "bin", applet))
    for module in MODULES:
        for path in glob.glob(f"{KERNEL}/lib/modules/**/{module}.ko", recursive=True):
            shutil.copy(path, os.path.join(root, "modules"))
    with open(os.path.join(root, "modules", "order"), "w") as f:
        f.write("\n".join(MODULES) + "\n")
    return pack_initramfs(root, INIT)


def why_not_passed(program):
    """Why there is no usbfs to pass a stick from; None: there is."""
    if not os.access(program, os.X_OK):
        return f"no {program}: install libfuse3-dev and run make check"
    tried = subprocess.run([program, "true"], capture_output=True, text=True, check=False)
    return (tried.stderr.strip() or "fuse_usbfs fails") if tried.returncode else None


class UsbGuest(Guest):
    """A guest that knows what its vCPU had of the processors."""

    def __init__(self, path, pid, program):
        super().__init__(path, pid)
        self.program = program
        self.vcpu = None
        self.vcpu_seconds = 0  # in the last run
        self.marks = []

    def wait(self, pattern):
        seconds = super().wait(pattern)
        if self.vcpu:
            self.marks.append(device_code.thread_seconds(self.pid, self.vcpu))
        return seconds

    def run(self, work):
        self.vcpu = self.vcpu or device_code.find_vcpu(self.pid, self.program)
        self.marks = []
        seconds = super().run(work)
        self.vcpu_seconds = self.marks[1] - self.marks[0]
        return seconds


class UsbBench(SoftBench):
    """The guests of soft_cpu.py, with sticks."""

    def __init__(self, build, options):
        Bench.__init__(self, build, options.runs)
        self.peer = options.peer
        self.only = [name for name in options.only.split(",") if name]
        self.processes = []
        self.usbfs = os.path.join(build, "tests/usb/fuse_usbfs")
        self.no_passed = why_not_passed(self.usbfs)
        self.no_samples = device_code.missing(self.dir)
        self.control_tool = os.path.join(build, "tests/guest/control_tool")
        self.kernel = glob.glob(KERNEL + "/boot/vmlinuz-*")[0]
        self.initramfs = make_initramfs(self.dir)
        self.sticks = [os.path.join(self.dir, f"{name}.img") for name in STICKS.values()]
        for path in self.sticks:
            with open(path, "wb") as f:
                f.write(os.urandom(1 << 20) * STICK_MIB)
            shutil.copy(path, path + ".peer")
        self.cli("create", "soft", "--memory", f"{RAM_MIB}M",
                 "--set", "machine.accel=soft", "--set", f"boot.kernel={self.kernel}",
                 "--set", f"boot.initrd={self.initramfs}",
                 "--set", f"boot.cmdline={COMMAND_LINE}",
                 "--set", "usb.rules=1234:0001 always",
                 "--set", f"usb.storage={self.sticks[0]}")  # fmt: skip

    def run_program(self, command, stick):
        """Runs it on a computer that has the stick; returns its process id."""
        if not self.no_passed:
            command = [self.usbfs, "--simple", "--disk", stick, *command]
        process = subprocess.Popen(command, env=self.env, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        self.processes.append(process)
        if self.no_passed:
            return process.pid
        children = f"/proc/{process.pid}/task/{process.pid}/children"
        while process.poll() is None:
            with open(children) as f:
                child = f.read().split()
            if child:
                return int(child[0])
            time.sleep(0.01)
        sys.exit(f"{self.usbfs} ends at once")

    def start_ours(self):
        pid = self.run_program([self.engine, os.path.join(self.machines, "soft")], self.sticks[2])
        folder = os.path.join(self.dir, "run", "vmdesk", "soft")
        guest = UsbGuest(os.path.join(folder, "serial.sock"), pid, device_code.OURS)
        guest.boot()
        subprocess.run(
            [self.control_tool, os.path.join(folder, "control.sock"), "call", "device_add",
             f'{{"driver":"usb-uas","id":"uas","file":"{self.sticks[1]}"}}'],
            check=True, capture_output=True,
        )  # fmt: skip
        return guest

    def start_peer(self):
        path = os.path.join(self.dir, "qemu.serial")
        drive = "if=none,format=raw,file="
        sticks = [path + ".peer" for path in self.sticks]  # ours are locked
        command = [
            "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-m", str(RAM_MIB),
            "-name", "peer,debug-threads=on",
            "-vga", "std", "-display", "none", "-vnc", "unix:" + self.dir + "/qemu.vnc",
            "-nodefaults", "-kernel", self.kernel, "-initrd", self.initramfs,
            "-append", COMMAND_LINE, "-serial", f"unix:{path},server=on,wait=off",
            "-device", "qemu-xhci,p2=8", "-device", "usb-tablet",
            "-drive", f"{drive}{sticks[0]},id=bulk", "-device", "usb-storage,drive=bulk",
            "-drive", f"{drive}{sticks[1]},id=uas", "-device", "usb-uas,id=scsi",
            "-device", "scsi-hd,bus=scsi.0,drive=uas",
        ]  # fmt: skip
        if not self.no_passed:
            command += ["-device", "usb-host,hostdevice=/dev/bus/usb/001/002"]
        guest = UsbGuest(path, self.run_program(command, sticks[2]), device_code.QEMU)
        guest.boot()
        return guest

    def idle(self, pids):
        """Processor time of guests that wait for input, xHCI and tablet running."""
        before = [self.cpu_ticks(pid) for pid in pids]
        time.sleep(10)
        idle = [(self.cpu_ticks(pid) - n) / TICK * 10 for pid, n in zip(pids, before)]
        self.row("CPU, idle", idle[:1], idle[1:], "%")

    def device_time(self, guests, work, reads, cpu, vcpu):
        """Microseconds of device code a read: what its other threads had, and of what the vCPU's had
        the part that samples of more runs say."""
        repeats = int(SAMPLED_SECONDS / statistics.median(cpu[0])) + 1
        samples = [(0, 0) for _ in guests]
        for _ in range(self.runs):
            for i, guest in enumerate(guests):
                more = device_code.sample(self.dir, guest.vcpu, guest.program,
                                          lambda g=guest: [g.run(work) for _ in range(repeats)])
                samples[i] = [a + b for a, b in zip(samples[i], more)]
        each = [
            [(all_of - of_vcpu * (1 - device / max(total, 1))) / reads * 1e6
             for all_of, of_vcpu in zip(*seconds)]
            for (total, device), seconds in zip(samples, zip(cpu, vcpu))
        ]  # fmt: skip
        self.row("  device code a read", each[0], each[1] if self.peer else (), "us")

    def compare(self, guests, name, work, size, reads):
        """The rows of one kind of work."""
        cpu = [[] for _ in guests]
        vcpu = [[] for _ in guests]
        speed = [[] for _ in guests]
        for _ in range(self.runs):
            for i, guest in enumerate(guests):
                cpu[i].append(guest.run(work))
                vcpu[i].append(guest.vcpu_seconds)
                speed[i].append(size * reads / guest.seconds / 1e6)
        per_read = [[seconds / reads * 1e6 for seconds in samples] for samples in cpu]
        self.row(name, cpu[0], cpu[1] if self.peer else (), "s")
        self.row("  CPU a read", per_read[0], per_read[1] if self.peer else (), "us")
        if not self.no_samples:
            self.device_time(guests, work, reads, cpu, vcpu)
        self.row("  speed", speed[0], speed[1] if self.peer else (), "MB/s", more=True)

    def measure(self):
        """All rows; the guests boot in turn and stay."""
        for row, why in (("passed", self.no_passed), ("device code", self.no_samples)):
            if why:
                print(f"skipped: {row}: {why}")
        sticks = {k: v for k, v in STICKS.items() if k != "passed" or not self.no_passed}
        print(f"{'':26}{'vmdesk':>13}{'QEMU':>13}{'ratio':>8}")
        guests = [self.start_ours()]
        if self.peer:
            guests.append(self.start_peer())
        for guest in guests:
            guest.run("find_sticks " + " ".join(sticks.values()))
        time.sleep(5)
        self.idle([guest.pid for guest in guests])
        for kind, stick in sticks.items():
            if self.only and kind not in self.only:
                continue
            for name, (size, reads) in ROWS.items():
                work = f"dd if=/dev/{stick} of=/dev/null iflag=direct bs={size} count={reads}"
                self.compare(guests, f"{kind}, {name}", work, size, reads)
        for guest in guests:
            guest.close()

    def close(self):
        """What runs them ends with its programs, and they with it."""
        subprocess.run([self.vmdesk, "stop", "soft", "--force", "--wait", "20"], env=self.env,
                       check=False, capture_output=True)  # fmt: skip
        for process in self.processes:
            process.kill()
            process.wait()
        Bench.close(self)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=5, help="samples of each work")
    parser.add_argument("--only", default="", help="names of sticks, with commas between")
    parser.add_argument("--no-peer", dest="peer", action="store_false", help="without QEMU")
    options = parser.parse_args()
    needs = {"cpio": "cpio", "/bin/busybox": "busybox-static"}
    if options.peer:
        needs["qemu-system-x86_64"] = "qemu-system-x86"
    missing = [package for program, package in needs.items() if not shutil.which(program)]
    if missing:
        sys.exit("missing: apt-get install " + " ".join(missing))
    if not glob.glob(KERNEL + "/boot/vmlinuz-*"):
        sys.exit(f"no kernel in {CACHE}: run make check-guest GUEST_TESTS=tests/guest/test_usb_linux.sh")
    bench = UsbBench(os.path.abspath(options.build), options)
    try:
        bench.measure()
    finally:
        bench.close()


if __name__ == "__main__":
    main()
