"""Scores of predictions: token error rate and expression accuracy, and what chance would get."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Least number of insertions, deletions and substitutions that turn `first` into `second`."""
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, start=1):
        previous, row[0] = row[0], i
        for j, right in enumerate(second, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return row[-1]


@dataclass
class Score:
    """Counts over expressions; whole numbers, so that sums over processes are exact."""

    expressions: int = 0
    correct: int = 0
    tokens: int = 0
    errors: int = 0

    def add(self, predicted: Sequence[str], expected: Sequence[str]) -> None:
        """Count one prediction."""
        errors = edit_distance(predicted, expected)
        self.expressions += 1
        self.correct += errors == 0
        self.tokens += len(expected)
        self.errors += errors

    @property
    def token_error_rate(self) -> float:
        """Edits per expected token; 0 is perfect, above 1 is possible."""
        return self.errors / max(1, self.tokens)

    @property
    def expression_accuracy(self) -> float:
        """Share of expressions without any error."""
        return self.correct / max(1, self.expressions)


def score(pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Score:
    """Score of (predicted, expected) pairs."""
    total = Score()
    for predicted, expected in pairs:
        total.add(predicted, expected)
    return total


def chance(expected: Sequence[Sequence[str]], known: Sequence[Sequence[str]], draws: int = 5, seed: int = 0) -> Score:
    """Score of guessing without looking at the ink: each guess is the label of a random training expression."""
    generator = random.Random(seed)
    return score((generator.choice(known), tokens) for _ in range(draws) for tokens in expected)
