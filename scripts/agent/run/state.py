"""What is known of a run: one JSON document, written whole, and a list of events.

~/.lambda-train/runs/<experiment>/
  state.json    version, the number of the newest attempt, and what is known of each
  events.jsonl  what happened when, a line each
  train.log, evaluate.log, log.times, written.json, beside.json (results/beside.py), aside/
  configs/<attempt>  the config that it read
An earlier release kept a file for each fact (see run/early.py). Its attempts stay as they are: its supervisor may go on.
"""

import json
import os
import time

from base.files import BASE, fact, put
from base.locks import hold, release
from base.say import die
from base.text import tail_of
from run.early import EarlyAttempt
from run.facts import Facts

RUNS = os.path.join(BASE, "runs")
VERSION = 1


def parsed(path, text):
    try:
        return json.loads(text)
    except ValueError as error:
        die(
            1,
            f"{path} is damaged ({error}), so nothing is known of this run. Copy what you need by hand (npm run ssh), remove "
            "that file, then run the command again.",
        )


class Run:
    """An experiment on this instance."""

    def __init__(self, experiment):
        self.experiment = experiment
        self.folder = os.path.join(RUNS, experiment)
        self.log = os.path.join(self.folder, "train.log")
        self.evaluation_log = os.path.join(self.folder, "evaluate.log")
        self._seen = None
        self._document = {}

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def document(self):
        """What state.json holds."""
        path = self.path("state.json")
        try:
            info = os.stat(path)
            seen = (info.st_ino, info.st_mtime_ns, info.st_size)
            if seen != self._seen:
                with open(path, encoding="utf-8", errors="surrogateescape") as file:
                    document = parsed(path, file.read())
                if document["version"] > VERSION:
                    die(1, f"{path} was written by a newer release of the stack. Update this one: git pull.")
                self._seen, self._document = seen, document
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return self._document

    def change(self, change):
        """Changes the document, for one process at a time. @raises OSError on a disk that stays full"""
        lock = hold(self.path("state.lock"))
        try:
            document = json.loads(json.dumps(self.document() or {"version": VERSION}))
            change(document)
            put(self.path("state.json"), json.dumps(document))
        finally:
            release(lock)

    def tell(self, event, **facts):
        """Adds to the events. Nothing depends on them: a full disk leaves them out."""
        try:
            line = json.dumps({"at": round(time.time(), 3), "event": event, **facts})
            with open(
                os.open(self.path("events.jsonl"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8"
            ) as file:
                file.write(f"{line}\n")
        except OSError:
            pass

    def events(self, most):
        """The newest ones, the oldest of them first. What a full disk cut short is none."""
        found = []
        for line in tail_of(self.path("events.jsonl")).split(b"\n"):
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and {"at", "event"} <= event.keys():
                found.append(event)
        return found[-most:]

    def number(self):
        """The newest attempt's, 0 where the experiment was never started."""
        return self.document().get("attempt") or int(fact(self.folder, "attempt") or 0)

    def attempt(self, number):
        if str(number) in self.document().get("attempts", {}):
            return Attempt(self, number)
        return EarlyAttempt(self, number)

    def newest(self):
        """The newest attempt, or None."""
        number = self.number()
        return self.attempt(number) if number else None

    def attempts(self):
        """All of them, the earliest first."""
        return [self.attempt(number) for number in range(1, self.number() + 1)]

    def begin(self, **facts):
        """Makes the next attempt."""
        number = self.number() + 1

        def change(document):
            document["attempt"] = number
            known = {name: value for name, value in facts.items() if value is not None}
            document.setdefault("attempts", {})[str(number)] = {"createdAt": time.time(), **known}

        self.change(change)
        return self.attempt(number)

    def keys(self):
        """Which files are results in spite of the rules, and which are none: {include, exclude}."""
        document = self.document()
        if "results" in document:
            return document["results"]
        return json.loads(fact(self.folder, "results.json") or "{}")

    def keep_keys(self, keys):
        if self.keys() != keys:
            self.change(lambda document: document.update(results=keys))

    def note(self, text):
        """A line in the run's log. A disk that is full must not end who writes it."""
        try:
            with open(
                os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                "w",
                encoding="utf-8",
                errors="surrogateescape",
            ) as log:
                log.write(f"{text}\n")
        except OSError:
            pass

    @property
    def session(self):
        """Name of its tmux session: tmux takes neither . nor : in a name."""
        return self.experiment.replace(".", "_").replace(":", "_")


class Attempt(Facts):
    """
    One start of a run. Facts: hash (of its settings), askedHash (by which the stack calls them), stands (hash of the code,
    data and environment), provenance and config (see results/record.py), command (what ran), resumedFrom (the checkpoint that was there), copied (to a file system, see
    results/snapshots.py), restored (it
    ran on another machine, see results/restore.py), used (seconds of the attempts
    before it), description, limits, createdAt, startedAt,
    mark (files that training writes are newer), logStart, supervisor, launcher, scope (its cgroup), firstStep, firstStepLine, outputPath,
    outputBeside, seconds, activeAt, stopRequest, stopReason, detached, interrupted (the machine went down), trainingEnd,
    exit, endedAt, evaluation, evaluationExit, evaluatingAt, evaluatedAt, fetching, fetched, kept, doubt (why its end with 0 may be no
    success), reopened (a worker that had finished has work again), closedAt (when a trial's worker was done with it), clearedAt (when the outputs were emptied for it),
    apart (its results are at home or kept aside: what is in the outputs now may be others').
    """

    def __init__(self, run, number):
        self.run = run
        self.number = number

    def get(self, name, default=None):
        value = self.run.document().get("attempts", {}).get(str(self.number), {}).get(name)
        return default if value is None else value

    def put(self, **facts):
        """Writes facts down; None takes one away. @raises OSError on a disk that stays full"""

        def change(document):
            known = document["attempts"][str(self.number)]
            known.update(facts)
            for name in [name for name, value in known.items() if value is None]:
                del known[name]

        self.run.change(change)


def runs():
    """All experiments that were ever started here, by name."""
    try:
        names = sorted(os.listdir(RUNS))
    except OSError:
        return []
    return [run for run in map(Run, names) if run.number()]
