# SPDX-License-Identifier: GPL-2.0-or-later
"""Which part of a machine's processor time is not the guest's processor.

That is all of every thread but the vCPU's, and on the vCPU's, by samples, what has in its call chain
a function through which guest code reaches devices and its interrupt controller; with them what the
host's kernel does for it. doc/BENCHMARKS.md says how far that can be trusted.
"""
import os
import re
import shutil
import signal
import subprocess
import time

HERTZ = 1000

# The vCPU's thread, and the functions: both programs show them, stripped or not.
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


def find_vcpu(pid, program):
    """The thread of the machine's only vCPU."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm") as f:
            if program[0].match(f.read()):
                return int(thread)
    raise LookupError(f"{pid} has no vCPU")


def thread_seconds(pid, thread):
    """What it has had of the processors."""
    with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
        return int(f.read().split()[0]) / 1e9


def classify(text, program):
    """The samples of perf script: all, and those of device code."""
    samples = [text for text in text.split("\n\n") if text.strip()]
    device = 0
    for frames in samples:
        names = (FRAME.match(frame) for frame in frames.split("\n"))
        device += any(name and name[1] in program[1] for name in names)
    return len(samples), device


def sample(folder, thread, program, work):
    """Runs work; as classify() what the thread did meanwhile."""
    path = os.path.join(folder, "perf.data")
    sampler = subprocess.Popen(command(folder, "-t", str(thread)), stderr=subprocess.DEVNULL)
    try:
        while sampler.poll() is None and not (os.path.exists(path) and os.path.getsize(path)):
            time.sleep(0.01)
        time.sleep(0.2)  # it begins right after it has written its header
        work()
    finally:
        sampler.send_signal(signal.SIGINT)
        sampler.wait()
    text = subprocess.run(
        ["perf", "script", "--no-inline", "-F", "tid,ip,sym", "-i", path],
        capture_output=True, text=True, errors="replace", check=True,
    ).stdout  # fmt: skip
    os.remove(path)
    return classify(text, program)
