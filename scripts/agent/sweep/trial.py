"""A trial on this machine: an ordinary run, with a config, variables and GPUs of its own."""

import hashlib
import json
import os
import subprocess
import time

from base.files import moment_after, put, read_json
from base.processes import outside, own_command, quietly
from base.shell import workplace
from run.session import take_up
from run.standing import LIMITS, is_over, is_unsupervised
from run.state import Run
from run.status import state_of
from sweep.coming import Coming, may_be_elsewhere
from sweep.metric import TrialMetric
from sweep.places import path_in, run_of
from sweep.values import in_command, in_config, in_variables, key_of

RUNNING, ENDED, GONE = "running", "ended", "gone"
SECONDS = 120
# Who stops a trial by hand means it.
BY_HAND = ("user", "interrupt")


class Trial:
    def __init__(self, experiment, number, params, attempt, slot):
        self.experiment, self.number, self.params, self.attempt, self.slot = experiment, number, params, attempt, slot
        self.run = Run(run_of(experiment, number))
        self.metric = None
        self.has_stepped = False
        # What comes from elsewhere before it starts, and how `start` is told then.
        self.coming, self.waiting = None, None
        # Why it did not start after that, and why it was stopped before.
        self.refused, self.was_stopped = None, None

    @property
    def path(self):
        return path_in(self.experiment, "trials", f"{self.number}.json")

    def keep(self, **facts):
        """Writes down what it is, for a worker that is started again."""
        known = read_json(self.path, {})
        told = {"number": self.number, "params": self.params, "attempt": self.attempt, "slot": self.slot}
        put(self.path, json.dumps({**known, **told, **facts}))

    def start(self, worker, gpus):
        """Starts or resumes it; gives why it did not start, or None."""
        self.keep(told=None, outcome=None)
        try:
            document = self.document(worker, gpus)
        except OSError as error:
            return f"its config can't be written: {error}"
        if self.coming is None and not may_be_elsewhere(document):
            return self.start_now(document)
        self.waiting, self.coming = document, self.coming or Coming(document)
        return None

    def has_come(self):
        """Whether it has started, as it does once that is done, whether or not there was anything."""
        if not self.coming.is_over():
            return False
        self.coming = None
        self.refused = self.start_now(self.waiting)
        return True

    def start_now(self, document):
        try:
            ended = subprocess.run(
                own_command("start"),
                input=json.dumps(document).encode() + b"\n",
                capture_output=True,
                env=outside(),
                timeout=SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"it did not start: {error}"
        said = (ended.stderr or ended.stdout).decode(errors="replace").strip()
        return None if ended.returncode == 0 else said[-500:] or f"it did not start (status {ended.returncode})"

    def document(self, worker, gpus):
        """What `start` is told."""
        told = worker["trial"]
        config = self.write_config(worker)
        own = {"experiment": self.run.experiment, "trial": str(self.number), **({"config": config} if config else {})}
        values = {**self.params, **own}
        run, resume, evaluation = told["run"], told["run"]["resume"], told["run"]["evaluation"]
        variables = in_variables(run["variables"], values)
        if gpus is not None:
            variables["CUDA_VISIBLE_DEVICES"] = gpus
        run = {**run, "command": in_command(run["command"], values), "variables": variables, "sweep": self.experiment}
        if resume is not None and resume["command"] is not None:
            run["resume"] = {**resume, "command": in_command(resume["command"], values)}
        if run["sync"] is not None:
            run["sync"] = own_copies(run["sync"], self.number)
        if run.get("bucket") is not None:
            run["bucket"] = {**run["bucket"], "url": f"{run['bucket']['url']}-t{self.number}"}
        if evaluation is not None:
            run["evaluation"] = {**evaluation, "command": in_command(evaluation["command"], values)}
        provenance = told["provenance"] and {
            **told["provenance"],
            "trial": {"sweep": self.experiment, "number": self.number, "values": self.params},
        }
        if provenance and config and provenance["config"]:
            provenance["config"] = {**provenance["config"], "path": config}
        return {
            "experiment": self.run.experiment,
            "hash": hashlib.sha256(f"{told['hash']} {key_of(self.params)}".encode()).hexdigest(),
            "stands": told["stands"],
            "run": run,
            "limits": told["limits"],
            "results": told["results"],
            "provenance": provenance,
        }

    def write_config(self, worker):
        """Writes the config with its values beside the template: gives its path as commands have it; None without one."""
        if worker["config"] is None:
            return None
        folder = workplace(worker["trial"]["run"])
        base, extension = os.path.splitext(worker["config"])
        path = f"{base}-t{self.number}{extension}"
        with open(os.path.join(folder, worker["config"]), encoding="utf-8", newline="") as file:
            text = in_config(file.read(), self.params, extension.lower() == ".json")
        temporary = os.path.join(folder, f"{path}.new")
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(temporary, os.path.join(folder, path))
        return path

    def phase(self):
        """running, ended, or gone: neither does it run nor has it ended, as after a reboot."""
        if self.coming is not None and not self.has_come():
            return RUNNING
        attempt = self.run.newest()
        # What was put back ran elsewhere.
        if attempt is None or attempt.has("restored"):
            return GONE
        if attempt.has("exit"):
            return ENDED if is_over(attempt) or not attempt.lives("supervisor") else RUNNING
        if attempt.lives("supervisor") or attempt.is_young():
            return RUNNING
        if is_unsupervised(attempt):
            take_up(self.run)
            return RUNNING
        return RUNNING if attempt.lives("evaluation") else GONE

    def look(self, worker):
        """Takes what its metric has come to. Gives the line of its first step, once."""
        attempt = self.run.newest()
        if attempt is None or attempt.has("restored"):
            return None
        if self.metric is None or self.metric.attempt.number != attempt.number:
            self.metric = TrialMetric(attempt, worker["metric"], worker["metrics"])
        self.metric.look()
        if attempt.has("firstStep") and not self.has_stepped:
            self.has_stepped = True
            return attempt.get("firstStepLine", "")
        return None

    def stop(self, reason, grace):
        """Has its supervisor stop it cleanly; it ends later."""
        if self.coming is not None:
            self.coming.end()
            self.coming, self.was_stopped = None, reason
            return
        attempt = self.run.newest()
        if attempt is not None and not attempt.has("exit") and not attempt.has("stopRequest"):
            attempt.try_put(stopRequest={"reason": reason, "grace": grace})

    def close(self):
        """
        What is written from now on is of trials after it. Its session is closed: those of hundreds would be in the way.
        """
        attempt = self.run.newest()
        if attempt is not None:
            attempt.try_put(closedAt=moment_after())
        quietly(["tmux", "kill-session", "-t", f"={self.run.session}"], env=outside())

    def seconds(self):
        attempt = self.run.newest()
        return attempt.get("used", 0) + attempt.get("seconds", 0) if attempt else 0

    def outcome(self, worker):
        """How it has ended, as the study is told: {state, value, facts, final}."""
        attempt = self.run.newest()
        code, reason = attempt.get("exit"), attempt.get("stopReason")
        self.look(worker)
        facts = {"exitCode": code, "seconds": float(self.seconds())}
        if reason == "pruned":
            self.metric.look(ended=True)
            return told("pruned", value=finite(self.metric.last), facts=facts)
        if reason in BY_HAND:
            return told("failed", facts={**facts, "reason": f"stopped ({reason})"}, final=True)
        if reason == "budget" or (reason is not None and reason not in LIMITS):
            return told("stopped", facts=facts)
        if code != 0 and reason is None:
            return told("failed", facts={**facts, "reason": f"training ended with status {code}"})
        if state_of(attempt, False, False, False) == "failed":
            return told("failed", facts={**facts, "reason": "training detached itself: it must stay in the foreground"})
        value, missing = self.metric.final()
        if value is not None:
            return told("complete", value=value, facts=facts)
        evaluated = attempt.get("evaluationExit")
        if evaluated not in (None, 0):
            return told("failed", facts={**facts, "reason": f"its evaluation ended with status {evaluated}. {missing}"})
        return told("failed", facts={**facts, "reason": missing}, final=True)


def own_copies(sync, number):
    """Where copies of a trial's checkpoints go: beside those of its sweep."""
    if sync.get("bucket") is None:
        return {**sync, "to": f"{sync['to']}-t{number}"}
    above, _, name = sync["to"].rpartition("/")
    to = f"{above}-t{number}/{name}"
    return {**sync, "to": to, "bucket": {**sync["bucket"], "url": to}}


def told(state, value=None, facts=None, final=False):
    return {"state": state, "value": value, "facts": facts or {}, "final": final}


def finite(value):
    return value if value is not None and abs(value) < float("inf") else None


def known_trials(experiment):
    """What is kept of each trial that this machine was given, by number."""
    folder = path_in(experiment, "trials")
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".json")]
    except OSError:
        return []
    found = [read_json(os.path.join(folder, name), None) for name in names]
    return sorted((each for each in found if each), key=lambda each: each["number"])


def wait_for(trials, seconds):
    """Waits until all have ended."""
    until = time.monotonic() + seconds
    while any(trial.phase() == RUNNING for trial in trials) and time.monotonic() < until:
        time.sleep(0.2)
