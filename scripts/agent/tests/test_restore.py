import os
import tempfile
import unittest

from results.restore import put_below
from results.snapshot_check import Damaged, check


class PutBelow(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, path, text):
        full = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as file:
            file.write(text)

    def read(self, path):
        with open(os.path.join(self.folder.name, path)) as file:
            return file.read()

    def test_puts_everything_into_its_place_with_its_time_and_replaces_nothing(self):
        staged, top = (os.path.join(self.folder.name, name) for name in ("staged", "top"))
        self.write("staged/workspace/outputs/a/1.pt", "new")
        self.write("staged/workspace/train.py", "planted")
        self.write("top/train.py", "code")
        os.makedirs(os.path.join(staged, "workspace/outputs/empty"))
        os.symlink("1.pt", os.path.join(staged, "workspace/outputs/a/best"))
        os.symlink("a", os.path.join(staged, "workspace/outputs/latest"))
        times = {"workspace/outputs/a/1.pt": 1_500_000_000_123}
        root = os.path.join(staged, "workspace")
        self.assertEqual(put_below(root, top, staged, times, os.rename), 3)
        self.assertEqual(self.read("top/train.py"), "code")
        self.assertEqual(self.read("top/outputs/latest/best"), "new")
        self.assertTrue(os.path.isdir(os.path.join(top, "outputs/empty")))
        self.assertEqual(os.stat(os.path.join(top, "outputs/a/1.pt")).st_mtime_ns, 1_500_000_000_123_000_000)

    def test_a_snapshot_that_names_a_path_outside_of_it_is_damaged(self):
        self.write("snapshot.json", '{"run": {}, "files": [{"path": "../x", "size": 1, "sha256": ""}]}')
        with self.assertRaises(Damaged):
            check(self.folder.name)


if __name__ == "__main__":
    unittest.main()
