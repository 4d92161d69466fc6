"""Logs and patterns."""

import os
import tempfile
import unittest

from base.pattern import Pattern
from base.text import is_plain, last_lines
from run.log import Steps, tells_of_a_kill


def log_of(content):
    file = tempfile.NamedTemporaryFile(delete=False)
    file.write(content)
    file.close()
    return file.name


class Logs(unittest.TestCase):
    def log(self, content):
        path = log_of(content)
        self.addCleanup(os.unlink, path)
        return path

    def test_last_lines_show_what_a_terminal_shows_and_nothing_that_it_obeys(self):
        path = self.log(b'one\n\nbar 1%\rbar "2%"\t\\ \x1b[31m\xff\x00\xc3\n  \n' + "ü".encode() * 200)
        self.assertEqual(last_lines(path, 3, 21), ["bar 1%", 'bar "2%"\t\\ ', "ü" * 10])
        self.assertEqual(last_lines("/nowhere", 3), [])

    def test_the_first_step_is_found_across_looks_and_is_none_of_our_lines(self):
        path = self.log(b"=== lambda-train: step 0\nloading\rSt")
        steps = Steps(path, 0, "step +[0-9]+")
        self.assertIsNone(steps.new())
        with open(path, "ab") as log:
            log.write(b"ep 1 loss\n")
        self.assertEqual(steps.new(), "Step 1 loss")
        self.assertIsNone(steps.new())
        self.assertFalse(steps.before(20))
        self.assertTrue(steps.before(100))

    def test_a_kill_is_told_by_make_and_by_shells(self):
        for line in (
            "make: *** [Makefile:3: train] Killed",
            "train.sh: line 4:  12 Killed     python3 x",
            "make: *** Error 137",
        ):
            self.assertTrue(tells_of_a_kill(self.log(f"x\n{line}\n".encode())), line)
        self.assertFalse(tells_of_a_kill(self.log(b"Killed processes: 0\n")))


class Patterns(unittest.TestCase):
    def test_are_those_of_grep(self):
        cases = [
            ("step +[0-9]+", "STEP  12", True),
            (r"\<loss\>", "the loss is", True),
            ("^[[:space:]]*epoch", "\tEpoch 1", True),
            (r"[\.]x", "\\x", True),
            ("(step|it", "step", False),
            ("it/s", "3.2 it/s]", True),
        ]
        for pattern, line, expected in cases:
            self.assertEqual(Pattern(pattern).matches(line.encode()), expected, pattern)
        self.assertTrue(Pattern("b").matches(b"a\0b"))


class Names(unittest.TestCase):
    def test_are_plain_where_they_can_stand_in_a_line(self):
        self.assertTrue(is_plain("a b", "ü"))
        for odd in ("a\nb", "a\tb", os.fsdecode(b"\xff"), "\x7f"):
            self.assertFalse(is_plain(odd))
