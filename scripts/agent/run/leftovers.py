"""Whether training that ended with 0, without a first step, has only put its work into the background."""

import os
import time

from base.processes import name_of, read, stat_of, words_of
from run.processes import Processes

TICKS = os.sysconf("SC_CLK_TCK")
SETTLE = 2
# Started in the command's last seconds: the command ended because it had started it.
LAST = 5
# A command that took so long and wrote results has trained, whatever else it started.
LONG = 60
# Longer than anybody waits to see a background process come up.
WAITING = 300
# Of a second: what does less than that waits, or is a service.
BUSY = 0.4
MOVED = 1 << 20
QUIET = 3
HELPERS = """
tensorboard wandb mlflow aim jupyter gpustat nvidia-smi nvtop dcgm top htop watch tail sleep ssh-agent gpg-agent
dbus-daemon resource_tracker semaphore_tracker compile_worker
""".split()
SHELLS = ("sh", "bash", "dash", "zsh", "tmux: server", "tmux: client", "screen", "SCREEN")


class Process:
    def __init__(self, pid):
        fields = stat_of(pid)
        self.name = name_of(pid)
        self.lives = fields is not None
        if self.lives:
            self.started = int(fields[19])
            self.worked = (int(fields[11]) + int(fields[12])) / TICKS
            self.words = [word.decode("utf-8", "replace") for word in words_of(pid)]

    def is_helper(self):
        words = [os.path.basename(word) for word in self.words[:3]] + [self.name]
        return any(helper in word if len(helper) > 5 else helper == word for helper in HELPERS for word in words)

    def is_shell(self):
        return self.name in SHELLS

    def shown(self):
        return " ".join(" ".join(self.words).split())[:120] or self.name


class Work:
    """What of a run works: computes, or moves data."""

    def __init__(self, processes):
        self.processes = processes

    def goes_on(self):
        """The command lines of what works. Waits up to QUIET seconds for it: an epoch's end may be still for a moment."""
        until = time.monotonic() + QUIET
        before = self.used()
        while before and time.monotonic() < until:
            time.sleep(1)
            now = self.used()
            working = [pid for pid, used in now.items() if pid in before and is_work(before[pid], used)]
            if working:
                return [Process(pid).shown() for pid in working[:5]]
            before = now
        return []

    def used(self):
        """Processor time that it had or waited for in seconds, and bytes read and written, of each process that is no helper and no shell."""
        found = {pid: Process(pid) for pid in self.processes.now()}
        return {
            pid: (each.worked + waited_by(pid), moved_by(pid))
            for pid, each in found.items()
            if each.lives and not each.is_helper() and not each.is_shell()
        }


def is_work(before, now):
    return now[0] - before[0] >= BUSY or now[1] - before[1] >= MOVED


def waited_by(pid):
    """Seconds for which the threads of a process have waited for a processor that others had."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return 0
    fields = [read(pid, f"task/{thread}/schedstat").split() for thread in threads]
    return sum(int(each[1]) for each in fields if len(each) > 1) / 1e9


def moved_by(pid):
    """Bytes that a process has read and written; 0 of another user's."""
    fields = dict(line.split(b": ") for line in read(pid, "io").splitlines() if b": " in line)
    return int(fields.get(b"rchar", 0)) + int(fields.get(b"wchar", 0))


def left_of(attempt, outputs):
    """
    What goes on of an attempt, after up to 2 s for what ends by itself: ("detached", command lines) where training
    detached itself, ("beside", command lines) where something runs on beside a training that was done, ("helpers", command
    lines) where that is known helpers alone, ("", []) where nothing is left. Detached is what was started when the command was about to end, or has worked more than the command
    that did nothing but wait; no known helper; and no training that took its minute and wrote results before.
    """
    end = attempt.get("trainingEnd")
    processes = Processes(attempt)
    until = time.monotonic() + SETTLE
    while True:
        left = [each for each in map(Process, processes.now()) if each.lives]
        if not left:
            return "", []
        if time.monotonic() >= until:
            break
        time.sleep(0.2)
    suspects = [each for each in left if detached_itself(each, end, attempt.get("mark", 0) / 1e9, outputs)]
    if suspects:
        return "detached", [each.shown() for each in suspects[:5]]
    work = [each for each in left if not (each.is_helper() or each.is_shell())]
    return "beside" if work else "helpers", [each.shown() for each in (work or left)[:5]]


def detached_itself(process, end, mark, outputs):
    if process.is_helper() or process.is_shell():
        return False
    before_end = (end["ticks"] - process.started) / TICKS
    if before_end <= LAST:
        started_at = time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - process.started / TICKS)
        return not (end["seconds"] >= LONG and wrote_before(outputs, mark, started_at))
    return end["seconds"] < WAITING and end["worked"] < 1 + end["seconds"] / 10 and process.worked > end["worked"]


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
