"""Moments, as they are compared with the times of files."""

import os
import tempfile
import unittest
from unittest import mock

from base.files import moment, moment_after
from results import restore


class Moments(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "file")

    def changed(self):
        """The time of the last change of a file that is written, looked at and changed."""
        with open(self.path, "w", encoding="utf-8"):
            pass
        os.lstat(self.path)
        os.utime(self.path, (1, 1))
        return os.lstat(self.path).st_ctime_ns

    def test_bound_the_times_of_files_that_are_written_between_them(self):
        for _ in range(200):
            first, changed, last = moment(), self.changed(), moment_after()
            self.assertLessEqual(first, changed)
            self.assertLessEqual(changed, last)

    def test_what_was_put_back_from_home_is_at_home(self):
        for _ in range(50):
            run, document = mock.Mock(), {}
            run.change.side_effect = lambda change: change(document)
            changed = self.changed()
            restore.note(run, 0, [{"number": 1}], {}, fetched=True)
            self.assertLessEqual(changed, document["attempts"]["1"]["fetched"])


if __name__ == "__main__":
    unittest.main()
