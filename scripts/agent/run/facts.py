"""What can be asked of an attempt, however its facts are kept."""

import time

from base.processes import is_alive

# An attempt is known a moment before its supervisor is there.
STARTING = 15


class Facts:
    """Facts by name; see Attempt."""

    def has(self, name):
        return self.get(name) is not None

    def asked_hash(self):
        """The hash by which the stack calls its settings; None where nothing is known."""
        return self.get("askedHash", self.get("hash"))

    def try_put(self, **facts):
        """As put, where work must go on without it."""
        try:
            self.put(**facts)
        except OSError:
            pass

    def lives(self, name):
        """Whether the process that a fact names still runs."""
        return is_alive(self.get(name))

    def is_young(self):
        """Whether it was made a moment ago, so that its supervisor may be about to come."""
        return time.time() - self.get("createdAt", 0) < STARTING
