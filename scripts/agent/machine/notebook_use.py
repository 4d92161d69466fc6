"""Whether the notebook on this instance is used: a forgotten one must not keep the instance."""

import os
import time

from base.files import BASE
from base.processes import stat_of

# Part of one processor that a kernel at work uses at the least. Jupyter alone uses less.
WORKING_SHARE = 0.05
# Seconds between two looks at processor times.
BETWEEN = 1
TICKS = os.sysconf("SC_CLK_TCK")


class Seen:
    """What the last look saw."""

    at = None
    ticks = {}
    # What began before the first look may be at work.
    works = True


def notebook_works(pids):
    """Whether a browser is connected, or a kernel has used a processor since the last look."""
    if not pids:
        Seen.at, Seen.works = None, True
        return False
    if is_connected():
        return True
    now = time.monotonic()
    if Seen.at is not None and now - Seen.at < BETWEEN:
        return Seen.works
    ticks = {pid: processor_ticks(pid) for pid in pids}
    if Seen.at is not None:
        used = sum(max(0, count - Seen.ticks.get(pid, 0)) for pid, count in ticks.items())
        Seen.works = used / TICKS > WORKING_SHARE * (now - Seen.at)
    Seen.at, Seen.ticks = now, ticks
    return Seen.works


def processor_ticks(pid):
    fields = stat_of(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def is_connected():
    """Whether a connection to the notebook's port is open: the tunnel makes one for each that the browser makes."""
    try:
        with open(os.path.join(BASE, "notebook", "port")) as file:
            port = int(file.read())
    except (OSError, ValueError):
        return False
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                lines = file.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            # 01: established.
            if fields[3] == "01" and int(fields[1].rpartition(":")[2], 16) == port:
                return True
    return False
