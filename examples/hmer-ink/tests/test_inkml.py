from __future__ import annotations

import random
import tempfile
import unittest
from pathlib import Path

from hmer_ink.errors import WorkloadError
from hmer_ink.inkml import Ink, format_inkml, parse_inkml, read_inkml

# The shape of a MathWriting file: prologue, namespace, spaces in the traces, times in milliseconds or seconds.
MATHWRITING = """<?xml version="1.0" encoding="UTF-8"?>
<ink xmlns="http://www.w3.org/2003/InkML">
  <annotation type="label">\\frac {a} {b}</annotation>
  <annotation type="splitTagOriginal">train</annotation>
  <annotation type="sampleId">000041c5ba1b1b3b</annotation>
  <annotation type="normalizedLabel">\\frac{a}{b}</annotation>
  <trace id="0">
    3.01 -4 0.0, 5 6.5 8.1
  </trace>
  <trace id="1">7 8, 9 10</trace>
  <trace id="2"></trace>
</ink>"""


def random_ink(generator: random.Random) -> Ink:
    def number(low: float, high: float, digits: int) -> float:
        return round(generator.uniform(low, high), digits)

    strokes = [
        [(number(-1e4, 1e4, 2), number(-1e4, 1e4, 2), number(0, 1e3, 3)) for _ in range(generator.randint(1, 20))]
        for _ in range(generator.randint(1, 8))
    ]
    text = "".join(generator.choice("ab\\{}^_<>&\"'+-=ä∑") for _ in range(generator.randint(1, 30)))
    return Ink(strokes, {"label": text, "normalizedLabel": text[::-1]})


class InkmlTest(unittest.TestCase):
    def test_what_is_written_is_read_back(self) -> None:
        for seed in range(200):
            ink = random_ink(random.Random(seed))
            self.assertEqual(parse_inkml(format_inkml(ink)), ink, f"seed {seed}")

    def test_mathwriting_file(self) -> None:
        ink = parse_inkml(MATHWRITING)
        self.assertEqual(ink.strokes, [[(3.01, -4.0, 0.0), (5.0, 6.5, 8.1)], [(7.0, 8.0, 0.0), (9.0, 10.0, 0.0)]])
        self.assertEqual(ink.label, "\\frac{a}{b}")
        self.assertEqual(ink.annotations["splitTagOriginal"], "train")

    def test_label_where_there_is_no_normalized_one(self) -> None:
        self.assertEqual(Ink([], {"label": "x"}).label, "x")
        self.assertEqual(Ink([]).label, "")

    def test_a_damaged_file_is_named(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cut.inkml"
            for text in (
                MATHWRITING[:200],
                "",
                '<ink><trace id="0">1 two 3</trace></ink>',
                "<ink><trace>1</trace></ink>",
            ):
                path.write_text(text, encoding="utf-8")
                with self.assertRaisesRegex(WorkloadError, "cut.inkml is not readable InkML"):
                    read_inkml(path)
