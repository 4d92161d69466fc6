"""
Which files the processes of a run have open for writing: the folders of these are known by who wrote there, wherever they
lie and whosever they are. What is opened, written and closed between two looks is not seen; its time tells of it, where
the place is looked through.
"""

import os
import stat
import time

from base.files import BASE, read_json, write_json
from base.processes import fields_of, stat_of

# A look takes at most this part of one processor.
SHARE = 1 / 100
SHORTEST_PAUSE = 1
# Between two questions to root, each of which starts processes and is logged: the first, and the longest. And how long one
# may take.
ROOTS_PAUSES = (2, 15)
SECONDS = 5
MOST_PLACES = 500
# No files, or nothing that is there afterwards.
NOWHERE = ("/proc/", "/sys/", "/dev/pts/", "/memfd:", "/dev/nvidia")
HOME = os.path.realpath(os.path.expanduser("~"))


def places_file(run):
    return run.path("writers.json")


def written_by(run):
    """The folders in which processes of the run were seen to write, outside of the home folder."""
    known = read_json(places_file(run), [])
    return known if isinstance(known, list) else []


class Writers:
    """The looks while training goes on."""

    def __init__(self, run, processes):
        self.run, self.processes = run, processes
        self.known = set(written_by(run))
        self.due = self.roots_due = 0
        self.roots_pause = ROOTS_PAUSES[0]

    def look(self):
        began = time.monotonic()
        if began < self.due:
            return
        # As the processor's time, not the clock's: the machine may be busy with training.
        spent = time.process_time()
        found, closed = open_files(self.processes.now())
        if closed and began >= self.roots_due:
            self.roots_due = began + self.roots_pause
            self.roots_pause = min(self.roots_pause * 2, ROOTS_PAUSES[1])
            found.update(roots_files(closed))
        folders = {os.path.dirname(path) for path in found if is_elsewhere(path) and is_regular(path)} - {"/"}
        new = sorted(folders - self.known)[: max(0, MOST_PLACES - len(self.known))]
        if new:
            self.known.update(new)
            try:
                write_json(places_file(self.run), sorted(self.known))
            except OSError:
                pass  # The disk is full: what is seen by its time is as good as that goes.
        self.due = time.monotonic() + max(SHORTEST_PAUSE, (time.process_time() - spent) / SHARE)


def open_files(pids):
    """What processes have open for writing; and those of them of which only root may know."""
    found, closed = set(), []
    for pid in pids:
        try:
            with os.scandir(f"/proc/{pid}/fd") as entries:
                for entry in entries:
                    # The link's rights tell how it was opened.
                    if entry.stat(follow_symlinks=False).st_mode & 0o200:
                        found.add(os.readlink(entry.path))
        except PermissionError:
            closed.append(pid)
        except OSError:
            pass  # It has ended.
    return found, [pid for pid in closed if stat_of(pid)]


def roots_files(pids):
    """Files that another user's processes have open for writing, as with `sudo python train.py`."""
    folders = [f"/proc/{pid}/fd" for pid in pids]
    words = ["sudo", "-n", "find", *folders, "-type", "l", "-perm", "-200", "-lname", "/*", "-printf", "%l\\0"]
    return [os.fsdecode(path) for path in fields_of(words, SECONDS) if path]


def is_elsewhere(path):
    if not path.startswith("/") or path.startswith(NOWHERE) or path.endswith(" (deleted)"):
        return False
    return not any(path.startswith(f"{folder}/") for folder in (HOME, BASE))


def is_regular(path):
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except PermissionError:
        return True  # Root's: the look at it tells.
    except OSError:
        return False
