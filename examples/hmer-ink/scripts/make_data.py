#!/usr/bin/env python3
"""Write a dataset of synthetic handwritten expressions: OUT/{train,valid,test}/*.inkml.

The same seed and counts give the same bytes. Needs the standard library alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hmer_ink.files import write_text
from hmer_ink.inkml import format_inkml
from hmer_ink.synthetic.writer import write_expression

SPLITS = {"train": 600, "valid": 80, "test": 80}


def make_split(folder: Path, split: str, count: int, seed: int) -> int:
    """Write one split, remove files of an earlier, larger one, and return the number of bytes written."""
    total = 0
    for number in range(count):
        name = f"{split}-{number:05d}"
        text = format_inkml(write_expression(name, seed))
        (folder / f"{name}.inkml").write_text(text, encoding="utf-8")
        total += len(text)
    for old in folder.glob(f"{split}-*.inkml"):
        if int(old.stem.rpartition("-")[2]) >= count:
            old.unlink()
    return total


def main() -> None:
    """Parse the arguments and write the splits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data"), help="folder to write to (default: data)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other expressions (default: 0)")
    for split, count in SPLITS.items():
        parser.add_argument(f"--{split}", type=int, default=count, help=f"expressions in {split} (default: {count})")
    arguments = parser.parse_args()
    marker = arguments.out / ".synthetic"
    if arguments.out.is_dir() and any(arguments.out.iterdir()) and not marker.exists():
        # Never mix made-up expressions into a dataset that someone put there.
        parser.error(f"{arguments.out} holds files that this script did not write; choose another --out")
    started = time.monotonic()
    write_text(marker, "Written by scripts/make_data.py\n")
    for split in SPLITS:
        (arguments.out / split).mkdir(parents=True, exist_ok=True)
        size = make_split(arguments.out / split, split, getattr(arguments, split), arguments.seed)
        print(f"{arguments.out / split}: {getattr(arguments, split)} expressions, {size / 1e6:.1f} MB")
    print(f"done in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
