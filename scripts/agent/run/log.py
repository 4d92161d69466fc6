"""A run's log: the first training step in it, and when it grew."""

import mmap
import os
import re
import time

from base.document import takes
from base.pattern import Pattern
from base.text import last_lines, shown
from run.first_step import FirstStep
from run.state import Run

OURS = b"=== lambda-train: "
# Bytes of a line that are looked at; of one that goes on, those that are looked at again; and those of one look.
LONGEST = 65536
OVERLAP = 4096
AT_ONCE = 16 << 20
# Seconds between two notes of the time.
BETWEEN = 5
# Logged by several ranks, each line begins with its rank.
TRACEBACK = re.compile(rb"^(\[rank\d+\]:\s?|)Traceback \(most recent call last\):")
ERROR = re.compile(rb"[A-Za-z_][\w.]*(Error|Exception|Interrupt|Iteration|Timeout|Exit)(: |:?$)")
# PyTorch's advice below an error of CUDA.
MORE_OF_ERROR = re.compile(rb"CUDA kernel errors|For debugging|Compile with|Search for|Device-side assert")
CRASHED = re.compile(
    rb"^(Segmentation fault|Killed|Aborted|Bus error|Illegal instruction)( \(core dumped\))?$"
    rb"|^(/bin/)?(ba|da)?sh: (line )?\d+: .*: (command )?not found$"
)
KILLED = re.compile(rb"^g?make(\[[0-9]+\])?: .*(Killed|Error 137)$|line [0-9]+: +[0-9]+ Killed( |$)")


def size_of(log):
    try:
        return os.stat(log).st_size
    except OSError:
        return 0


def pieces_of(log, start, end):
    """
    (line, whether it has no end yet) for each line of a part of a log. A progress bar's returns count as line ends, our own
    lines are left out, and of a long line its beginning is what counts.
    """
    rest = b""
    with open(log, "rb") as file:
        file.seek(start)
        while start < end:
            block = file.read(min(1 << 20, end - start))
            if not block:
                break
            start += len(block)
            *lines, last = block.replace(b"\r", b"\n").split(b"\n")
            if lines:
                lines[0] = rest + lines[0]
                yield from ((line[:LONGEST], False) for line in lines if not line.startswith(OURS))
                rest = b""
            rest = (rest + last)[:LONGEST]
    if rest and not rest.startswith(OURS):
        yield rest, True


def lines_of(log, start, end):
    return (line for line, _ in pieces_of(log, start, end))


class Steps:
    """Looks for the first step in what a log got since an attempt began."""

    def __init__(self, log, begins, pattern):
        self.log, self.begins, self.scanned = log, begins, begins
        self.pattern = pattern
        self.steps = self.matcher()
        # The line without an end, as the last look saw it.
        self.open = b""

    def matcher(self):
        return FirstStep() if self.pattern is None else Pattern(self.pattern)

    def new(self, ended=False):
        """
        The first step's line in what is new; None without one. `ended`: nothing more will be written. Else a look takes
        no more than it can read while others wait.
        """
        size = size_of(self.log)
        end = size if ended else min(size, self.scanned + AT_ONCE)
        if end <= self.scanned:
            return None
        start, self.scanned, rest = self.scanned, end, b""
        for line, may_go_on in pieces_of(self.log, start, end):
            is_open = may_go_on and not ended
            rest = line if is_open else b""
            # A line is shown whole: one that has no end is a bar's, or is being written.
            if self.steps.matches(line, is_open) and (not is_open or line == self.open):
                return shown(line).decode("utf-8", "replace").strip()[:500]
        self.open = rest
        # A line without an end comes again, with more.
        self.scanned -= min(len(rest), OVERLAP)
        return None

    def before(self, end):
        """Whether there was one before the log had a size."""
        steps = self.matcher()
        return any(steps.matches(line) for line in lines_of(self.log, self.begins, max(end, self.begins)))


def beginning(attempt):
    """Size that the log had when an attempt began."""
    known = attempt.get("logStart")
    if known is not None or size_of(attempt.run.log) == 0:
        return known or 0
    mark = f"=== lambda-train: {attempt.run.experiment}, attempt {attempt.number}, started ".encode()
    with open(attempt.run.log, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return max(0, content.rfind(mark))


class Times:
    """A log has no times of its own: every few seconds in which it grew get a line "SECONDS SIZE" (see run/follow.py)."""

    def __init__(self, run):
        self.path = run.path("log.times")
        self.size, self.at = -1, float("-inf")

    def note(self, size, now=False):
        if not now and (size == self.size or time.monotonic() - self.at < BETWEEN):
            return
        try:
            with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="ascii") as times:
                times.write(f"{int(time.time())} {size}\n")
        except OSError:
            return
        self.size, self.at = size, time.monotonic()


def tells_of_a_kill(log):
    """Whether make or the shell, which end with a status of their own, say last that something was killed."""
    end = size_of(log)
    return any(KILLED.search(line) for line in list(lines_of(log, max(0, end - 4096), end))[-3:])


def error_at_end(log, begins, end):
    """The line of an error that nobody caught, where that is what was logged last before a size; None without one."""
    lines = [line for line in shown(b"\n".join(lines_of(log, max(begins, end - 32768), end))).split(b"\n") if line.strip()]
    if not lines:
        return None
    text = None
    if CRASHED.search(lines[-1]):
        text = lines[-1]
    traces = [at for at, line in enumerate(lines) if TRACEBACK.search(line)]
    # What Python ignores, as an error in a finalizer, ends nothing.
    if traces and b"Exception ignored in" not in lines[max(0, traces[-1] - 1)]:
        # Below a traceback's head its frames are indented; the first line that is not names the error.
        rank = TRACEBACK.search(lines[traces[-1]]).group(1)
        rest = [line[len(rank) :] if line.startswith(rank) else line for line in lines[traces[-1] + 1 :]]
        at = next((at for at, line in enumerate(rest) if not line[:1].isspace()), None)
        # What is logged after it was logged by a training that went on.
        if at is not None and ERROR.match(rest[at]) and all(MORE_OF_ERROR.match(line) for line in rest[at + 1 :]):
            text = rest[at]
    return None if text is None else text.decode("utf-8", "replace").strip()[:200]


@takes(experiment=str, log=str, lines=int)
def end_of(experiment, log, lines):
    """Prints the last lines of a run's log (`train` or `evaluate`), long ones cut."""
    run = Run(experiment)
    print("\n".join(last_lines(run.evaluation_log if log == "evaluate" else run.log, lines, 300)))
