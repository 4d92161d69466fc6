"""A tiny dataset and runs of the commands, shared by the tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 180

TINY = (
    "threads=1",
    "model.channels=12",
    "model.blocks=2",
    "model.dropout=0.2",
    "training.epochs=3",
    "training.batch_size=4",
    "training.warmup_steps=2",
    "training.checkpoint_every_epochs=1",
    "training.keep_checkpoints=2",
    "training.log_every_steps=2",
)


def make_data(folder: Path, train: int = 22, valid: int = 6, test: int = 6, seed: int = 0) -> Path:
    """Write a synthetic dataset and return its folder."""
    sizes = [f"--train={train}", f"--valid={valid}", f"--test={test}", f"--seed={seed}"]
    subprocess.run(
        [sys.executable, "scripts/make_data.py", "--out", str(folder), *sizes],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=TIMEOUT,
    )
    return folder


class WorkloadTest(unittest.TestCase):
    """A test with a folder of its own and a tiny dataset in it."""

    data: Path
    _shared: str

    @classmethod
    def setUpClass(cls) -> None:
        cls._shared = tempfile.mkdtemp(prefix="hmer-ink-data-")
        cls.addClassCleanup(shutil.rmtree, cls._shared)
        cls.data = make_data(Path(cls._shared) / "data")

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hmer-ink-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.outputs = self.folder / "outputs"

    def overrides(self, *more: str) -> list[str]:
        return [*TINY, f"data.root={self.data}", f"output_dir={self.outputs}", *more]

    def train_command(self, experiment: str, *more: str, config: str = "configs/smoke.yaml") -> list[str]:
        sets = [part for item in self.overrides(*more) for part in ("--set", item)]
        command = [sys.executable, "-m", "hmer_ink.train", "--config", config]
        return [*command, "--experiment", experiment, *sets]

    def run_command(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        options.setdefault("stdin", subprocess.DEVNULL)
        if "input" in options:
            del options["stdin"]
        return subprocess.run(
            command,
            cwd=options.pop("cwd", ROOT),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            **options,
        )

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, which is gone when the test is over."""
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.addCleanup(self._end, process)
        return process

    @staticmethod
    def _end(process: subprocess.Popen[str]) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def wait_for_log(self, experiment: str, text: str) -> None:
        log, deadline = self.outputs / experiment / "logs" / "train.log", time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            if log.exists() and text in log.read_text(encoding="utf-8"):
                return
            time.sleep(0.01)
        self.fail(f"{text!r} did not appear in {log}")

    def metrics(self, experiment: str, name: str) -> Any:
        return json.loads((self.outputs / experiment / "metrics" / name).read_text(encoding="utf-8"))

    def history_bytes(self, experiment: str) -> bytes:
        return (self.outputs / experiment / "metrics" / "history.json").read_bytes()
