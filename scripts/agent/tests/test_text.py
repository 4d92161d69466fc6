"""Logs and patterns."""

import os
import tempfile
import unittest

from base.pattern import Pattern
from base.text import is_plain, last_lines
from run.log import Steps, error_at_end, tells_of_a_kill


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

    def test_end_with_an_error_only_where_nothing_came_after_it(self):
        trace = 'Traceback (most recent call last):\n  File "x", line 1, in f\n    f()\n    ~^^\n'
        cuda = "CUDA kernel errors might be asynchronously reported\nFor debugging consider passing\n"
        ranks = "".join(f"[rank1]: {line}\n" for line in (trace + "ValueError: no").splitlines())
        for text, error in (
            (f"step 1\n{trace}KeyError: 'a'\n", "KeyError: 'a'"),
            (f"{trace}torch.OutOfMemoryError: CUDA out of memory.\n", "torch.OutOfMemoryError: CUDA out of memory."),
            (
                f"{trace}RuntimeError: CUDA error: device-side assert\n{cuda}",
                "RuntimeError: CUDA error: device-side assert",
            ),
            (f"{trace}AssertionError\n", "AssertionError"),
            (ranks, "ValueError: no"),
            ("sh: 1: pythn: not found\n", "sh: 1: pythn: not found"),
            ("bash: line 1: pythn: command not found\n", "bash: line 1: pythn: command not found"),
            ("step 1\nSegmentation fault (core dumped)\n", "Segmentation fault (core dumped)"),
            ("step 1\n=== lambda-train: note\nKilled\n", "Killed"),
            (f"{trace}ConnectionError: retrying\nepoch 9\nTraining finished\n", None),
            (f"{trace}Finished: ok\n", None),
            (f"Exception ignored in: <function f at 0x1>\n{trace}AttributeError: no\n", None),
            ("metrics.json: not found\n", None),
            ("step 1\n", None),
            ("", None),
        ):
            path = self.log(text.encode())
            self.assertEqual(error_at_end(path, 0, len(text)), error, text)

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
