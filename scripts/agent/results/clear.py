"""Empties the outputs of a run that has finished, before other settings write there."""

import os
import stat

from base.files import moment, under_home
from results.places import lasting_mounts, within
from results.uploaded import Uploads
from run.output import folders_of

# What a run still writes at its end; later files are others', as what setup makes.
AFTER = 10 * 10**9


def clear(run):
    """
    Removes what the run's attempts have written into their outputs: it is at home or kept apart. What was uploaded stays,
    and what lies on a file system that outlives the instance.
    """
    attempts = run.attempts()
    times = [times_of(attempt, later) for attempt, later in zip(attempts, [*attempts[1:], None]) if attempt.has("mark")]
    workspace = os.path.realpath(under_home(run.newest().get("description")["workspace"]))
    uploads, mounts = Uploads(workspace), lasting_mounts()
    for folder in sorted(folders_of(attempts)):
        real = os.path.realpath(folder)
        if real != workspace and not within(real, mounts):
            remove_written(real, times, uploads)


def times_of(attempt, later):
    """From when to when an attempt wrote, in nanoseconds. What setup makes between two attempts is neither's."""
    end = attempt.get("trainingEnd")
    known = [attempt.get("evaluatedAt"), end and end["at"] * 10**9]
    last = max([each for each in known if each], default=None)
    if last is None:
        last = (later and later.get("mark")) or moment()
    return attempt.get("mark"), last + AFTER


def remove_written(root, times, uploads):
    if os.path.isfile(root):
        remove_file(root, times, uploads)
        return
    for folder, folders, files in os.walk(root, topdown=False):
        for name in (*files, *folders):
            path = os.path.join(folder, name)
            if os.path.isdir(path) and not os.path.islink(path):
                remove_folder(path, uploads)
            else:
                remove_file(path, times, uploads)
    remove_folder(root, uploads)


def remove_file(path, times, uploads):
    try:
        info = os.lstat(path)
        changed = max(info.st_mtime_ns, info.st_ctime_ns)
        ours = any(first <= changed <= last for first, last in times) and not uploads.know(path)
        if ours and (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)):
            os.unlink(path)
    except OSError:
        pass  # Another user's: what stays is told from new files by its time.


def remove_folder(path, uploads):
    """Removes a folder that holds nothing any more."""
    try:
        if not uploads.know(path):
            os.rmdir(path)
    except OSError:
        pass
