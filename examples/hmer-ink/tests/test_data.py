from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from hmer_ink.config import DataConfig
from hmer_ink.dataset import epoch_order, fingerprint, load_split, make_batch
from hmer_ink.errors import WorkloadError
from hmer_ink.inkml import read_inkml
from hmer_ink.synthetic.glyphs import GLYPHS
from hmer_ink.tokens import Vocabulary, tokenize

from .support import ROOT, make_data


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class DataTest(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def test_same_seed_same_bytes(self) -> None:
        first, second = make_data(self.folder / "a"), make_data(self.folder / "b")
        other = make_data(self.folder / "c", seed=1)
        self.assertEqual(digest(first), digest(second))
        self.assertEqual(len(digest(first)), 22 + 6 + 6 + 1)
        self.assertEqual(set(digest(first)), set(digest(other)))
        self.assertNotEqual(digest(first), digest(other))

    def test_a_smaller_dataset_leaves_nothing_of_a_larger_one(self) -> None:
        make_data(self.folder / "a", train=30)
        self.assertEqual(digest(make_data(self.folder / "a", train=5)), digest(make_data(self.folder / "b", train=5)))

    def test_never_writes_into_a_dataset_of_someone_else(self) -> None:
        (self.folder / "train").mkdir()
        command = [sys.executable, "scripts/make_data.py", "--out", str(self.folder)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("holds files that this script did not write", result.stderr)
        self.assertEqual(list((self.folder / "train").iterdir()), [])

    def test_labels_are_balanced_latex_of_known_tokens(self) -> None:
        known = set(GLYPHS) | {"\\frac", "\\sqrt", "^", "_", "{", "}"}
        for path in (make_data(self.folder / "a", train=120) / "train").iterdir():
            ink = read_inkml(path)
            tokens, depth = tokenize(ink.label), 0
            self.assertLessEqual(set(tokens), known, ink.label)
            for token in tokens:
                depth += {"{": 1, "}": -1}.get(token, 0)
                self.assertGreaterEqual(depth, 0, ink.label)
            self.assertEqual(depth, 0, ink.label)
            times = [time for stroke in ink.strokes for _, _, time in stroke]
            self.assertEqual(times, sorted(times))

    def test_batches_are_padded_and_shuffled_by_seed_and_epoch(self) -> None:
        examples = load_split(DataConfig(root=str(make_data(self.folder / "a"))), "train")
        vocabulary = Vocabulary(token for example in examples for token in example.tokens)
        batch = make_batch(examples[:5], vocabulary, 0.1)
        self.assertEqual(batch.inputs.shape[2], int(batch.lengths.max()))
        self.assertEqual(int(batch.target_lengths.sum()), len(batch.targets))
        for row, length in zip(batch.inputs, batch.lengths):
            self.assertEqual(float(row[:, int(length) :].abs().sum()), 0.0)
        self.assertEqual(sorted(epoch_order(0, 1, 22)), list(range(22)))
        self.assertEqual(epoch_order(0, 1, 22), epoch_order(0, 1, 22))
        self.assertNotEqual(epoch_order(0, 1, 22), epoch_order(0, 2, 22))
        self.assertNotEqual(fingerprint(examples), fingerprint(examples[1:]))

    def test_a_missing_split_says_what_to_do(self) -> None:
        with self.assertRaisesRegex(WorkloadError, "make data"):
            load_split(DataConfig(root=str(self.folder)), "train")
