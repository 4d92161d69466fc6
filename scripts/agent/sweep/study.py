"""The study: which trials there are, who runs which, what each came to. One process has it; see sweep/server.py."""

import math
import time

import optuna
from optuna.trial import TrialState

from sweep.definition import MOST_VALUES, points_of
from sweep.optuna_parts import importances, pruner_of
from sweep.records import COMPLETE, FAILED, NAME, PRUNED, QUEUED, RUNNING, WITHDRAWN, Records, moment
from sweep.values import key_of

ENDED = (COMPLETE, PRUNED, FAILED, WITHDRAWN)
STATES = {COMPLETE: TrialState.COMPLETE, PRUNED: TrialState.PRUNED, FAILED: TrialState.FAIL, WITHDRAWN: TrialState.FAIL}
# Machines that may be lost under one trial: what ends each machine is not to go on for ever.
MOST_LOST = 5


class Study(Records):
    def place(self, definition, home, lost, trained):
        """
        Makes the study, or brings it to what is wanted: values that came are queued, values that went are withdrawn if they
        wait. `home`: numbers of trials whose results are at home; `lost`: instances that are gone. A trial whose results were
        on one of them alone is queued again. `trained`: what is at home of trials that the study may not know.
        """
        if self.optuna is None:
            self.find()
        if self.optuna is None:
            study = optuna.create_study(study_name=NAME, storage=self.storage, direction=definition["direction"])
            self.load(study)
        self.require_same_kind(definition)
        if definition != self.definition:
            self.optuna.set_user_attr("definition", definition)
            self.definition = definition
        for told in trained:
            if told["number"] not in self.records:
                self.know(told["number"], told["params"])
                self.end(told["number"], COMPLETE, value=finite(told["value"]))
        values = {told["number"]: finite(told["value"]) for told in trained}
        if definition["points"] is not None:
            self.match(points_of(definition))
        for number, record in list(self.records.items()):
            if record.get("instance") not in lost:
                continue
            if number in home and number in values and record["state"] not in ENDED:
                # It has ended well, though this study, a copy that was made before, doesn't know.
                self.end(number, COMPLETE, value=values[number])
            elif number not in home and record["state"] in (COMPLETE, PRUNED):
                self.change(number, state=QUEUED, again=True)
            elif record["state"] == RUNNING:
                self.give_back(number, lost=1)

    def require_same_kind(self, definition):
        """What trials have come to must mean the same before and after a change. @raises ValueError"""
        old = self.definition or definition
        changed = [name for name in ("metric", "direction") if old[name] != definition[name]]
        changed += ["grid or list"] if (old["space"] is None) != (definition["space"] is None) else []
        if changed:
            raise ValueError(
                f"the {changed[0]} of a sweep that has begun can't change: its trials couldn't be compared. Give the "
                "experiment another name"
            )

    def match(self, points):
        """Queues the values that no trial has, and withdraws those that wait and aren't wanted any more."""
        wanted = [key_of(point) for point in points]
        known = {key_of(record["params"]): number for number, record in self.records.items()}
        for number, record in list(self.records.items()):
            is_wanted = key_of(record["params"]) in wanted
            if not is_wanted and record["state"] == QUEUED:
                self.change(number, state=WITHDRAWN)
            elif is_wanted and record["state"] == WITHDRAWN:
                self.change(number, state=QUEUED)
        for key, point in zip(wanted, points):
            if key not in known:
                known[key] = self.add(point)

    def ask(self, machine, have):
        """A trial for a machine; None where none waits. `have`: those of which it has a part already."""
        self.expire()
        queued = [number for number, record in self.records.items() if record["state"] == QUEUED]
        if queued:
            number = min(queued, key=lambda each: (each not in have, each))
        elif self.definition["space"] is not None and self.count() < self.definition["trials"]:
            number = self.sample()
        else:
            return None
        record = self.records[number]
        self.run(number, machine, record["attempt"] + 1)
        return {"number": number, "params": record["params"], "attempt": record["attempt"] + 1}

    def run(self, number, machine, attempt):
        on = {"machine": machine, "instance": self.instances.get(machine)}
        self.change(number, state=RUNNING, **on, attempt=attempt, startedAt=moment(), reason=None)
        self.heard[number] = time.monotonic()
        own = self.trial(number)
        if own.state == TrialState.WAITING:
            self.storage.set_trial_state_values(own._trial_id, TrialState.RUNNING)

    def is_on(self, machine, instance):
        """A machine is another instance than before: what the one before ran is given back at once."""
        if self.instances.get(machine) == instance:
            return
        self.instances[machine] = instance
        for number, record in list(self.records.items()):
            if record["state"] == RUNNING and record.get("machine") == machine and record.get("instance") != instance:
                self.give_back(number, lost=1)

    def expire(self):
        """Gives back the trials of which nobody has had word for too long."""
        limit = time.monotonic() - self.definition["leaseSeconds"]
        for number, record in list(self.records.items()):
            if record["state"] == RUNNING and self.heard.get(number, 0) < limit:
                self.give_back(number, lost=1)

    def give_back(self, number, lost=0):
        record = self.records[number]
        if record["lost"] + lost > MOST_LOST:
            self.end(number, FAILED, reason=f"the machines that ran it were lost {MOST_LOST} times")
        else:
            self.change(number, state=QUEUED, lost=record["lost"] + lost)

    def is_held(self, number, machine, attempt):
        """Whether a machine's attempt of a trial is the one that counts."""
        record = self.records[number]
        return record["state"] == RUNNING and (record.get("machine"), record["attempt"]) == (machine, attempt)

    def beat(self, machine, running):
        """
        Word of the trials that a machine runs, with the metric's values since the last word: which of them to prune, and
        which to stop, since another machine has them or they have ended.
        """
        prune, stop = [], []
        for told in running:
            number, attempt = told["number"], told["attempt"]
            self.know(number, told["params"])
            record = self.records[number]
            if record["state"] == QUEUED and record["attempt"] <= attempt:
                # It was given back too early, or this study is a copy that was made before it was given out.
                self.run(number, machine, attempt)
            if not self.is_held(number, machine, attempt):
                stop.append(number)
                continue
            self.heard[number] = time.monotonic()
            if self.report(number, told["values"]) and self.is_bad(number):
                prune.append(number)
        return {"prune": prune, "stop": stop}

    def report(self, number, values):
        """Whether there are new values. Of a lost attempt some are known."""
        own = self.trial(number)
        if own.state != TrialState.RUNNING:
            return False
        new = [
            (pair[0], float(pair[1]))
            for pair in values[:MOST_VALUES]
            if [type(each) for each in pair] in ([int, int], [int, float]) and pair[0] not in own.intermediate_values
        ]
        for step, value in new:
            self.storage.set_trial_intermediate_value(own._trial_id, step, value)
        return bool(new)

    def is_bad(self, number):
        if self.definition["prune"] is None:
            return False
        pruner = pruner_of(self.definition["prune"])
        self.optuna.pruner = pruner
        return pruner.prune(self.optuna, self.trial(number))

    def tell(self, machine, number, attempt, params, state, value, values, facts, final):
        """
        How a machine's attempt of a trial has ended: complete, pruned, failed, or stopped, which gives it back. The same
        words may come again. `final`: another attempt would fail as well. Gives whether it counts.
        """
        self.know(number, params)
        record = self.records[number]
        if record["state"] in (COMPLETE, PRUNED, FAILED):
            return (record.get("machine"), record["attempt"]) == (machine, attempt)
        # What counts is that it has ended well, wherever that was: a machine that was out of reach may have gone on.
        if state not in (COMPLETE, PRUNED) and not self.is_held(number, machine, attempt) and attempt <= record["attempt"]:
            return False
        if not self.is_held(number, machine, attempt):
            self.run(number, machine, attempt)
        self.report(number, values)
        if state in (COMPLETE, PRUNED):
            self.end(number, state, value=value, **facts)
        elif state == FAILED:
            failures = self.records[number]["failures"] + 1
            self.change(number, failures=failures, **facts)
            if final or failures > self.definition["retries"]:
                self.end(number, FAILED)
            else:
                self.change(number, state=QUEUED)
        else:
            self.give_back(number)
        return True

    def end(self, number, state, value=None, **facts):
        self.change(number, state=state, value=value, endedAt=moment(), **facts)
        self.heard.pop(number, None)
        own = self.trial(number)
        if not own.state.is_finished():
            # Optuna has no complete trial without a value.
            is_complete = state == COMPLETE and value is not None
            ended = STATES[FAILED if state == COMPLETE and not is_complete else state]
            self.storage.set_trial_state_values(own._trial_id, ended, [value] if is_complete else None)

    def is_over(self, machine, patience):
        """
        Whether there will be nothing more for a machine to do, as far as is known: nothing waits, and what runs elsewhere is
        heard of. A trial that fails there is run again there. `patience`: None for a machine that stays until all have ended.
        """
        others = [
            number
            for number, record in self.records.items()
            if record["state"] == RUNNING and record.get("machine") != machine
        ]
        if patience is None:
            return not others
        limit = time.monotonic() - patience
        return all(self.heard.get(number, 0) >= limit for number in others)

    def summary(self, most_values):
        """All trials, the best of them, and how much each value has to do with the metric."""
        self.expire()
        shown = []
        for number, record in sorted(self.records.items()):
            values = sorted(self.trial(number).intermediate_values.items())
            step = -(-len(values) // most_values) or 1
            kept = [pair for at, pair in enumerate(values) if at % step == 0 or at == len(values) - 1]
            shown.append({"number": number, **record, "value": finite(record.get("value"))})
            shown[-1]["values"] = [[step, finite(value)] for step, value in kept]
        sign = 1 if self.definition["direction"] == "minimize" else -1
        ended = [trial for trial in shown if trial["state"] == COMPLETE and trial["value"] is not None]
        best = min(ended, key=lambda trial: sign * trial["value"], default=None)
        return {
            "metric": self.definition["metric"],
            "direction": self.definition["direction"],
            "wanted": self.definition["trials"] if self.definition["space"] is not None else self.count(),
            "open": self.open(),
            "trials": shown,
            "best": None if best is None else best["number"],
            "importance": importances([(trial["params"], trial["value"]) for trial in ended], self.definition["direction"]),
        }


def finite(value):
    return value if value is not None and math.isfinite(value) else None
