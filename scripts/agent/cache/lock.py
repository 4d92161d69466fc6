"""
A lock between machines, on a file system that they share.

It is a row of files `lock.1`, `lock.2`, …, of which the last one counts: it names its holder, or says that the lock is free.
Whoever takes the lock makes the next file, which succeeds for one alone, over NFS too. A holder touches its file while it
works. One that no longer does so is dead to the others, and finds out by the next file that it has lost the lock. No clock
is compared with another machine's.
"""

import json
import os
import signal
import threading
import time

from base.files import read_json, replace, unlink_if_there
from base.processes import boot_id, is_alive, key_of
from base.say import say

BEAT_SECONDS = 5
# So long without a beat, and a holder is dead. NFS may show a beat late.
PATIENCE = 60
# A lister may see the files of a moment ago: those that it may still count from stay.
KEPT = 20


class SharedLock:
    """
    `by`: what others call the holder. `stalled`: seconds without any work of the holder after which it lets go by itself;
    None where it waits for other programs.
    """

    def __init__(self, folder, by, stalled=None, patience=PATIENCE):
        self.folder, self.stalled, self.patience = folder, stalled, patience
        self.by = f"{by} ({os.uname().nodename})"
        self.path = None
        self.over = threading.Event()

    def take(self, on_wait):
        """Waits until it is free. Calls `on_wait` with the holder's name, again and again."""
        os.makedirs(self.folder, exist_ok=True)
        seen, since = None, time.monotonic()
        while True:
            number = self.last()
            holder, beat = look(self.at(number))
            if (number, beat) != seen:
                seen, since = (number, beat), time.monotonic()
            if self.is_free(holder) or time.monotonic() - since > self.patience:
                if self.make(number + 1):
                    break
                continue
            on_wait(holder.get("by", "another machine"))
            time.sleep(0.5)
        threading.Thread(target=self.beat, daemon=True).start()

    def give_back(self):
        self.over.set()
        if self.is_ours():
            replace(self.path, json.dumps({"free": True}))

    def at(self, number):
        return os.path.join(self.folder, f"lock.{number}")

    def numbers(self):
        names = (name[5:] for name in os.listdir(self.folder) if name.startswith("lock."))
        return sorted(int(name) for name in names if name.isdigit())

    def last(self):
        return (self.numbers() or [0])[-1]

    def is_free(self, holder):
        """Whether nobody holds it: a dead process of this machine is known at once."""
        if holder.get("free", not holder):
            return True
        return holder.get("machine") == machine() and not is_alive(holder.get("process"))

    def make(self, number):
        """Makes the next file, whole from the first moment. Whether it was made by this call."""
        path, own = self.at(number), os.path.join(self.folder, f"taker.{os.uname().nodename}.{os.getpid()}")
        replace(own, json.dumps({"by": self.by, "machine": machine(), "process": key_of(os.getpid())}))
        try:
            os.link(own, path)
        except OSError:
            # An answer that was lost on the way tells of a failure that was none.
            if os.stat(own).st_nlink != 2:
                return False
        finally:
            unlink_if_there(own)
        self.path = path
        for old in self.numbers()[:-KEPT]:
            unlink_if_there(self.at(old))
        return True

    def is_ours(self):
        return self.path is not None and self.at(self.last()) == self.path

    def beat(self):
        """Tells the others that this process works. Ends it where they have taken it for dead."""
        clock = time.pthread_getcpuclockid(threading.main_thread().ident)
        worked, since = None, time.monotonic()
        while not self.over.wait(BEAT_SECONDS):
            work = time.clock_gettime(clock)
            if work != worked:
                worked, since = work, time.monotonic()
            stalled = self.stalled is not None and time.monotonic() - since > self.stalled
            try:
                lost = not self.is_ours()
                if stalled or (lost and not self.over.is_set()):
                    os.kill(os.getpid(), signal.SIGKILL)
                os.utime(self.path)
            except OSError:
                # The next beat tells: a file system that is away for a moment is away for what this process does, too.
                pass


class Waiting:
    """Says for whom it waits, once."""

    def __init__(self):
        self.told = None

    def __call__(self, holder):
        if holder != self.told:
            say(f"Waiting for {holder} to fill the cache")
            self.told = holder


def look(path):
    """A holder as its file names it, and the time of its last beat: opened, for NFS to ask the server."""
    try:
        with open(path, encoding="utf-8") as file:
            beat = os.fstat(file.fileno()).st_mtime_ns
            return json.load(file), beat
    except (OSError, ValueError):
        return read_json(path, {}), None


def machine():
    """Tells this machine since its last start from all others. Emulated ones share a kernel."""
    return f"{os.uname().nodename} {boot_id()}"
