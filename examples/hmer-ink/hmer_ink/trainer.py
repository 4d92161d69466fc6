"""The training loop, and how a run is saved and taken up again."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn

from . import checkpoint
from .config import Config, differences
from .dataset import Example, epoch_order, fingerprint, make_batch
from .errors import WorkloadError
from .files import write_json
from .model import Recognizer, ctc_loss
from .progress import Progress, learning_rate
from .stop import Stopped, StopRequest
from .tokens import Vocabulary
from .tracking import Tracker
from .validate import validate
from .world import World

log = logging.getLogger(__name__)


class Trainer:
    """Trains one experiment from wherever its last checkpoint is."""

    def __init__(
        self, config: Config, world: World, train: Sequence[Example], valid: Sequence[Example], stop: StopRequest
    ) -> None:
        size = config.training.batch_size
        if size % world.size:
            raise WorkloadError(f"training.batch_size {size} can't be shared out evenly over {world.size} processes")
        if len(train) < size:
            raise WorkloadError(
                f"the training split has {len(train)} expressions, fewer than training.batch_size {size}"
            )
        self.config, self.world, self.train_set, self.valid_set, self.stop = config, world, train, valid, stop
        self.vocabulary = Vocabulary(token for example in train for token in example.tokens)
        self.fingerprint = fingerprint(train)
        torch.manual_seed(config.seed)
        self.model = Recognizer(config.model, self.vocabulary.classes).to(world.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), config.training.learning_rate, weight_decay=config.training.weight_decay
        )
        torch.manual_seed(config.seed + 1000 * (world.rank + 1))  # each process drops out other units
        self.progress = Progress()
        self.steps_per_epoch = len(train) // config.training.batch_size
        self.checkpoints = config.folder / "checkpoints"
        self._saved_at = time.monotonic()
        self._stop_agreed = self._save_agreed = False

    def resume(self) -> bool:
        """Take up the newest checkpoint of this experiment; False when there is none."""
        state = checkpoint.newest(self.checkpoints)
        if state is None:
            return False
        changed = differences(state["config"], self.config)
        if state["fingerprint"] != self.fingerprint:
            changed.append("the training data")
        if changed:
            raise WorkloadError(
                f"{self.config.folder} holds a run that differs in {'; '.join(changed)}."
                " Choose another EXPERIMENT, or remove that folder to start over"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict({"state": state["optimizer_state"], "param_groups": state["optimizer_groups"]})
        self.progress = Progress(**state["progress"])
        if len(state["random"]) == self.world.size:
            mine = state["random"][self.world.rank]
            torch.set_rng_state(mine["cpu"])
            if mine["cuda"] is not None and self.world.device.type == "cuda":
                torch.cuda.set_rng_state(mine["cuda"], self.world.device)
        return True

    def run(self, tracker: Tracker) -> Progress:
        """Train to the last epoch. Raises Stopped, with a checkpoint written, when asked to stop."""
        module: nn.Module = self.model
        if self.world.size > 1:
            ids = [self.world.device.index] if self.world.device.type == "cuda" else None
            module = nn.parallel.DistributedDataParallel(self.model, device_ids=ids)
        while self.progress.epoch < self.config.training.epochs:
            self._train_epoch(module)
            self._finish_epoch(tracker)
        return self.progress

    def _train_epoch(self, module: nn.Module) -> None:
        settings, progress = self.config.training, self.progress
        order = epoch_order(self.config.seed, progress.epoch, len(self.train_set))
        started, since = time.monotonic(), progress.step
        while progress.consumed + settings.batch_size <= len(order):
            module.train()
            indices = order[progress.consumed : progress.consumed + settings.batch_size][
                self.world.rank :: self.world.size
            ]
            rate = self._set_rate()
            loss = self._step(module, indices)
            progress.consumed += settings.batch_size
            progress.step += 1
            total = self._agree(loss)
            self._require_finite(total)
            progress.loss_sum += total
            progress.loss_steps += 1
            if progress.step == 1 or progress.step % settings.log_every_steps == 0:
                speed = (progress.step - since) * settings.batch_size / max(1e-9, time.monotonic() - started)
                log.info(
                    "step %d epoch %d loss %.4f lr %.5f examples/s %.0f",
                    progress.step,
                    progress.epoch + 1,
                    total,
                    rate,
                    speed,
                )
                started, since = time.monotonic(), progress.step
            self._save_if_asked()

    def _set_rate(self) -> float:
        rate = learning_rate(
            self.config.training, self.progress.step, self.steps_per_epoch * self.config.training.epochs
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _step(self, module: nn.Module, indices: Sequence[int]) -> float:
        settings, device = self.config.training, self.world.device
        # One generator for each example and epoch: what an example looks like does not depend on what came before.
        generators = [np.random.default_rng([self.config.seed, self.progress.epoch, index]) for index in indices]
        batch = make_batch(
            [self.train_set[index] for index in indices],
            self.vocabulary,
            self.config.data.spacing,
            generators if settings.augment else None,
        )
        log_probs, lengths = module(batch.inputs.to(device), batch.lengths.to(device))
        loss = ctc_loss(log_probs, lengths, batch.targets.to(device), batch.target_lengths.to(device))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
        self.optimizer.step()
        return loss.item()

    def _agree(self, loss: float = 0.0) -> float:
        """Mean loss over the processes; along with it they agree on whether to stop and whether to save."""
        due = time.monotonic() - self._saved_at >= self.config.training.checkpoint_every_seconds
        total, stop, save = self.world.sum([loss, float(self.stop.signal or 0), float(due and self.world.main)])
        self._stop_agreed, self._save_agreed = stop > 0, save > 0
        return total / self.world.size

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise WorkloadError(
                f"the loss is {loss} at step {self.progress.step}: lower training.learning_rate and start over"
            )

    def _save_if_asked(self) -> None:
        if self._save_agreed or self._stop_agreed:
            self._save_last(*self._full())
        if self._stop_agreed:
            raise Stopped(self.stop.signal or 15)

    def _between_batches(self) -> None:
        # An epoch whose steps are all done: a resumed run goes straight to its validation.
        self._agree()
        self._save_if_asked()

    def _finish_epoch(self, tracker: Tracker) -> None:
        result = validate(
            self.model,
            self.valid_set,
            self.vocabulary,
            self.config.data.spacing,
            self.world,
            between=self._between_batches,
        )
        self._require_finite(result.loss)
        entry, better = self.progress.end_epoch(
            self.optimizer.param_groups[0]["lr"],
            {
                "valid_loss": result.loss,
                "valid_token_error_rate": result.score.token_error_rate,
                "valid_expression_accuracy": result.score.expression_accuracy,
            },
        )
        log.info(
            "epoch %d/%d train_loss %.4f valid_loss %.4f valid_token_error_rate %.4f valid_expression_accuracy %.4f%s",
            entry["epoch"],
            self.config.training.epochs,
            entry["train_loss"],
            entry["valid_loss"],
            entry["valid_token_error_rate"],
            entry["valid_expression_accuracy"],
            " (best)" if better else "",
        )
        # last.pt comes last: after a crash in between, this epoch's validation is done again, to the same end.
        tensors, plain = self._full()
        if self.world.main:
            if better:
                checkpoint.save(self.checkpoints / checkpoint.BEST, {"model": tensors["model"]}, self._plain(entry))
            if entry["epoch"] % self.config.training.checkpoint_every_epochs == 0:
                checkpoint.save_epoch(
                    self.checkpoints, entry["epoch"], tensors, plain, self.config.training.keep_checkpoints
                )
            write_json(self.config.folder / "metrics" / "history.json", self.progress.history)
        self._save_last(tensors, plain)
        tracker.log({key: value for key, value in entry.items() if key != "step"}, self.progress.step)

    def _plain(self, metrics: dict[str, Any]) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary.tokens, "config": asdict(self.config), "metrics": metrics}

    def _full(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Tensors and plain values of a checkpoint to go on from; each process has to call it."""
        cuda = torch.cuda.get_rng_state(self.world.device) if self.world.device.type == "cuda" else None
        optimizer = self.optimizer.state_dict()
        tensors = {
            "model": self.model.state_dict(),
            "optimizer_state": optimizer["state"],
            "random": self.world.gather({"cpu": torch.get_rng_state(), "cuda": cuda}),
        }
        plain = self._plain(self.progress.history[-1] if self.progress.history else {})
        plain |= {
            "optimizer_groups": optimizer["param_groups"],
            "progress": self.progress.to_dict(),
            "fingerprint": self.fingerprint,
        }
        return tensors, plain

    def _save_last(self, tensors: dict[str, Any], plain: dict[str, Any]) -> None:
        if self.world.main:
            checkpoint.save(self.checkpoints / checkpoint.LAST, tensors, plain)
        self._saved_at = time.monotonic()
