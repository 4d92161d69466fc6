"""Copies of the workspace, in which jobs and commands run."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

AGENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COPY = "lambda-train/dev/work"


class Fixture(unittest.TestCase):
    def setUp(self):
        self.home = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.home)
        self.base = os.path.join(self.home, ".lambda-train")
        self.write("work/train.py", "one")
        self.write("work/changed.py", "put")
        self.write("work/data/train/x", "data")
        self.write("work/outputs/exp/best.pt", "model")
        self.write("work/built/lib.so", "by setup")
        os.symlink("train.py", self.path("work/link.py"))
        entries = [self.entry("changed.py"), {"path": "link.py", "link": "train.py", "size": 0}, self.entry("train.py")]
        facts = {"root": self.path("work"), "hash": "h", "count": len(entries), "latest": 0}
        self.write(".lambda-train/manifests/work.json", "".join(f"{json.dumps(each)}\n" for each in (facts, *entries)))
        self.write("work/changed.py", "by hand")
        # Written by whatever runs, once something runs.
        os.utime(self.path("work/built"), (1, 1))
        mark = {"mark": 2 * 10**9, "description": {}}
        state = {"version": 1, "attempt": 1, "attempts": {"1": mark}}
        self.write(".lambda-train/runs/exp/state.json", json.dumps(state))
        self.write("work/wandb/run-1/log", "of the run")

    def path(self, name):
        return os.path.join(self.home, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def entry(self, name):
        info = os.stat(self.path(f"work/{name}"))
        return {"path": name, "size": info.st_size, "sha256": "0", "executable": False, "mtime": info.st_mtime_ns}

    def place(self, code=("changed.py", "link.py", "train.py")):
        told = {"workspace": "work", "folder": COPY, "linked": ["data"], "outputs": "outputs", "code": list(code)}
        environment = {**os.environ, "HOME": self.home}
        environment.pop("LAMBDA_TRAIN_BASE", None)
        words = [sys.executable, "-IS", AGENT, "copy-place", json.dumps(told)]
        subprocess.run(words, env=environment, check=True)


class Copies(Fixture):
    def test_hold_the_code_as_it_was_uploaded_and_share_data_and_what_setup_made(self):
        self.place()
        self.assertEqual(self.read(f"{COPY}/train.py"), "one")
        self.assertEqual(os.readlink(self.path(f"{COPY}/link.py")), "train.py")
        # Another by now: the upload brings it.
        self.assertFalse(os.path.lexists(self.path(f"{COPY}/changed.py")))
        for name in ("data", "built"):
            self.assertEqual(os.readlink(self.path(f"{COPY}/{name}")), self.path(f"work/{name}"))
        for name in ("outputs", "wandb"):
            self.assertFalse(os.path.lexists(self.path(f"{COPY}/{name}")))

    def test_share_no_file_with_the_workspace(self):
        self.place()
        self.write(f"{COPY}/train.py", "two")
        self.assertEqual(self.read("work/train.py"), "one")

    def test_stay_as_they_are_when_asked_for_again(self):
        self.place()
        self.write(f"{COPY}/train.py", "two")
        self.place()
        self.assertEqual(self.read(f"{COPY}/train.py"), "two")

    def test_link_nothing_that_is_code_from_now_on(self):
        self.place()
        self.place(["built", "train.py"])
        self.assertFalse(os.path.lexists(self.path(f"{COPY}/built")))
        self.assertEqual(self.read("work/built/lib.so"), "by setup")


class Jobs(Fixture):
    def call(self, verb, **changes):
        told = {
            "experiment": "job",
            "of": "exp",
            "hash": "h",
            "workspace": "work",
            "folder": COPY,
            "command": "true",
            "variables": {},
            "grace": 1,
            "results": {"include": [], "exclude": []},
            **changes,
        }
        environment = {**os.environ, "HOME": self.home}
        environment.pop("LAMBDA_TRAIN_BASE", None)
        words = [sys.executable, "-IS", AGENT, verb, json.dumps(told)]
        return subprocess.run(words, env=environment, stdout=-1, stderr=-1, check=False)

    def test_start_beside_a_run_alone(self):
        ended = self.call("job-start", of="other")
        self.assertEqual((ended.returncode, b"other was never started" in ended.stderr), (9, True))

    def test_start_within_the_budget_alone(self):
        ended = self.call("job-start", deadline=1)
        self.assertEqual((ended.returncode, b"budget of this instance is spent" in ended.stderr), (4, True))
        self.assertEqual(sorted(os.listdir(self.path(".lambda-train/runs"))), ["exp", "job"])
        self.assertFalse(os.path.exists(self.path(".lambda-train/jobs/job")))

    def test_that_do_not_start_leave_no_secrets(self):
        self.write(".lambda-train/secrets/values.json", '{"TOKEN": "a-secret"}')
        self.assertEqual(self.call("job-start", deadline=1).returncode, 4)
        self.assertFalse(os.path.exists(self.path(".lambda-train/secrets/values.json")))

    def test_are_kept_by_the_run_that_the_state_knows(self):
        script = (
            "from jobs.list import keeper_of as of; "
            "print(of('exp', {}), of('swept-t1', {'sweep': 'swept'}), of('job', {'job': 'exp'}))"
        )
        environment = {**os.environ, "PYTHONPATH": AGENT}
        told = subprocess.run([sys.executable, "-c", script], env=environment, stdout=-1, check=True).stdout
        self.assertEqual(told, b"exp swept exp\n")

    def test_have_names_that_no_run_has(self):
        self.assertEqual(self.call("job-look").stdout, b"free\n")
        for verb in ("job-look", "job-start"):
            ended = self.call(verb, experiment="exp")
            self.assertEqual((ended.returncode, b"There is a run or job exp" in ended.stderr), (3, True))


class Elsewhere(Fixture):
    """What a job writes into its copy is its own, whichever run it is beside."""

    def test_is_no_run_s_but_the_job_s(self):
        for name, workspace in (("exp", "work"), ("swept-t1", "work"), ("job", "lambda-train/jobs/job/work")):
            described = {"workspace": workspace, "directory": ".", "outputs": "outputs", "variables": {}}
            more = {"job": "exp"} if name == "job" else {"sweep": "swept"} if name == "swept-t1" else {}
            attempt = {"mark": 1, "description": {**described, **more}}
            document = {"version": 1, "attempt": 1, "attempts": {"1": attempt}}
            self.write(f".lambda-train/runs/{name}/state.json", json.dumps(document))
        self.write(".lambda-train/jobs/job", "exp")
        self.write("lambda-train/jobs/job/work/logs/new", "of the job")
        script = (
            "import sys; from results.elsewhere import Look; from run.state import Run; "
            "print([path for _, path, _, _ in Look(Run(sys.argv[1])).found if path.endswith('new')])"
        )
        environment = {**os.environ, "HOME": self.home, "PYTHONPATH": AGENT}
        environment.pop("LAMBDA_TRAIN_BASE", None)
        found = {}
        for name in ("exp", "swept-t1", "job"):
            words = [sys.executable, "-c", script, name]
            found[name] = subprocess.run(words, env=environment, stdout=-1, check=True).stdout.decode().strip()
        self.assertEqual(found, {"exp": "[]", "swept-t1": "[]", "job": "['logs/new']"})


class Imports(Fixture):
    def paths(self):
        script = (
            f"import json; from jobs.imports import with_imports; print(json.dumps(with_imports({{}}, 'work', '{COPY}')))"
        )
        environment = {**os.environ, "HOME": self.home, "PYTHONPATH": AGENT}
        environment.pop("LAMBDA_TRAIN_BASE", None)
        return json.loads(subprocess.run([sys.executable, "-c", script], env=environment, stdout=-1, check=True).stdout)

    def test_come_from_the_copy_where_setup_installed_the_workspace_itself(self):
        self.place()
        os.makedirs(self.path(f"{COPY}/src"))
        self.write(
            ".lambda-train/env.sh", f"export PYTHONPATH={self.path('work/src')}:{self.path('work/built')}:/elsewhere\n"
        )
        # What setup built is linked, and so the same.
        self.assertEqual(self.paths(), {"PYTHONPATH": f"{self.path(f'{COPY}/src')}:$PYTHONPATH"})

    def test_need_nothing_otherwise(self):
        self.place()
        self.assertEqual(self.paths(), {})


if __name__ == "__main__":
    unittest.main()
