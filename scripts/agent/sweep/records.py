"""
What a study's journal holds: its trials in Optuna, and beside each what Optuna doesn't know of it.

That (its machine, its attempts, that it waits to be run again) stands in the study's attributes as `t<number>`: Optuna's own
trial can't change any more once it has ended. All of it is in the one journal.
"""

import time

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from base.files import unlink_if_there
from sweep.definition import MOST_TRIALS
from sweep.optuna_parts import distribution_of, named, sampler_of

NAME = "sweep"
# What a trial is: waits to be run, runs, or has ended.
QUEUED, RUNNING, COMPLETE, PRUNED, FAILED, WITHDRAWN = "queued", "running", "complete", "pruned", "failed", "withdrawn"


class Records:
    """Reads and writes them; what happens to trials is Study's."""

    def __init__(self, journal):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # One process has the journal. A lock that one has left that was killed would be waited for.
        unlink_if_there(f"{journal}.lock")
        self.journal = journal
        self.storage = JournalStorage(JournalFileBackend(journal))
        self.optuna = None
        self.records, self.definition, self.heard = {}, None, {}
        # Which instance each machine is.
        self.instances = {}
        self.find()

    def find(self):
        """Takes up the study that the journal has. It may have come there after this process began."""
        if any(study.study_name == NAME for study in self.storage.get_all_studies()):
            self.load(optuna.load_study(study_name=NAME, storage=self.storage))

    def load(self, study):
        self.optuna = study
        attributes = study.user_attrs
        self.definition = attributes.get("definition")
        self.records = {int(name[1:]): value for name, value in attributes.items() if name[1:].isdigit() and name[0] == "t"}
        # Optuna's trial came, and what stands beside it did not: the server was killed in between.
        for trial in study.get_trials(deepcopy=False):
            if trial.number not in self.records:
                self.keep(trial.number, self.record(self.params_of(trial)))
        # Who has had a trial before this server was started has time to say so.
        self.heard = {number: time.monotonic() for number, record in self.records.items() if record["state"] == RUNNING}

    def params_of(self, trial):
        if "params" in trial.user_attrs:
            return trial.user_attrs["params"]
        return {name.partition("~")[0]: value for name, value in trial.params.items()}

    def record(self, params):
        return {"params": params, "state": QUEUED, "attempt": 0, "failures": 0, "lost": 0, "createdAt": moment()}

    def keep(self, number, record):
        self.records[number] = record
        self.optuna.set_user_attr(f"t{number}", record)

    def change(self, number, **facts):
        self.keep(number, {**self.records[number], **facts})

    def trial(self, number):
        return self.optuna.get_trials(deepcopy=False)[number]

    def count(self):
        return sum(record["state"] != WITHDRAWN for record in self.records.values())

    def open(self):
        """How many trials wait for a machine, those of a search that are still to be sampled included."""
        queued = sum(record["state"] == QUEUED for record in self.records.values())
        return queued + max(0, self.definition["trials"] - self.count() if self.definition["space"] is not None else 0)

    def add(self, params, **more):
        """A trial with these values, in Optuna and beside it. Gives its number."""
        told = {"state": TrialState.WAITING, "user_attrs": {"params": params}, **more}
        number = len(self.optuna.get_trials(deepcopy=False))
        self.optuna.add_trial(optuna.trial.create_trial(**told))
        self.keep(number, self.record(params))
        return number

    def add_sampled(self, params):
        """A trial of a search that another study has sampled."""
        wanted = {name: distribution_of(told) for name, told in self.definition["space"].items() if name in params}
        names = named(wanted, self.optuna.get_trials(deepcopy=False))
        own = {name: params[names[name]] for name in names}
        self.add(params, state=TrialState.RUNNING, params=own, distributions={name: wanted[names[name]] for name in names})

    def sample(self):
        """The next trial of a search."""
        number = len(self.optuna.get_trials(deepcopy=False))
        wanted = {name: distribution_of(told) for name, told in self.definition["space"].items()}
        names = named(wanted, self.optuna.get_trials(deepcopy=False))
        self.optuna.sampler = sampler_of(self.definition["sampler"], self.definition["seed"], number)
        trial = self.optuna.ask({own: wanted[name] for own, name in names.items()})
        self.keep(trial.number, self.record({names[own]: value for own, value in trial.params.items()}))
        return trial.number

    def know(self, number, params):
        """Makes a trial known that a machine has and this study, an older copy, has not. Those before it come too."""
        if not 0 <= number < MOST_TRIALS:
            raise ValueError(f"no trial has the number {number}")
        while number not in self.records:
            missing = len(self.records)
            if self.definition["space"] is None:
                self.add(params if missing == number else {})
            elif missing < number:
                self.sample()
            else:
                self.add_sampled(params)


def moment():
    return round(time.time(), 3)
