"""An experiment's log, piece by piece, until the current attempt has ended. Times are told by the file log.times beside it."""

import os
import time
from binascii import b2a_base64
from collections import deque

from base.document import Maybe, takes
from base.files import modified
from base.secrets import cover_end
from run.session import take_up
from run.standing import is_unsupervised
from run.state import Run

BLOCK = 65536
PAUSE = 0.2
# Bytes of the last lines.
MOST_LINES = 4 << 20
# Seconds that a question waits for something new.
LONGEST = 20


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
    """Bytes that were there before a time: those of the last note that is not later. None where there are no notes."""
    offset = 0
    try:
        times = open(run.path("log.times"), encoding="ascii")
    except OSError:
        return None
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


def last_states(line, bar):
    """A line without the earlier states of its progress bar: those that more than so many bytes follow."""
    if len(line) <= bar:
        return line
    end = len(line.rstrip(b"\r"))
    at = line.find(b"\r", max(0, len(line) - bar), end)
    if at < 0:
        at = line.rfind(b"\r", 0, end)
    return line[at + 1 :]


def shortened(log, start, end, bar):
    """
    What the log's last lines show, no longer than MOST_LINES. It ends as the log does: see `anchor` in `piece`.
    """
    tail = max(start, end - 64)
    lines, together, rest, place = deque(), 0, b"", start
    while place < tail:
        log.seek(place)
        block = log.read(min(16 * BLOCK, tail - place))
        if not block:
            break
        place += len(block)
        *ended, rest = (rest + block).split(b"\n")
        rest = last_states(rest, bar)[-MOST_LINES:]
        for line in ended:
            lines.append(last_states(line, bar)[-MOST_LINES:] + b"\n")
            together += len(lines[-1])
            while together > MOST_LINES:
                together -= len(lines.popleft())
    log.seek(tail)
    return b"".join(lines) + rest + log.read(end - tail)


@takes(experiment=str, start=str, most=int, wait=bool, bar=Maybe(int))
def piece(experiment, start, most, wait, bar):
    """
    {"offset", "data" in base64, "size" of the whole log, "over": there is nothing more, and nothing will come}; or
    {"missing": "log"} where there is none (yet), {"missing": "times"} where it has no times. An offset that is less than
    what was asked for says that the log was cut short or replaced, and begins anew. `start`:
      byte:N[:ANCHOR]  after N bytes, which ended in ANCHOR (hex): where they do not any more, the log is another one
      lines:N          with the last N lines
      at:SECONDS       with what was written since then (seconds since the epoch)
      ago:SECONDS      with what was written in the last seconds
    `most`: bytes. `bar`: the lines come at once; of one that is longer only what its progress bar shows last. `wait`: for something new, as long as the attempt goes on.
    """
    run = Run(experiment)
    if is_unsupervised(run.newest()):
        take_up(run)
    until, covered = time.monotonic() + LONGEST, None
    while True:
        # Asked first: what is written before the end is then surely read.
        more = wait and goes_on(run)
        if modified(run.log) != covered:
            cover_end(run.log)
            covered = modified(run.log)
        try:
            log = open(run.log, "rb")
        except OSError:
            if more and time.monotonic() < until:
                time.sleep(PAUSE)
                continue
            return {"missing": "log"}
        with log:
            size = log.seek(0, os.SEEK_END)
            offset = start_of(run, log, size, start)
            if offset is None:
                return {"missing": "times"}
            if bar is not None and start.startswith("lines:"):
                data = shortened(log, offset, size, bar)
                offset = size - len(data)
            else:
                log.seek(offset)
                data = log.read(most)
        is_new = data or not start.startswith(f"byte:{offset}:")
        if is_new or not more or time.monotonic() >= until:
            known = {"offset": offset, "data": b2a_base64(data, newline=False).decode(), "size": size}
            return {**known, "over": not data and not more}
        time.sleep(PAUSE)
