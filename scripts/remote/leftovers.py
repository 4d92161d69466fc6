#!/usr/bin/env python3
"""Tells whether training that ended with 0, without a first step, has only put its work into the background.

Usage: leftovers.py FACTS EXPERIMENT OUTPUTS
  FACTS   folder of the attempt's facts: launcher, training_end and mark
  OUTPUTS folder in which the workload writes results
Waits up to 2 s for what ends by itself. Of what goes on then prints the command lines, the first line `detached` or
`beside`: training detached itself, or something runs on beside a training that was done. Prints nothing where nothing is
left. `detached` is what was started when the command was about to end, or has worked more than the command that did
nothing but wait; no known helper; and no training that took its minute and wrote results before.
Exit codes: 0, 2 usage.
"""
import os
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
SETTLE = 2
# Started in the command's last seconds: the command ended because it had started it.
LAST = 5
# A command that took so long and wrote results has trained, whatever else it started.
LONG = 60
# Longer than anybody waits to see a background process come up.
WAITING = 300
HELPERS = (
    "tensorboard", "wandb", "mlflow", "aim", "jupyter", "gpustat", "nvidia-smi", "nvtop", "dcgm", "top", "htop", "watch",
    "tail", "sleep", "ssh-agent", "gpg-agent", "dbus-daemon", "resource_tracker", "semaphore_tracker", "compile_worker",
)
SHELLS = ("sh", "bash", "dash", "zsh", "tmux: server", "tmux: client", "screen", "SCREEN")


def text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


class Process:
    def __init__(self, pid):
        name, _, rest = text("/proc/%s/stat" % pid).partition("(")[2].rpartition(") ")
        fields = rest.split()
        self.pid, self.name = int(pid), name
        self.lives = len(fields) > 19 and fields[0] not in "ZX"
        if self.lives:
            self.parent, self.started = int(fields[1]), int(fields[19])
            self.worked = (int(fields[11]) + int(fields[12])) / TICKS
            self.words = text("/proc/%s/cmdline" % pid).split("\0")

    def is_helper(self):
        words = [os.path.basename(word) for word in self.words[:3]] + [self.name]
        return any(helper in word if len(helper) > 5 else helper == word for helper in HELPERS for word in words)

    def is_shell(self):
        return self.name in SHELLS


def of_run(root, mark):
    """As run_now of run-processes.sh: by descent and by mark."""
    alive = {each.pid: each for each in map(Process, filter(str.isdigit, os.listdir("/proc"))) if each.lives}
    found = {pid for pid in alive if mark in text("/proc/%d/environ" % pid).split("\0")}
    more = {root}
    while more:
        more = {pid for pid, each in alive.items() if each.parent in more} - found
        found |= more
    return [alive[pid] for pid in sorted(found) if pid in alive]


def wrote_before(outputs, since, moment):
    """Whether results were written after the mark and before a moment."""
    for folder, _, files in os.walk(outputs):
        for name in files:
            try:
                seen = os.stat(os.path.join(folder, name))
            except OSError:
                continue
            if seen.st_size > 0 and since < seen.st_mtime < moment:
                return True
    return False


def detached_itself(process, end, mark, outputs):
    seconds, worked, ticks = end
    if process.is_helper() or process.is_shell():
        return False
    before_end = (ticks - process.started) / TICKS
    if before_end <= LAST:
        started_at = time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - process.started / TICKS)
        return not (seconds >= LONG and wrote_before(outputs, mark, started_at))
    return seconds < WAITING and worked < 1 + seconds / 10 and process.worked > worked


def main(facts, experiment, outputs):
    root = int(text(os.path.join(facts, "launcher")).split(" ")[0] or 0)
    _, seconds, worked, ticks, _ = map(float, text(os.path.join(facts, "training_end")).split())
    mark = os.stat(os.path.join(facts, "mark")).st_mtime
    until = time.monotonic() + SETTLE
    while True:
        left = of_run(root, "LAMBDA_TRAIN_RUN=" + experiment)
        if not left:
            return
        if time.monotonic() >= until:
            break
        time.sleep(0.2)
    suspects = [each for each in left if detached_itself(each, (seconds, worked, ticks), mark, outputs)]
    print("detached" if suspects else "beside")
    for each in (suspects or left)[:5]:
        print(" ".join(" ".join(each.words).split())[:120] or each.name)


if len(sys.argv) != 4:
    print(__doc__.split("\n")[2], file=sys.stderr)
    sys.exit(2)
main(*sys.argv[1:])
