from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

from .support import ROOT, WorkloadTest


class SetupTest(WorkloadTest):
    """scripts/lambda_setup.sh on a copy of the workload that has no data."""

    def setUp(self) -> None:
        super().setUp()
        self.workspace = self.folder / "hmer-ink"
        leave = shutil.ignore_patterns("data", "outputs", "__pycache__", "tests")
        shutil.copytree(ROOT, self.workspace, ignore=leave)

    def run_setup(self, answer: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        options: dict[str, Any] = {} if answer is None else {"input": answer}
        command = ["bash", str(self.workspace / "scripts" / "lambda_setup.sh")]
        return self.run_command(
            command, cwd=self.folder, env={**os.environ, "PYTHON": sys.executable, **env}, **options
        )

    def test_asks_nothing_without_a_terminal_and_can_be_run_again(self) -> None:
        for _ in range(2):
            result = self.run_setup()
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("dataset: none yet", result.stdout)
            self.assertIn("CUDA available:", result.stdout)
            self.assertIn("Setup complete", result.stdout)
        self.assertTrue((self.workspace / "outputs").is_dir())
        self.assertFalse((self.workspace / "data").exists())

    def test_end_of_input_is_the_default_answer(self) -> None:
        result = self.run_setup(HMER_SETUP_ASK="1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertFalse((self.workspace / "data").exists())

    def test_an_answer_from_a_pipe(self) -> None:
        result = self.run_setup("y\n", HMER_SETUP_ASK="1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(list((self.workspace / "data/train").glob("*.inkml"))), 600)
        self.assertIn("dataset: 760 InkML files", self.run_setup().stdout)

    def test_says_what_is_missing(self) -> None:
        bare = self.folder / "python"
        bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n', encoding="utf-8")
        bare.chmod(0o755)
        result = self.run_setup(PYTHON=str(bare))
        self.assertEqual(result.returncode, 1)
        self.assertIn("has no module torch: sudo apt-get install python3-torch", result.stderr)
        self.assertIn("set PYTHON", self.run_setup(PYTHON="no-such-python").stderr)
