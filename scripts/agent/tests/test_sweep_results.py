"""Trials of one sweep in one workspace: each gets what is its own, and nothing of another's."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

# BASE is known when the modules are loaded.
LOOK = """
import json, sys
from results.elsewhere import Look
from run.output import find_output
from run.state import Run
run = Run(sys.argv[1])
find_output(run.newest())
newest = run.newest()
print(json.dumps({
    "output": newest.get("outputPath"),
    "beside": newest.get("outputBeside", []),
    "elsewhere": sorted(path for _, path, _, _ in Look(run).found),
}))
"""


class TrialsOfOneWorkspace(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.home)
        self.workspace = os.path.join(self.home, "work")
        os.makedirs(self.workspace)

    def run_of(self, experiment, began, ended=None, sweep="exp", evaluated=None):
        folder = os.path.join(self.home, ".lambda-train/runs", experiment)
        os.makedirs(folder)
        attempt = {
            "mark": began * 10**9,
            "description": {"workspace": self.workspace, "directory": ".", "outputs": "outputs", "sweep": sweep},
        }
        if ended is not None:
            attempt.update(exit=0, closedAt=ended * 10**9)
        if evaluated is not None:
            attempt.update(evaluatingAt=evaluated[0] * 10**9, evaluatedAt=evaluated[1] * 10**9)
        document = {"version": 1, "attempt": 1, "attempts": {"1": attempt}}
        with open(os.path.join(folder, "state.json"), "w", encoding="utf-8") as file:
            json.dump(document, file)

    def write(self, path, at):
        full = os.path.join(self.workspace, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(path)
        os.utime(full, (at, at))

    def look(self, experiment):
        words = [sys.executable, "-c", LOOK, experiment]
        environment = {**os.environ, "HOME": self.home, "PYTHONPATH": os.getcwd()}
        seen = json.loads(subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True).stdout)
        outputs = os.path.join(self.workspace, "outputs")
        seen["output"] = seen["output"] and os.path.relpath(seen["output"], outputs)
        seen["beside"] = [os.path.relpath(path, outputs) for path in seen["beside"]]
        return seen

    def test_one_after_the_other(self):
        self.run_of("exp", 1000)
        self.run_of("exp-t0", 1000, 1100)
        self.run_of("exp-t1", 1101)
        self.write("outputs/exp-t0/model.pt", 1050)
        self.write("outputs/exp-t1/model.pt", 1150)
        self.write("lightning_logs/version_0/metrics.csv", 1050)
        self.write("lightning_logs/version_1/metrics.csv", 1150)
        first = {"output": "exp-t0", "beside": [], "elsewhere": ["lightning_logs/version_0/metrics.csv"]}
        self.assertEqual(self.look("exp-t0"), first)
        second = self.look("exp-t1")
        self.assertEqual((second["output"], second["beside"]), ("exp-t1", []))
        self.assertIn("lightning_logs/version_1/metrics.csv", second["elsewhere"])
        self.assertEqual(self.look("exp"), {"output": None, "beside": [], "elsewhere": []})

    def test_evaluated_when_all_have_ended(self):
        self.run_of("exp-t0", 1000, 1100, evaluated=(1300, 1310))
        self.run_of("exp-t1", 1101, 1200, evaluated=(1311, 1320))
        self.write("outputs/exp-t0/model.pt", 1050)
        self.write("outputs/exp-t1/model.pt", 1150)
        self.write("evaluations/t0.json", 1305)
        self.write("evaluations/t1.json", 1315)
        self.assertEqual(self.look("exp-t0")["elsewhere"], ["evaluations/t0.json"])
        self.assertEqual(self.look("exp-t1")["elsewhere"], ["evaluations/t1.json"])

    def test_side_by_side(self):
        self.run_of("exp-t0", 1000)
        self.run_of("exp-t1", 1000)
        self.write("outputs/exp-t0/model.pt", 1050)
        self.write("outputs/exp-t1/model.pt", 1050)
        self.write("outputs/shared.csv", 1050)
        for name in ("exp-t0", "exp-t1"):
            self.assertEqual(self.look(name), {"output": name, "beside": ["shared.csv"], "elsewhere": []})

    def test_runs_that_are_of_no_sweep(self):
        self.run_of("exp", 1000, 1100, sweep=None)
        self.run_of("exp-t1", 1101, sweep=None)
        self.write("outputs/exp/model.pt", 1150)
        self.assertEqual(self.look("exp-t1")["output"], "exp")


if __name__ == "__main__":
    unittest.main()
