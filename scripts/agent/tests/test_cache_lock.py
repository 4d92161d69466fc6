import json
import multiprocessing
import os
import tempfile
import time
import unittest
from unittest import mock

from cache import lock
from cache.lock import SharedLock

WAITED = []


def take(folder, **more):
    taken = SharedLock(folder, "machine", **more)
    taken.take(WAITED.append)
    return taken


def count(folder, times):
    for _ in range(times):
        taken = take(folder)
        path = os.path.join(folder, "count")
        with open(path, encoding="ascii") as file:
            number = int(file.read())
        time.sleep(0.002)
        with open(path, "w", encoding="ascii") as file:
            file.write(str(number + 1))
        taken.give_back()


class LockTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        WAITED.clear()

    def held_elsewhere(self, number=1):
        """A lock that a machine holds of which nothing more is heard."""
        with open(os.path.join(self.folder, f"lock.{number}"), "w", encoding="ascii") as file:
            json.dump({"by": "machine-2 (far)", "machine": "far 1", "process": "1 1 1"}, file)

    def test_one_at_a_time(self):
        with open(os.path.join(self.folder, "count"), "w", encoding="ascii") as file:
            file.write("0")
        some = [multiprocessing.Process(target=count, args=(self.folder, 12)) for _ in range(4)]
        for each in some:
            each.start()
        for each in some:
            each.join()
        with open(os.path.join(self.folder, "count"), encoding="ascii") as file:
            self.assertEqual(file.read(), "48")
        self.assertLess(len(os.listdir(self.folder)), 30)

    def test_a_machine_that_is_silent_is_followed_and_named_until_then(self):
        self.held_elsewhere()
        began = time.monotonic()
        taken = take(self.folder, patience=1)
        self.assertGreater(time.monotonic() - began, 1)
        self.assertEqual(set(WAITED), {"machine-2 (far)"})
        self.assertTrue(taken.is_ours())
        taken.give_back()

    def test_a_machine_that_beats_is_not(self):
        self.held_elsewhere()
        path = os.path.join(self.folder, "lock.1")
        ends = time.monotonic() + 3

        def on_wait(_):
            # Of another machine's clock: only that it changes counts.
            os.utime(path, (1, 1 + ends - time.monotonic()))
            if time.monotonic() > ends:
                raise TimeoutError

        with self.assertRaises(TimeoutError):
            SharedLock(self.folder, "machine", patience=1).take(on_wait)

    def test_a_dead_process_of_this_machine_is_followed_at_once(self):
        with open(os.path.join(self.folder, "lock.1"), "w", encoding="ascii") as file:
            json.dump({"by": "machine", "machine": lock.machine(), "process": "999999999 1 1"}, file)
        began = time.monotonic()
        take(self.folder).give_back()
        self.assertLess(time.monotonic() - began, 1)

    def test_a_holder_that_was_taken_for_dead_ends(self):
        with mock.patch.object(lock, "BEAT_SECONDS", 0.1):
            holder = multiprocessing.Process(target=lambda: (take(self.folder), time.sleep(60)))
            holder.start()
            while not os.path.exists(os.path.join(self.folder, "lock.1")):
                time.sleep(0.01)
            self.held_elsewhere(2)
            holder.join(20)
            self.assertIsNotNone(holder.exitcode)
            self.assertLess(holder.exitcode, 0)

    def test_a_holder_to_which_nothing_comes_lets_go(self):
        with mock.patch.object(lock, "BEAT_SECONDS", 0.1):
            holder = multiprocessing.Process(target=lambda: (take(self.folder, stalled=0.5), time.sleep(60)))
            holder.start()
            holder.join(20)
            self.assertIsNotNone(holder.exitcode)
            self.assertLess(holder.exitcode, 0)


if __name__ == "__main__":
    unittest.main()
