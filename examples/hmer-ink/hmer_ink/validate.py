"""Loss, score and predictions of a model on a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable

import torch

from .dataset import Example, make_batch
from .metrics import Score
from .model import Recognizer, ctc_loss, decode
from .tokens import Vocabulary
from .world import World


@dataclass
class Validation:
    """Result over all processes; `predictions` are this process's own, by position in the split."""

    score: Score
    loss: float
    predictions: dict[int, list[str]] = field(default_factory=dict)


@torch.no_grad()
def validate(
    model: Recognizer,
    examples: Sequence[Example],
    vocabulary: Vocabulary,
    spacing: float,
    world: World,
    batch_size: int = 64,
    between: Callable[[], None] = lambda: None,
) -> Validation:
    """Predict a split, shared out over the processes. `between` is called by all of them after each batch."""
    model.eval()
    total, loss, predictions = Score(), 0.0, {}
    for start in range(0, len(examples), batch_size * world.size):
        positions = range(start, min(start + batch_size * world.size, len(examples)))[world.rank :: world.size]
        if positions:
            chosen = [examples[position] for position in positions]
            batch = make_batch(chosen, vocabulary, spacing)
            log_probs, lengths = model(batch.inputs.to(world.device), batch.lengths.to(world.device))
            targets, target_lengths = batch.targets.to(world.device), batch.target_lengths.to(world.device)
            loss += ctc_loss(log_probs, lengths, targets, target_lengths).item() * len(chosen)
            for position, indices in zip(positions, decode(log_probs, lengths)):
                predictions[position] = vocabulary.decode(indices)
                total.add(predictions[position], examples[position].tokens)
        between()
    sums = world.sum([total.expressions, total.correct, total.tokens, total.errors, loss])
    whole = Score(*(int(value) for value in sums[:4]))
    return Validation(whole, sums[4] / len(examples), predictions)
