# SPDX-License-Identifier: GPL-2.0-or-later
"""Which part of a machine's processor time is not the guest's processor, by sampling.

Samples count as device code on every thread but the vCPUs', and on a vCPU's where a function
through which guest code reaches devices and its interrupt controller is in the call chain; with
them what the host's kernel does for it. doc/BENCHMARKS.md says how far that can be trusted.
"""
import os
import re
import shutil
import signal
import subprocess
import time

HERTZ = 1000

# A vCPU's threads, and the functions: both programs show them, stripped or not.
OURS = (
    re.compile(r"vcpu"),
    {f"{kind}_{way}" for kind in ("accel_mmio", "accel_pio", "soft_lapic")
     for way in ("read", "write")},
)  # fmt: skip
QEMU = (
    re.compile(r"CPU \d+/"),  # with -name debug-threads=on
    {f"memory_region_dispatch_{way}" for way in ("read", "write")}
    | {f"cpu_{way}{size}" for way in ("in", "out") for size in "bwl"},
)
SAMPLE = re.compile(r"(\S.*?) +(\d+)\s*$")
FRAME = re.compile(r"\s+[0-9a-f]+ ([^ +]+)")


def command(folder, *arguments):
    path = os.path.join(folder, "perf.data")
    return ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(HERTZ),
            "--call-graph", "dwarf", "-o", path, *arguments]  # fmt: skip


def missing(folder):
    """Why nothing can be sampled here; None: it can."""
    if not shutil.which("perf"):
        return "no perf: apt-get install linux-perf"
    with open("/proc/sys/kernel/perf_event_paranoid") as f:
        if os.geteuid() != 0 and int(f.read()) > 1:
            return "kernel.perf_event_paranoid lets only root sample what the kernel does"
    tried = subprocess.run(command(folder, "true"), capture_output=True, text=True, check=False)
    if tried.returncode:
        return "perf: " + (tried.stderr.strip().splitlines() or ["it fails"])[0]
    return None


def classify(text, program):
    """The samples of perf script: all, and those of device code."""
    threads, functions = program
    total = device = 0
    for sample in text.split("\n\n"):
        head, *frames = sample.strip("\n").split("\n")
        thread = SAMPLE.match(head)
        if not thread:
            continue
        names = (FRAME.match(frame) for frame in frames)
        total += 1
        device += not threads.match(thread[1]) or any(
            name and name[1] in functions for name in names
        )
    return total, device


def sample(folder, pid, program, work):
    """Runs work; as classify() what the process did meanwhile."""
    path = os.path.join(folder, "perf.data")
    sampler = subprocess.Popen(command(folder, "-p", str(pid)), stderr=subprocess.DEVNULL)
    try:
        while sampler.poll() is None and not (os.path.exists(path) and os.path.getsize(path)):
            time.sleep(0.01)
        time.sleep(0.2)  # it begins right after it has written its header
        work()
    finally:
        sampler.send_signal(signal.SIGINT)
        sampler.wait()
    text = subprocess.run(
        ["perf", "script", "--no-inline", "-F", "comm,tid,ip,sym", "-i", path],
        capture_output=True, text=True, errors="replace", check=True,
    ).stdout  # fmt: skip
    os.remove(path)
    return classify(text, program)
