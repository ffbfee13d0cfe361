#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""USB sticks beside QEMU's: a Debian kernel on software CPUs, both sticks in each, in one run.

usage: usb_storage.py BUILD-FOLDER [--runs N] [--no-peer]

Both guests read the same sticks, one bulk-only and one UAS, on an xHCI with a tablet, and get the
same work in turn. Prints a table of medians, with QEMU's time over ours as the ratio. Times are
what the processes had of the host's processors. doc/BENCHMARKS.md explains the rows.
"""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import time

from soft_cpu import CACHE, COMMAND_LINE, RAM_MIB, Guest, SoftBench, pack_initramfs
from start_and_memory import TICK, Bench

KERNEL = max(glob.glob(CACHE + "/*/boot/vmlinuz-*[0-9]-amd64"), default=CACHE).split("/boot/")[0]
STICK_MIB = 64
SMALL = 2000  # reads of 4 KiB
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
while [ ! -e /dev/bulk ] || [ ! -e /dev/uas ]; do
    sleep 1
    for disk in sda sdb; do
        [ -e /dev/$disk ] || continue
        case $(readlink /sys/block/$disk/device/../../../driver) in
        */uas) ln -sf $disk /dev/uas ;;
        *) ln -sf $disk /dev/bulk ;;
        esac
    done
done
echo "bench ready"
while read -r work; do
    echo "bench begin"
    eval "$work" >/dev/null 2>&1
    echo "bench end $?"
done
"""

WORK = {
    f"{name}, {row}": f"dd if=/dev/{disk} of=/dev/null iflag=direct {how}"
    for name, disk in (("bulk-only", "bulk"), ("UAS", "uas"))
    for row, how in (
        (f"{STICK_MIB} MiB in 1 MiB", f"bs=1M count={STICK_MIB}"),
        (f"{SMALL} of 4 KiB", f"bs=4k count={SMALL}"),
    )
}


def make_initramfs(folder):
    """busybox, the drivers, and an init that runs what it reads."""
    root = os.path.join(folder, "root")
    for name in ("bin", "dev", "proc", "sys", "modules"):
        os.makedirs(os.path.join(root, name))
    shutil.copy("/bin/busybox", os.path.join(root, "bin"))
    for applet in "sh mount stty dd echo insmod sleep readlink ln".split():
        os.symlink("busybox", os.path.join(root, "bin", applet))
    for module in MODULES:
        for path in glob.glob(f"{KERNEL}/lib/modules/**/{module}.ko", recursive=True):
            shutil.copy(path, os.path.join(root, "modules"))
    with open(os.path.join(root, "modules", "order"), "w") as f:
        f.write("\n".join(MODULES) + "\n")
    return pack_initramfs(root, INIT)


class UsbBench(SoftBench):
    """The guests of soft_cpu.py, with sticks."""

    def __init__(self, build, options):
        Bench.__init__(self, build, options.runs)
        self.peer = options.peer
        self.process = None
        self.control_tool = os.path.join(build, "tests/guest/control_tool")
        self.kernel = glob.glob(KERNEL + "/boot/vmlinuz-*")[0]
        self.initramfs = make_initramfs(self.dir)
        self.sticks = [os.path.join(self.dir, name) for name in ("bulk.img", "uas.img")]
        for path in self.sticks:
            with open(path, "wb") as f:
                f.write(os.urandom(1 << 20) * STICK_MIB)
            shutil.copy(path, path + ".peer")
        self.cli("create", "soft", "--memory", f"{RAM_MIB}M",
                 "--set", "machine.accel=soft", "--set", f"boot.kernel={self.kernel}",
                 "--set", f"boot.initrd={self.initramfs}",
                 "--set", f"boot.cmdline={COMMAND_LINE}",
                 "--set", f"usb.storage={self.sticks[0]}")  # fmt: skip

    def start_ours(self):
        guest = super().start_ours()
        control = os.path.join(self.dir, "run", "vmdesk", "soft", "control.sock")
        subprocess.run(
            [self.control_tool, control, "call", "device_add",
             f'{{"driver":"usb-uas","id":"uas","file":"{self.sticks[1]}"}}'],
            check=True, capture_output=True,
        )  # fmt: skip
        return guest

    def start_peer(self):
        path = os.path.join(self.dir, "qemu.serial")
        drive = "if=none,format=raw,file="
        sticks = [path + ".peer" for path in self.sticks]  # ours are locked
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-m", str(RAM_MIB),
             "-vga", "std", "-display", "none", "-vnc", "unix:" + self.dir + "/qemu.vnc",
             "-nodefaults", "-kernel", self.kernel, "-initrd", self.initramfs,
             "-append", COMMAND_LINE, "-serial", f"unix:{path},server=on,wait=off",
             "-device", "qemu-xhci", "-device", "usb-tablet",
             "-drive", f"{drive}{sticks[0]},id=bulk", "-device", "usb-storage,drive=bulk",
             "-drive", f"{drive}{sticks[1]},id=uas", "-device", "usb-uas,id=scsi",
             "-device", "scsi-hd,bus=scsi.0,drive=uas"],
            env=self.env, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return Guest(path, self.process.pid)

    def idle(self, pids):
        """Processor time of guests that wait for input, xHCI and tablet running."""
        before = [self.cpu_ticks(pid) for pid in pids]
        time.sleep(10)
        idle = [(self.cpu_ticks(pid) - n) / TICK * 10 for pid, n in zip(pids, before)]
        self.row("CPU, idle", idle[:1], idle[1:], "%")

    def measure(self):
        """All rows; the guests boot in turn and stay."""
        print(f"{'':26}{'vmdesk':>13}{'QEMU':>13}{'ratio':>8}")
        guests = [self.start_ours()]
        guests[0].boot()
        if self.peer:
            guests.append(self.start_peer())
            guests[1].boot()
        time.sleep(5)
        self.idle([guest.pid for guest in guests])
        for name, work in WORK.items():
            samples = [[guest.run(work) for guest in guests] for _ in range(self.runs)]
            columns = list(zip(*samples))
            self.row(name, columns[0], columns[1] if self.peer else (), "s")
        self.stop_ours(guests[0])
        if self.peer:
            self.stop_peer(guests[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=5, help="samples of each work")
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
