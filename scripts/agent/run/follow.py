"""Sends an experiment's log from a place on, and goes on until the current attempt has ended.

Frames: a line "OFFSET LENGTH", then LENGTH bytes of the log from OFFSET on. An offset that is less than what was sent says
that the log was cut short or replaced, and begins anew. Times are told by the file log.times beside the log.
"""

import os
import select
import sys
import time

from base.document import takes
from run.state import Run

BLOCK = 65536
PAUSE_MS = 200
# Bytes before a place by which the log is known again.
ANCHOR = 64
NO_LOG, NO_TIMES = 44, 45


def goes_on(run):
    """Whether the current attempt's supervisor lives, or what started its training and outlives that."""
    attempt = run.newest()
    if attempt is None:
        return False
    if not attempt.has("supervisor"):
        return attempt.is_young()
    return attempt.lives("supervisor") or attempt.lives("launcher")


def before_lines(log, end, count):
    """Bytes before the last lines; a line that is not ended yet is one."""
    place = end
    if end == 0:
        return 0
    log.seek(end - 1)
    left = count + 1 if log.read(1) == b"\n" else count
    while place > 0:
        size = min(BLOCK, place)
        place -= size
        log.seek(place)
        block = log.read(size)
        at = len(block)
        while left > 0:
            at = block.rfind(b"\n", 0, at)
            if at < 0:
                break
            left -= 1
            if left == 0:
                return place + at + 1
    return 0


def line_start(log, offset):
    """The beginning of the line that holds this place."""
    place = offset
    while place > 0:
        size = min(BLOCK, place)
        log.seek(place - size)
        at = log.read(size).rfind(b"\n")
        if at >= 0:
            return place - size + at + 1
        place -= size
    return 0


def before_time(run, log, end, since):
    """Bytes that were there before a time: those of the last note that is not later."""
    offset = 0
    try:
        times = open(run.path("log.times"), encoding="ascii")
    except OSError:
        sys.exit(NO_TIMES)
    with times:
        for line in times:
            seconds, _, size = line.partition(" ")
            # A clock that was set back begins again.
            if seconds.isdigit() and size.strip().isdigit() and int(seconds) <= since:
                offset = int(size)
    return line_start(log, offset) if offset <= end else 0


def start_of(run, log, end, start):
    kind, _, value = start.partition(":")
    if kind == "lines":
        return before_lines(log, end, int(value))
    if kind == "at":
        return before_time(run, log, end, int(value))
    if kind == "ago":
        return before_time(run, log, end, int(time.time()) - int(value))
    offset, _, anchor = value.partition(":")
    offset, anchor = int(offset), bytes.fromhex(anchor)
    if end < offset:
        return 0
    log.seek(offset - len(anchor))
    return offset if log.read(len(anchor)) == anchor else 0


def replaced(log, path):
    """Whether the path leads to another file by now."""
    try:
        now, mine = os.stat(path), os.fstat(log.fileno())
    except OSError:
        return False
    return (now.st_ino, now.st_dev) != (mine.st_ino, mine.st_dev)


def send(offset, data):
    out = sys.stdout.buffer
    out.write(b"%d %d\n" % (offset, len(data)))
    out.write(data)
    out.flush()


@takes(experiment=str, mode=str, start=str)
def follow(experiment, mode, start):
    """
    `mode`: follow, or once: to the end that the log has at the start, however fast it grows. `start`:
      byte:N[:ANCHOR]  after N bytes, which ended in ANCHOR (hex): where they do not any more, the log is another one
      lines:N          with the last N lines
      at:SECONDS       with what was written since then (seconds since the epoch)
      ago:SECONDS      with what was written in the last seconds
    Exit codes: 0 ended, 44 there is no log (yet), 45 the log has no times.
    """
    run = Run(experiment)
    path = run.log
    try:
        log = open(path, "rb")
    except OSError:
        sys.exit(NO_LOG)
    end = log.seek(0, os.SEEK_END)
    offset = start_of(run, log, end, start)
    anchor = b""
    send(offset, anchor)
    reader = select.poll()
    reader.register(sys.stdout.fileno(), 0)
    while True:
        # Asked first: what is written before the end is then surely read.
        more = mode == "follow" and goes_on(run)
        while True:
            log.seek(offset - len(anchor))
            block = BLOCK if mode == "follow" else min(BLOCK, end - offset)
            data = log.read(len(anchor) + block)
            if not data.startswith(anchor):
                offset, anchor = 0, b""
                continue
            new = data[len(anchor) :]
            if not new:
                break
            send(offset, new)
            offset, anchor = offset + len(new), data[-ANCHOR:]
        if mode == "follow" and replaced(log, path):
            log.close()
            log = open(path, "rb")
            offset, anchor = 0, b""
            continue
        if not more:
            return
        # A reader whose connection was lost is not to be waited for until the log grows.
        if reader.poll(PAUSE_MS):
            return
