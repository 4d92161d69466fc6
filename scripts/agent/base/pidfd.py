"""Waiting for the end of a process that is nobody's child."""

import ctypes
import os
import select
import time

PIDFD_OPEN = 434


class Waiter:
    """Wakes up when a process ends; where the kernel cannot tell that (before 5.3), when the time is over."""

    def __init__(self, pid):
        self.handle = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_OPEN, pid, 0)
        self.poll = select.poll()
        if self.handle >= 0:
            self.poll.register(self.handle, select.POLLIN)

    def wait(self, seconds):
        """Waits for the process to end, but no longer than some seconds."""
        if self.handle < 0:
            time.sleep(seconds)
        elif self.poll.poll(seconds * 1000):
            os.close(self.handle)
            self.poll.unregister(self.handle)
            self.handle = -1
