"""Files of ours: where they lie, and how they are read and written."""

import fcntl
import glob
import json
import os
import sys
import time

BASE = os.environ.get("LAMBDA_TRAIN_BASE") or os.path.join(os.path.expanduser("~"), ".lambda-train")
# When the environment was ready first, and when somebody first worked there by a command or in a notebook.
READY = os.path.join(BASE, "ready")
BY_HAND = os.path.join(BASE, "by-hand")
# The clock that file systems take their times from: a little behind the other, so that no change is older than its cause.
CLOCK_REALTIME_COARSE = 5
# Python 3.8 has no name for it.
F_SETPIPE_SZ = 1031
PIECES = 8
PIECE = 512 << 10


def now():
    """The time as ISO 8601 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def moment():
    """The time now, in nanoseconds: a file that is written from now on is not older."""
    return time.clock_gettime_ns(CLOCK_REALTIME_COARSE)


def moment_after():
    """
    The same for the end of something: a file that was written before is not newer. Since Linux 6.13 the time of a file's last
    change is finer than the coarse clock, which is milliseconds behind.
    """
    return time.time_ns()


def under_home(path):
    """An absolute path; a relative one counts from the home folder."""
    return path if os.path.isabs(path) else os.path.join(os.path.expanduser("~"), path)


def fact(*path):
    """A file's text, or "" where there is none."""
    try:
        with open(os.path.join(*path), encoding="utf-8", errors="surrogateescape") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def modified(path):
    """When a file was last written, in nanoseconds; None where there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def own_folder(path):
    """Makes a folder of ours, which its user alone may open."""
    os.makedirs(path, exist_ok=True)
    os.chmod(BASE, 0o700)
    os.chmod(path, 0o700)


def unlink_if_there(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def replace(path, text):
    """Writes a file atomically, readable by its owner only."""
    temporary = f"{path}.tmp.{os.getpid()}"
    try:
        with open(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            "w",
            encoding="utf-8",
            errors="surrogateescape",
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        try:
            unlink_if_there(temporary)
        except OSError:
            pass
        raise


def put(path, text):
    """
    Writes a file that must be written. On a full disk room that `keep_room` has kept is given up, piece by piece: how a
    run ended must be known, and it must be possible to stop it and to fetch its results.
    """
    while True:
        try:
            replace(path, text)
            return
        except OSError:
            if not give_up_room():
                print(f"{path} cannot be written; is the disk full? (df -h {BASE})", file=sys.stderr, flush=True)
                raise


def try_put(path, text):
    """The same where work must go on without it."""
    try:
        put(path, text)
    except OSError:
        pass


def note_by_hand():
    """Somebody works here by hand: noted once."""
    if not os.path.exists(BY_HAND):
        try_put(BY_HAND, "")


def give_up_room():
    """Removes one piece of what is kept. What training goes on to write may take one, so that there are several."""
    for piece in glob.glob(os.path.join(glob.escape(BASE), "reserve", "*")):
        try:
            os.unlink(piece)
            return True
        except OSError:
            pass
    return False


def keep_room():
    """Takes up room for what must be written even when the disk is full, as far as there is any."""
    folder = os.path.join(BASE, "reserve")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return
    for number in range(1, PIECES + 1):
        path = os.path.join(folder, str(number))
        if os.path.exists(path) and os.path.getsize(path) > 0:
            continue
        try:
            with open(path, "wb") as file:
                file.write(os.urandom(PIECE))
        except OSError:
            unlink_if_there(path)


def write_json(path, value):
    """Writes a JSON file, in a folder that is made where needed. Gives up no room."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    replace(path, json.dumps(value))


def try_write_json(path, value):
    """The same for what only saves time: a full disk is no reason to go without the rest."""
    try:
        write_json(path, value)
    except OSError:
        pass


def takes_from_modes():
    """Whether the user's mask takes a part of the modes 755 and 644 from files that are made with them."""
    mask = os.umask(0)
    os.umask(mask)
    return mask & 0o755 != 0


def write_all(descriptor, content):
    """Writes all of it, which one call may take only a part of."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def widen(pipe, size):
    """Lets a pipe hold so many bytes: it holds 64 KiB at first. Where it can't, all works with less, only slower."""
    try:
        fcntl.fcntl(pipe, F_SETPIPE_SZ, size)
    except OSError:
        pass


def read_json(path, default):
    """A file's content, or the default where it is missing or damaged."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return default


def inside(path, target):
    """True where a link at this path (relative) with this target stays below the root."""
    if not target or target.startswith("/"):
        return False
    at = path.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            if not at:
                return False
            at.pop()
        elif part not in ("", "."):
            at.append(part)
    return True


def clock_ahead():
    """
    Seconds by which this clock is ahead of the one that limits in time are told by: the clock of where the stack is run.
    """
    try:
        return int(fact(BASE, "clock"))
    except ValueError:
        return 0
