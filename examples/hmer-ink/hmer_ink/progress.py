"""How far a run is: all that a resumed run needs to know beside the weights."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from .config import TrainingConfig


@dataclass
class Progress:
    """Position of a run; whole epochs in `epoch`, and in the one under way how many examples have been seen."""

    epoch: int = 0
    consumed: int = 0
    step: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0
    best: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def end_epoch(self, learning_rate: float, metrics: dict[str, float]) -> tuple[dict[str, Any], bool]:
        """Close the epoch: its entry in the history, and whether it is the best so far (lowest token error rate)."""
        self.epoch += 1
        entry: dict[str, Any] = {
            "epoch": self.epoch,
            "step": self.step,
            "learning_rate": learning_rate,
            "train_loss": self.loss_sum / max(1, self.loss_steps),
            **metrics,
        }
        self.history.append(entry)
        better = self.best is None or entry["valid_token_error_rate"] < self.best["valid_token_error_rate"]
        if better:
            self.best = entry
        self.consumed, self.loss_sum, self.loss_steps = 0, 0.0, 0
        return entry, better

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return asdict(self)


def learning_rate(config: TrainingConfig, step: int, total_steps: int) -> float:
    """Rate of a step (from 0): a linear rise over the warm-up, then half a cosine down to a fiftieth."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    share = min(1.0, (step - config.warmup_steps) / max(1, total_steps - config.warmup_steps))
    return config.learning_rate * (0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2)
