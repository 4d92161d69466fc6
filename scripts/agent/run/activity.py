"""Whether a run does anything: its log grows, or a GPU works."""

import os
import shutil
import subprocess
import time

from run.log import size_of

# GPUs are asked only while the log is silent for so long, and no more often than this.
SILENT = 5
BETWEEN = 10


def gpu_works():
    """Whether a GPU has something to do. One that cannot be asked may have: only a certain 0 is idle."""
    if shutil.which("nvidia-smi") is None:
        return False
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return True
    return any(line.strip() != b"0" for line in said.split(b"\n") if line) or not said.strip()


class Activity:
    """The last time at which the log grew or a GPU worked, on the monotonic clock."""

    def __init__(self, log, size):
        self.log, self.size = log, size
        self.at = time.monotonic()
        self.asked = float("-inf")

    def take_up(self, noted_at):
        """Nobody has looked at the GPUs meanwhile; the log knows when it grew."""
        self.size = size_of(self.log)
        quiet = time.time() - os.stat(self.log).st_mtime
        if noted_at is not None:
            quiet = min(quiet, time.time() - noted_at)
        self.at = time.monotonic() - quiet

    def look(self):
        end = size_of(self.log)
        now = time.monotonic()
        if end != self.size:
            self.size, self.at = end, now
        elif now - self.at >= SILENT and now - self.asked >= BETWEEN:
            self.asked = now
            self.ask()

    def ask(self):
        """Whether a GPU works, which counts."""
        works = gpu_works()
        if works:
            self.at = time.monotonic()
        return works

    def seconds(self):
        return time.monotonic() - self.at
