from __future__ import annotations

import os
import signal
import unittest

import torch

from .support import ROOT, WorkloadTest


class TrainCommandTest(WorkloadTest):
    """The command as it is run on an instance."""

    def test_a_signal_ends_it_with_a_checkpoint_and_nobody_else_writes_there(self) -> None:
        long = "training.epochs=3000"
        process = self.start(self.train_command("a", long))
        self.wait_for_log("a", "step 4 ")
        second = self.run_command(self.train_command("a", long))
        self.assertEqual(second.returncode, 2)
        self.assertIn("another training writes to", second.stderr)
        # Whoever else is told to stop passes it on: it arrives more than once.
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP):
            os.killpg(process.pid, number)
        self.assertEqual(process.wait(30), 143)
        log = (self.outputs / "a/logs/train.log").read_text(encoding="utf-8")
        self.assertRegex(log, r"stopped by SIGTERM at step \d+: checkpoint written")
        self.assertEqual(self.metrics("a", "train.json")["status"], "stopped")
        self.assertTrue((self.outputs / "a/checkpoints/last.pt").exists())

    def test_killed_and_resumed_ends_the_same(self) -> None:
        self.assertEqual(self.run_command(self.train_command("whole")).returncode, 0)
        process = self.start(self.train_command("a", "training.checkpoint_every_seconds=0"))
        self.wait_for_log("a", "step 6 ")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        # What a kill in the middle of a write leaves behind is removed, and never taken for a checkpoint.
        (self.outputs / "a/checkpoints/.last.pt.x.tmp").write_bytes(b"half")
        result = self.run_command(self.train_command("a"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"resumed at step \d+, epoch \d")
        self.assertEqual(self.history_bytes("a"), self.history_bytes("whole"))
        self.assertEqual(list((self.outputs / "a").rglob("*.tmp")), [])

    def test_files_log_and_a_second_run(self) -> None:
        result = self.run_command(self.train_command("a", "use_wandb=true"))
        self.assertEqual(result.returncode, 0, result.stderr)
        folder = self.outputs / "a"
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        checkpoints = [
            f"checkpoints/{name}.pt" for name in ("best_model", "checkpoint_epoch_2", "checkpoint_epoch_3", "last")
        ]
        rest = ["config.yaml", "logs/train.log", "metrics/history.json", "metrics/train.json"]
        self.assertEqual(files, checkpoints + rest)
        self.assertEqual((folder / "logs/train.log").read_text(encoding="utf-8"), result.stdout)
        self.assertRegex(result.stdout, r"(?m)^\S+Z INFO step 1 epoch 1 loss \d+\.\d{4} lr 0\.\d{5} examples/s \d+$")
        self.assertRegex(result.stdout, "use_wandb is true, but the package wandb is not installed")
        summary = self.metrics("a", "train.json")
        self.assertEqual((summary["status"], summary["epochs_done"], summary["steps"]), ("finished", 3, 15))
        again = self.run_command(self.train_command("a"))
        self.assertEqual(again.returncode, 0)
        self.assertNotIn("step 16", again.stdout)

    def test_outlives_its_standard_output(self) -> None:
        process = self.start(self.train_command("a"))
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.wait(30), 0)
        self.assertEqual(self.metrics("a", "train.json")["status"], "finished")
        self.assertIn("finished: best epoch", (self.outputs / "a/logs/train.log").read_text(encoding="utf-8"))

    @unittest.skipIf(torch.cuda.is_available(), "this machine has CUDA, so asking for it is no error here")
    def test_cuda_is_refused_where_there_is_none(self) -> None:
        result = self.run_command(self.train_command("a", config="configs/lambda.yaml"))
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, "the config asks for device: cuda, but PyTorch .* sees no CUDA device")
        self.assertNotIn("Traceback", result.stderr)
        self.assertFalse(self.outputs.exists())

    def test_missing_data_is_an_error_in_the_log(self) -> None:
        result = self.run_command(self.train_command("a", f"data.root={self.folder}"))
        self.assertEqual(result.returncode, 2)
        self.assertIn("no .inkml files in", (self.outputs / "a/logs/train.log").read_text(encoding="utf-8"))

    def test_two_processes_share_the_work(self) -> None:
        overrides = " ".join(self.overrides("training.epochs=2"))
        command = ["make", "-s", "train", "NPROC=2", "CONFIG=configs/smoke.yaml", f"SET={overrides}"]
        env = {**os.environ, "PYTHON": self.train_command("")[0]}
        for name in ("a", "b"):  # twice: the sharing is repeatable too
            result = self.run_command([*command, f"EXPERIMENT={name}"], env=env, cwd=ROOT)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertEqual(result.stdout.count("step 1 epoch 1"), 1)
        self.assertEqual(self.metrics("a", "train.json")["processes"], 2)
        self.assertEqual(self.history_bytes("a"), self.history_bytes("b"))
