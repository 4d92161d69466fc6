from __future__ import annotations

import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess

from .support import WorkloadTest, make_data


class EvaluateTest(WorkloadTest):
    def evaluate(self, model: Path, *more: str) -> CompletedProcess[str]:
        return self.run_command([sys.executable, "-m", "hmer_ink.evaluate", "--model", str(model), *more])

    def test_learns_clearly_more_than_chance(self) -> None:
        data = make_data(self.folder / "data", train=320, valid=24, test=40)
        overrides = ["training.epochs=6", "threads=1", f"data.root={data}", f"output_dir={self.outputs}"]
        sets = [part for item in overrides for part in ("--set", item)]
        command = [
            sys.executable,
            "-m",
            "hmer_ink.train",
            "--config",
            "configs/default.yaml",
            "--experiment",
            "a",
            *sets,
        ]
        self.assertEqual(self.run_command(command).returncode, 0)
        model = self.outputs / "a/checkpoints/best_model.pt"
        result = self.evaluate(model, "--show", "3")
        self.assertEqual(result.returncode, 0, result.stderr)
        values = self.metrics("a", "evaluation.json")
        self.assertEqual((values["split"], values["examples"], values["checkpoint"]), ("test", 40, str(model)))
        self.assertLess(values["token_error_rate"], 0.5)
        self.assertGreater(values["chance"]["token_error_rate"], 0.8)
        self.assertRegex(result.stdout, r"token_error_rate +0\.\d{4} +[01]\.\d{4}")
        self.assertEqual(len([line for line in result.stdout.splitlines() if line[:2] in ("ok", "--")]), 3)
        # The score of the validation in training is that of evaluating the same checkpoint on the same split.
        self.assertEqual(self.evaluate(model, "--split", "valid").returncode, 0)
        best = self.metrics("a", "train.json")["best"]
        self.assertEqual(self.metrics("a", "evaluation_valid.json")["token_error_rate"], best["valid_token_error_rate"])
        # Results brought home are evaluated there: next to the checkpoint, with the data wherever it is.
        home = self.folder / "home"
        shutil.move(self.outputs / "a", home)
        self.assertEqual(self.evaluate(home / "checkpoints/best_model.pt", "--data", str(data)).returncode, 0)
        self.assertTrue((home / "metrics/evaluation.json").exists())

    def test_a_missing_checkpoint(self) -> None:
        result = self.evaluate(self.folder / "none.pt")
        self.assertEqual(result.returncode, 2)
        self.assertIn("there is no checkpoint", result.stderr)
