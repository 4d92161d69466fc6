"""What is kept of a run."""

import json
import os
import tempfile
import unittest

from base.say import Failed
from run.state import Run


class States(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.run_ = Run("exp")
        self.run_.folder = folder.name
        self.run_.log = os.path.join(folder.name, "train.log")

    def test_is_one_document_with_a_version_for_its_user_alone(self):
        self.assertIsNone(self.run_.newest())
        attempt = self.run_.begin(hash="h", used=0)
        attempt.put(exit=3, firstStep="now")
        attempt.put(firstStep=None)
        path = self.run_.path("state.json")
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        self.assertEqual((document["version"], document["attempt"]), (1, 1))
        self.assertEqual({**document["attempts"]["1"], "createdAt": 0}, {"createdAt": 0, "hash": "h", "used": 0, "exit": 3})
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual((attempt.get("exit"), attempt.has("firstStep")), (3, False))

    def test_of_a_newer_release_is_left_alone(self):
        with open(self.run_.path("state.json"), "w", encoding="utf-8") as file:
            file.write('{"version": 99}')
        with self.assertRaises(Failed) as failed:
            self.run_.newest()
        self.assertIn("newer release", failed.exception.text)

    def test_events_are_added_with_their_times(self):
        self.run_.tell("started", attempt=1)
        self.run_.tell("ended", attempt=1, code=0)
        events = self.run_.events(9)
        self.assertEqual([event["event"] for event in events], ["started", "ended"])
        self.assertLessEqual(events[0]["at"], events[1]["at"])
        self.assertEqual(self.run_.events(1), events[1:])

    def test_an_event_that_a_full_disk_cut_short_is_left_out(self):
        self.run_.tell("started", attempt=1)
        with open(self.run_.path("events.jsonl"), "a", encoding="utf-8") as file:
            file.write('{"at": 1, "eve\n7\n')
        self.run_.tell("ended", attempt=1, code=0)
        self.assertEqual([event["event"] for event in self.run_.events(9)], ["started", "ended"])

    def test_follows_the_attempts_of_an_earlier_release(self):
        facts = self.run_.path("attempts", "2")
        os.makedirs(facts)
        for name, text in (("../../attempt", "2"), ("hash", "h"), ("exit", "7"), ("output_beside", "/a\n/b")):
            with open(os.path.join(facts, name), "w", encoding="utf-8") as file:
                file.write(f"{text}\n")
        early = self.run_.newest()
        self.assertEqual((early.number, early.get("exit"), early.get("outputBeside")), (2, 7, ["/a", "/b"]))
        self.run_.begin(hash="i")
        self.assertEqual([attempt.get("hash") for attempt in self.run_.attempts()], [None, "h", "i"])
