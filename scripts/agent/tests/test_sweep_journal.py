"""Copies of the study's journal."""

import os
import tempfile
import unittest

from sweep import journal, places
from sweep.journal import Copy, best_here, chunk_of
from sweep.places import path_in


class Copies(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.old, places.STUDIES = places.STUDIES, folder.name
        self.addCleanup(lambda: setattr(places, "STUDIES", self.old))
        os.makedirs(path_in("exp"))
        self.journal = os.path.join(folder.name, "of-the-study")

    def write(self, text, mode="w"):
        with open(self.journal, mode, encoding="utf-8") as file:
            file.write(text)

    def take(self, copy, epoch):
        answer = {**chunk_of(self.journal, copy.offset if copy.coming() == epoch else 0), "epoch": epoch}
        copy.take(answer)
        return answer

    def text(self):
        with open(path_in("exp", "copy.log"), encoding="utf-8") as file:
            return file.read()

    def test_follow_in_whole_lines(self):
        self.write("one\ntwo\nthr")
        copy = Copy("exp")
        self.take(copy, "1-a")
        # Whole lines alone: what is being written is no part yet, so the copy isn't whole either.
        self.write("ee\n", "a")
        self.take(copy, "1-a")
        self.assertEqual(self.text(), "one\ntwo\nthree\n")
        self.write("four\n", "a")
        self.take(Copy("exp"), "1-a")
        self.assertEqual(self.text(), "one\ntwo\nthree\nfour\n")

    def test_of_a_long_journal_come_in_pieces(self):
        self.addCleanup(setattr, journal, "CHUNK", journal.CHUNK)
        journal.CHUNK = 10
        self.write("".join(f"line {at}\n" for at in range(9)))
        copy, answer = Copy("exp"), {"offset": 0, "size": 1}
        while answer["offset"] < answer["size"]:
            answer = self.take(copy, "1-a")
        with open(self.journal, encoding="utf-8") as file:
            self.assertEqual(self.text(), file.read())

    def test_that_a_crash_cut_short_go_on_behind_the_last_whole_line(self):
        self.write("one\ntwo\n")
        self.take(Copy("exp"), "1-a")
        with open(path_in("exp", "copy.log"), "a", encoding="utf-8") as file:
            file.write("cut sho")
        self.write("three\n", "a")
        self.take(Copy("exp"), "1-a")
        self.assertEqual(self.text(), "one\ntwo\nthree\n")

    def test_of_another_study_take_the_place_of_the_one_before_when_they_are_whole(self):
        self.write("one\ntwo\n")
        copy = Copy("exp")
        self.take(copy, "1-a")
        self.addCleanup(setattr, journal, "CHUNK", journal.CHUNK)
        journal.CHUNK = 4
        self.write("uno\ndos\n")
        self.take(copy, "2-b")
        self.assertEqual((self.text(), best_here("exp")[2]), ("one\ntwo\n", "1-a"))
        self.take(copy, "2-b")
        self.assertEqual((self.text(), best_here("exp")[2]), ("uno\ndos\n", "2-b"))
