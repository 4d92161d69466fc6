from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import torch

from hmer_ink.checkpoint import LAST, load, newest, save, save_epoch
from hmer_ink.errors import WorkloadError
from hmer_ink.files import write_atomic, write_json


class CheckpointTest(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def test_values_come_back_exactly(self) -> None:
        plain = {"loss": 0.1 + 0.2, "history": [{"epoch": 1, "x": 1e-17}], "best": None, "words": ["\\frac", "ä"]}
        save(self.folder / "c.pt", {"model": {"w": torch.randn(3)}, "state": {0: {"step": torch.tensor(3.0)}}}, plain)
        content = load(self.folder / "c.pt")
        self.assertEqual({key: content[key] for key in plain}, plain)
        self.assertEqual(float(content["state"][0]["step"]), 3.0)

    def test_a_damaged_last_checkpoint_falls_back_to_the_newest_epoch(self) -> None:
        for epoch in (9, 10):
            save_epoch(self.folder, epoch, {}, {"epoch": epoch}, keep=3)
        save(self.folder / LAST, {}, {"epoch": 11})
        found = newest(self.folder)
        self.assertEqual(found and found["epoch"], 11)
        (self.folder / LAST).write_bytes((self.folder / LAST).read_bytes()[:100])
        with self.assertLogs("hmer_ink.checkpoint", "WARNING"):
            found = newest(self.folder)
        self.assertEqual(found and found["epoch"], 10)

    def test_only_the_newest_epochs_are_kept(self) -> None:
        for epoch in range(1, 13):
            save_epoch(self.folder, epoch, {}, {}, keep=2)
        names = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(names, ["checkpoint_epoch_11.pt", "checkpoint_epoch_12.pt"])

    def test_what_is_no_checkpoint_is_refused(self) -> None:
        self.assertIsNone(newest(self.folder))
        with self.assertRaisesRegex(WorkloadError, "there is no checkpoint"):
            load(self.folder / "none.pt")
        torch.save({"weights": torch.zeros(1)}, self.folder / "other.pt")
        with self.assertRaisesRegex(WorkloadError, "is not a checkpoint of this program"):
            load(self.folder / "other.pt")

    def test_a_failed_write_leaves_the_old_file_and_nothing_else(self) -> None:
        path = self.folder / "m.json"
        write_json(path, {"a": 1})
        before = path.read_bytes()

        def fail(stream: object) -> None:
            raise OSError("disk full")

        with self.assertRaises(OSError):
            write_atomic(path, fail)
        self.assertEqual([item.name for item in self.folder.iterdir()], ["m.json"])
        self.assertEqual(path.read_bytes(), before)
        with self.assertRaises(ValueError):
            write_json(path, float("nan"))
