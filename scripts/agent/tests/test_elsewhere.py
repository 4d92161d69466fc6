"""What root has written, as a container does, looked at by the user whose run it is."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

NOBODY = 65534
# Its interpreter may be one that only root can run.
LOOK = """
import json, os, sys
from results.elsewhere import Look
from results.safety import Unsafe, places_of
from run.state import Run
os.setuid(int(sys.argv[1]))
left = {place: files for (place, _), (files, _, _) in Look(Run("exp")).left.items()}
try:
    places_of(Run("exp"))
    why = None
except Unsafe as unsafe:
    why = str(unsafe)
print(json.dumps({"left": left, "unsafe": why}))
"""


class FilesOfRoot(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root can write what another user cannot read")
        self.home, self.disk = self.folder("/var/tmp"), self.folder("/tmp")
        self.workspace = os.path.join(self.home, "work")
        run = os.path.join(self.home, ".lambda-train/runs/exp")
        os.makedirs(self.workspace)
        os.makedirs(run)
        attempt = {"mark": 1, "description": {"workspace": self.workspace, "directory": ".", "outputs": "outputs"}}
        with open(os.path.join(run, "state.json"), "w", encoding="utf-8") as file:
            json.dump({"version": 1, "attempt": 1, "attempts": {"1": attempt}}, file)
        for folder, _, files in os.walk(self.home):
            for path in (folder, *(os.path.join(folder, name) for name in files)):
                os.chown(path, NOBODY, NOBODY)

    def folder(self, where):
        made = tempfile.mkdtemp(prefix="workload-", dir=where)
        self.addCleanup(shutil.rmtree, made)
        os.chmod(made, 0o755)
        return made

    def look(self):
        environment = {**os.environ, "HOME": self.home, "LAMBDA_TRAIN_DISK": self.disk, "PYTHONDONTWRITEBYTECODE": "1"}
        words = [sys.executable, "-c", LOOK, str(NOBODY)]
        ran = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return json.loads(ran.stdout)

    def test_elsewhere_on_the_disk_are_named_whatever_their_ending(self):
        os.mkdir(os.path.join(self.disk, "srv"))
        with open(os.path.join(self.disk, "srv", "weights.state"), "wb") as file:
            file.truncate(2 << 20)
        self.assertEqual(self.look()["left"].get(self.disk), 1)

    def test_that_cannot_be_read_are_no_results_that_are_safe(self):
        self.assertIsNone(self.look()["unsafe"])
        os.mkdir(os.path.join(self.workspace, "secret"), 0o700)
        self.assertEqual(self.look()["unsafe"], "beside/secret cannot be read")
