"""What a worker tells its study and asks it: the ends of trials, word of those that run, and for more."""

import json
import os

from sweep.journal import Copy
from sweep.places import path_in
from sweep.reach import ask_study

# Values of a trial that a study is told again.
MOST_TOLD = 60


class Telling:
    """`worker`: what the worker is told, as it is now."""

    def __init__(self, experiment, worker):
        self.experiment, self.worker = experiment, worker
        self.copy = Copy(experiment)
        self.epoch = self.copy.epoch
        # What the study has still to be told: (trial, request).
        self.pending = []

    def me(self):
        return {"machine": self.worker["machine"], "instance": self.worker["instance"]}

    def call(self, request):
        """@raises Unreachable"""
        study, machine = self.worker["study"], self.worker["machine"]
        answer = ask_study(study, machine, self.experiment, request)
        if answer["epoch"] != self.epoch:
            # Another study than the one that was told: it may know less.
            for again in told_before(self.experiment):
                ask_study(study, machine, self.experiment, again)
            self.epoch = answer["epoch"]
        return answer

    def tell_pending(self):
        """Tells the ends of trials that the study has not heard of. How many these were. @raises Unreachable"""
        count = 0
        while self.pending:
            self.tell(*self.pending[0])
            self.pending.pop(0)
            count += 1
        return count

    def tell(self, trial, request):
        self.call(request)
        trial.keep(told=request["state"])
        if request["state"] != "stopped":
            with open(
                os.open(path_in(self.experiment, "told.jsonl"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                "a",
                encoding="utf-8",
            ) as file:
                file.write(f"{json.dumps({**request, 'values': request['values'][-MOST_TOLD:]})}\n")

    def beat(self, running):
        """Gives word of the trials that run. The study's answer: which of them to prune, which to stop. @raises Unreachable"""
        news = {trial.number: trial.metric.news() if trial.metric else [] for trial in running}
        told_of = [
            {"number": trial.number, "attempt": trial.attempt, "params": trial.params, "values": news[trial.number]}
            for trial in running
        ]
        answer = self.call({**self.word_of(told_of), "offset": self.copy.offset, "epoch": self.copy.coming()})
        self.copy.take(answer)
        self.fetch_copy(answer)
        for trial in running:
            if trial.metric:
                trial.metric.heard(news[trial.number])
        return answer

    def fetch_copy(self, answer):
        """The rest of the journal, where one answer can't hold it."""
        while answer["offset"] < answer["size"] and answer["journal"]:
            answer = self.call({**self.word_of([]), "offset": self.copy.offset, "epoch": self.copy.coming()})
            self.copy.take(answer)

    def word_of(self, running):
        return {"op": "beat", **self.me(), "running": running}

    def ask(self, have):
        """For one more trial. `have`: numbers of those of which this machine has a part. @raises Unreachable"""
        keeps = self.worker["machine"] == self.worker["study"]
        return self.call({"op": "ask", **self.me(), "have": have, "keeps": keeps})


def told_before(experiment):
    """What the study was told of trials that have ended, the earliest first."""
    try:
        with open(path_in(experiment, "told.jsonl"), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # Cut short by a full disk.
    return found
