"""Ink as numbers: evenly spaced points of one size, and the features that the network sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .inkml import Stroke

FEATURES = 6


def _resample(stroke: np.ndarray, spacing: float) -> np.ndarray:
    steps = np.hypot(*np.diff(stroke, axis=0).T) if len(stroke) > 1 else np.zeros(0)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    # A dot has no length, yet it must not vanish: two points at least.
    count = max(2, int(along[-1] / spacing) + 1)
    wanted = np.linspace(0.0, along[-1], count)
    return np.stack([np.interp(wanted, along, stroke[:, axis]) for axis in (0, 1)], axis=1)


def normalize(strokes: Sequence[Stroke], spacing: float, max_points: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) in units of a typical symbol, `spacing` apart along each stroke, and the stroke number of each.

    The unit is the median extent of a stroke, so that a fraction's symbols are as large as those of a plain row.
    """
    arrays = [np.asarray([point[:2] for point in stroke], dtype=np.float64) for stroke in strokes]
    if not arrays:
        return np.zeros((0, 2), np.float32), np.zeros(0, np.int32)
    everything = np.concatenate(arrays)
    extents = [float(np.ptp(array, axis=0).max()) for array in arrays]
    whole = float(np.ptp(everything, axis=0).max())
    unit = max(float(np.median(extents)), whole / 40) or 1.0
    centre = np.array([everything[0, 0], np.median(everything[:, 1])])
    scaled = [(array - centre) / unit for array in arrays]
    while True:
        points = [_resample(array, spacing) for array in scaled]
        if sum(map(len, points)) <= max_points or all(len(part) == 2 for part in points):
            break
        spacing *= 1.25
    numbers = np.concatenate([np.full(len(part), number, np.int32) for number, part in enumerate(points)])
    return np.concatenate(points).astype(np.float32), numbers


def augment(points: np.ndarray, strokes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The same expression in a slightly other hand: turned, slanted, stretched, with strokes a little displaced."""
    angle, slant = generator.uniform(-0.08, 0.08), generator.uniform(-0.2, 0.2)
    stretch = generator.uniform(0.85, 1.15, 2)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = matrix @ np.array([[1.0, slant], [0.0, 1.0]]) @ np.diag(stretch)
    shift = generator.normal(0, 0.03, (int(strokes[-1]) + 1 if len(strokes) else 0, 2))
    return (points @ matrix.T + shift[strokes]).astype(np.float32)


def features(points: np.ndarray, strokes: np.ndarray, spacing: float) -> np.ndarray:
    """Per point (N, 6): step inside a stroke (x, y), jump from the stroke before (x, y), height, start of a stroke."""
    result = np.zeros((len(points), FEATURES), np.float32)
    if len(points) == 0:
        return result
    step = np.diff(points, axis=0, prepend=points[:1])
    first = np.diff(strokes, prepend=-1) != 0
    result[:, 0:2] = np.where(first[:, None], 0.0, step / spacing)
    result[:, 2:4] = np.where(first[:, None], step, 0.0)
    result[:, 4] = points[:, 1]
    result[:, 5] = first
    return result
