from __future__ import annotations

import signal
from dataclasses import replace

import torch

from hmer_ink import checkpoint
from hmer_ink.config import load_config
from hmer_ink.dataset import load_split
from hmer_ink.errors import WorkloadError
from hmer_ink.stop import Stopped, StopRequest
from hmer_ink.tracking import Tracker
from hmer_ink.trainer import Trainer
from hmer_ink.world import World

from .support import ROOT, WorkloadTest

WORLD = World(0, 1, 1, torch.device("cpu"))


class StopAfter(StopRequest):
    """Asks to stop once it has been looked at so many times: after each step and each batch of a validation."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    @property
    def signal(self) -> int | None:
        self.looks -= 1
        return signal.SIGTERM if self.looks < 0 else None

    @signal.setter
    def signal(self, value: int | None) -> None:
        pass


class ResumeTest(WorkloadTest):
    """In one process, where every step can be the last."""

    def trainer(self, experiment: str, stop: StopRequest, *more: str) -> Trainer:
        torch.set_num_threads(1)
        config = load_config(ROOT / "configs" / "smoke.yaml", experiment, self.overrides(*more))
        return Trainer(config, WORLD, load_split(config.data, "train"), load_split(config.data, "valid"), stop)

    def test_stopped_anywhere_and_resumed_ends_the_same(self) -> None:
        whole = self.trainer("whole", StopRequest()).run(Tracker())
        self.assertEqual([entry["epoch"] for entry in whole.history], [1, 2, 3])
        reference = self.history_bytes("whole")
        weights = checkpoint.load(self.outputs / "whole/checkpoints/last.pt")["model"]
        for every in (1, 2, 4, 5, 6, 11):
            name, stops = f"every{every}", 0
            while True:
                trainer = self.trainer(name, StopAfter(every))
                trainer.resume()
                try:
                    trainer.run(Tracker())
                    break
                except Stopped as stopped:
                    self.assertEqual(stopped.exit_code, 143)
                    stops += 1
            self.assertGreaterEqual(stops, 1)
            self.assertEqual(self.history_bytes(name), reference, f"stopped every {every}")
            resumed = checkpoint.load(self.outputs / name / "checkpoints/last.pt")["model"]
            self.assertTrue(all(torch.equal(weights[key], resumed[key]) for key in weights), f"stopped every {every}")
            best = [
                checkpoint.load(self.outputs / run / "checkpoints/best_model.pt")["metrics"] for run in ("whole", name)
            ]
            self.assertEqual(best[0], best[1])

    def test_another_seed_ends_otherwise(self) -> None:
        self.trainer("a", StopRequest()).run(Tracker())
        self.trainer("b", StopRequest(), "seed=1").run(Tracker())
        self.assertNotEqual(self.history_bytes("a"), self.history_bytes("b"))

    def test_an_older_checkpoint_leads_to_the_same_end(self) -> None:
        """As after SIGKILL: the newest checkpoint is from well before the last step, here from an epoch before."""
        self.trainer("a", StopRequest()).run(Tracker())
        reference = self.history_bytes("a")
        folder = self.outputs / "a" / "checkpoints"
        (folder / "checkpoint_epoch_2.pt").replace(folder / "last.pt")
        (folder / "checkpoint_epoch_3.pt").unlink()
        trainer = self.trainer("a", StopRequest())
        trainer.resume()
        self.assertEqual(trainer.progress.epoch, 2)
        trainer.run(Tracker())
        self.assertEqual(self.history_bytes("a"), reference)

    def test_a_finished_run_is_taken_further_by_more_epochs(self) -> None:
        self.trainer("a", StopRequest()).run(Tracker())
        trainer = self.trainer("a", StopRequest(), "training.epochs=4")
        trainer.resume()
        self.assertEqual(len(trainer.run(Tracker()).history), 4)

    def test_another_model_or_dataset_is_not_resumed(self) -> None:
        self.trainer("a", StopRequest()).run(Tracker())
        with self.assertRaisesRegex(WorkloadError, r"differs in model\.channels: 12 -> 16\. Choose another EXPERIMENT"):
            self.trainer("a", StopRequest(), "model.channels=16").resume()
        extra = self.data / "train" / "zz.inkml"
        extra.write_bytes((self.data / "test" / "test-00000.inkml").read_bytes())
        self.addCleanup(extra.unlink)
        with self.assertRaisesRegex(WorkloadError, "differs in the training data"):
            self.trainer("a", StopRequest()).resume()

    def test_too_few_expressions_for_a_batch(self) -> None:
        with self.assertRaisesRegex(WorkloadError, r"has 22 expressions, fewer than training\.batch_size 23"):
            self.trainer("a", StopRequest(), "training.batch_size=23")

    def test_a_batch_that_the_processes_cannot_share(self) -> None:
        config = load_config(ROOT / "configs" / "smoke.yaml", "a", self.overrides("training.batch_size=5"))
        examples = load_split(config.data, "train")
        with self.assertRaisesRegex(WorkloadError, "can't be shared out evenly over 2 processes"):
            Trainer(config, replace(WORLD, size=2), examples, examples, StopRequest())

    def test_a_loss_that_explodes_ends_the_run_with_advice(self) -> None:
        with self.assertRaisesRegex(WorkloadError, "lower training.learning_rate"):
            self.trainer("a", StopRequest(), "training.learning_rate=1e30", "training.warmup_steps=0").run(Tracker())
