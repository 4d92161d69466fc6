"""
What runs beside training from time to time: looks at what it writes outside of its outputs (one at the end, and one a minute
while it goes on), and copies of its checkpoints.
"""

import subprocess
import time

from base.processes import own_command, start_detached

EVERY = 60
# The first one, after the start.
FIRST = 10


def looking(experiment, seconds, end):
    """The words of a look, with what the machine has to spare."""
    return ["nice", "-n", "19", *own_command("written", experiment=experiment, seconds=seconds, end=end)]


def look_elsewhere(experiment, seconds):
    """The look at the end, which is short: whoever stops a run waits for that. What people are told of it."""
    try:
        return (
            subprocess.run(
                looking(experiment, seconds, True),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=seconds * 2,
                check=False,
            )
            .stdout.decode(errors="replace")
            .strip()
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""


class Looks:
    """The looks while training goes on, one at a time."""

    def __init__(self, experiment):
        self.experiment = experiment
        self.at, self.process = time.monotonic() - EVERY + FIRST, None

    def look(self):
        if time.monotonic() - self.at < EVERY or (self.process is not None and self.process.poll() is None):
            return
        self.at = time.monotonic()
        self.process = start_detached(["timeout", "120", *looking(self.experiment, 60, False)])


class Copies:
    """The copies of new checkpoints, one at a time; `sync`: as a run's description has it, or None."""

    def __init__(self, experiment, sync):
        self.experiment, self.sync = experiment, sync
        self.at, self.process = time.monotonic(), None

    def look(self, ended=False):
        if self.sync is None or not (ended or time.monotonic() - self.at >= self.sync["seconds"]):
            return
        if self.process is not None and self.process.poll() is None and not ended:
            return
        self.at = time.monotonic()
        words = ["nice", "-n", "19", *own_command("checkpoint-save", experiment=self.experiment)]
        self.process = start_detached(words)
