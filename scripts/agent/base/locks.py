"""Locks between processes of ours."""

import fcntl
import os
import signal
import sys
import time
from contextlib import contextmanager

from base.files import BASE


def hold(path):
    """Waits for a lock, and holds it until `release`, or for the life of this process. Gives its descriptor."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def release(handle):
    os.close(handle)


def lock(name, take_over=False, patience=120):
    """
    Holds a lock until `release`, or for the life of this process; gives its descriptor. A holder whose connection is gone
    may never end by itself: with `take_over` it is ended, otherwise it gets `patience` seconds to finish.
    """
    os.makedirs(os.path.join(BASE, "locks"), exist_ok=True)
    handle = os.open(os.path.join(BASE, "locks", name), os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode().strip()
            if take_over and holder:
                try:
                    os.kill(int(holder), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if time.monotonic() > deadline:
                sys.exit(f"Another transfer of {name} goes on on this instance (process {holder}).")
            time.sleep(0.1)
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    # Also what this process turns into by exec holds it.
    os.set_inheritable(handle, True)
    return handle


@contextmanager
def locked(name):
    """Holds a lock for a block of code."""
    handle = lock(name)
    try:
        yield
    finally:
        release(handle)
