import hashlib
import os
import tempfile
import unittest
from unittest import mock

from base.say import Failed
from hub.dataset import is_below, require_same, tree


class Files(unittest.TestCase):
    def check(self, told, content=b"abc"):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "f")
            with open(path, "wb") as file:
                file.write(content)
            try:
                require_same(path, {"path": "f", **told})
                return True
            except Failed:
                return os.path.exists(path)

    def test_are_compared_by_sha256_or_as_git_does_and_removed_where_they_are_others(self):
        big = {"oid": "of the pointer", "lfs": {"oid": hashlib.sha256(b"abc").hexdigest()}}
        small = {"oid": hashlib.sha1(b"blob 3\0abc").hexdigest()}
        self.assertTrue(self.check(big))
        self.assertTrue(self.check(small))
        self.assertFalse(self.check(big, b"abd"))
        self.assertFalse(self.check(small, b"abd"))
        self.assertFalse(self.check({}))

    def test_lead_to_no_place_outside_and_to_no_other_server(self):
        for answer in (([{"type": "file", "path": "../x", "size": 1}], None), ([], "https://other.example.com/next")):
            with mock.patch("hub.dataset.asked", return_value=answer), self.assertRaises(Failed):
                list(tree("https://hub.example.com", "o/n", "c", None))

    def test_lie_below_a_folder_or_are_it(self):
        self.assertTrue(is_below("a/b", "a") and is_below("a", "a") and is_below("a", ""))
        self.assertFalse(is_below("ab", "a"))


if __name__ == "__main__":
    unittest.main()
