"""A split of InkML files as training examples and batches."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from .config import DataConfig
from .errors import WorkloadError
from .features import FEATURES, augment, features, normalize
from .inkml import read_inkml
from .tokens import Vocabulary, tokenize

_MANY_FILES = 5000
"""From here on the files are parsed by several processes; below, starting them costs more than it saves."""


@dataclass(frozen=True)
class Example:
    """One expression: resampled points, the stroke of each, the expected tokens."""

    name: str
    points: np.ndarray
    strokes: np.ndarray
    tokens: list[str]


@dataclass(frozen=True)
class Batch:
    """Padded features (B, F, T), their lengths, the targets one after the other and their lengths."""

    inputs: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor
    target_lengths: torch.Tensor


def split_files(root: Path, split: str) -> list[Path]:
    """The InkML files of a split, by name. Raises WorkloadError when there are none."""
    files = sorted((root / split).glob("*.inkml"))
    if not files:
        raise WorkloadError(
            f"no .inkml files in {root / split}: put a dataset there ({root}/train, {root}/valid, {root}/test)"
            " or make a synthetic one with `make data`"
        )
    return files


def _load(path: Path, config: DataConfig) -> Example:
    ink = read_inkml(path)
    points, strokes = normalize(ink.strokes, config.spacing, config.max_points)
    return Example(path.stem, points, strokes, tokenize(ink.label))


def load_split(config: DataConfig, split: str, processes: int | None = None) -> list[Example]:
    """Read a whole split into memory; expressions without strokes or label are left out."""
    files = split_files(Path(config.root), split)
    load = partial(_load, config=config)
    if len(files) < _MANY_FILES:
        examples = [load(path) for path in files]
    else:
        with ProcessPoolExecutor(processes or os.cpu_count()) as pool:
            examples = list(pool.map(load, files, chunksize=256))
    usable = [example for example in examples if len(example.points) and example.tokens]
    if not usable:
        raise WorkloadError(f"none of the {len(files)} files of the split {split} has both strokes and a label")
    return usable


def load_labels(root: Path, split: str, limit: int) -> list[list[str]]:
    """The tokens of the first `limit` expressions of a split."""
    labels = (tokenize(read_inkml(path).label) for path in split_files(root, split)[:limit])
    return [tokens for tokens in labels if tokens]


def fingerprint(examples: Sequence[Example]) -> str:
    """Checksum of what is learned from, so that a run is not resumed on other data."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(repr((example.name, example.tokens)).encode())
        digest.update(example.points.tobytes())
    return digest.hexdigest()


def make_batch(
    examples: Sequence[Example],
    vocabulary: Vocabulary,
    spacing: float,
    generators: Sequence[np.random.Generator] | None = None,
) -> Batch:
    """Pad examples to one length; with a generator for each, in another handwriting."""
    columns: list[np.ndarray] = []
    for number, example in enumerate(examples):
        points = augment(example.points, example.strokes, generators[number]) if generators else example.points
        columns.append(features(points, example.strokes, spacing))
    lengths = [len(column) for column in columns]
    inputs = np.zeros((len(columns), FEATURES, max(lengths)), np.float32)
    for number, column in enumerate(columns):
        inputs[number, :, : len(column)] = column.T
    targets = [vocabulary.encode(example.tokens) for example in examples]
    return Batch(
        torch.from_numpy(inputs),
        torch.tensor(lengths),
        torch.tensor([index for target in targets for index in target], dtype=torch.long),
        torch.tensor([len(target) for target in targets]),
    )


def epoch_order(seed: int, epoch: int, count: int) -> list[int]:
    """The order of the examples in an epoch: a function of seed and epoch alone, so that it can be found again."""
    return np.random.default_rng([seed, epoch]).permutation(count).tolist()
