"""The worker of a machine: asks the study for trials, runs them, and tells what they came to.

It is itself the command of an ordinary run, named as the experiment. Its trials are runs of their own with supervisors of
their own: they go on where the worker is killed, and the next one takes them up.
"""

import signal
import sys
import time

from base.document import arguments, takes
from base.say import die, say
from run.state import Run
from run.sweeps import MOVED
from sweep.reach import Reach, Unreachable, leave
from sweep.saved import save
from sweep.slots import gpus, slots_of
from sweep.telling import Telling
from sweep.trial import ENDED, GONE, RUNNING, Trial, known_trials, told, wait_for
from sweep.values import as_text, shown
from sweep.worker_document import worker_of, written_at

GIVEN = {"number": int, "params": {str: object}, "attempt": int}
TICK = 0.5
BEAT, PATIENCE, SAVE = 5, 1800, 30
UNREACHABLE = 75
TERMINATED = 128 + signal.SIGTERM


@takes(experiment=str)
def work(experiment):
    """
    Ends with 0 when there is no trial left for this machine, 75 when the study was out of reach for too long and nothing
    runs, 143 after a TERM: its trials are stopped then, to be resumed.
    """
    if worker_of(experiment) is None:
        die(2, f"There is no worker of {experiment} on this machine: run `up`.")
    try:
        code = Worker(experiment).work()
    finally:
        leave()
    sys.exit(code)


class Worker:
    def __init__(self, experiment):
        self.experiment = experiment
        self.telling = Telling(experiment, worker_of(experiment))
        self.trials = []
        self.ending = self.is_done = False
        self.is_idle = False
        self.saved_at = float("-inf")
        self.beat_at = self.ask_at = float("-inf")
        self.reach = Reach()
        self.read()
        self.slots = slots_of(self.worker, gpus())

    def read(self):
        self.read_at = written_at(self.experiment)
        self.worker = worker_of(self.experiment)
        self.telling.worker = self.worker
        self.machine = self.worker["machine"]

    def work(self):
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "ending", True))
        runs = f"{len(self.slots)} trial{'s' if len(self.slots) > 1 else ''} at a time"
        say(f"worker of {self.experiment} on {self.machine}: {runs}, the study is on {self.worker['study']}")
        self.take_up()
        while True:
            if self.ending:
                return self.end()
            if written_at(self.experiment) != self.read_at:
                self.change()
            for trial in list(self.trials):
                self.see_to(trial)
            self.speak()
            self.save()
            if self.is_done and not self.trials and not self.telling.pending:
                say("no trial is left for this machine")
                self.save(surely=True)
                return 0
            if not self.trials and self.reach.lost_for() >= (self.worker["patienceSeconds"] or PATIENCE):
                say(f"the study on {self.worker['study']} was out of reach for too long, and nothing runs here")
                return UNREACHABLE
            time.sleep(TICK)

    def take_up(self):
        """What an earlier worker has left: trials that still run, and what it had not told yet."""
        for known in known_trials(self.experiment):
            if known["told"] is not None:
                continue
            trial = Trial(self.experiment, known["number"], known["params"], known["attempt"], known["slot"])
            if known.get("outcome"):
                self.telling.pending.append((trial, known["outcome"]))
                continue
            phase = trial.phase()
            if phase == RUNNING and trial.slot < len(self.slots):
                say(f"trial {trial.number} still runs")
            elif phase == RUNNING:
                trial.stop(MOVED, self.grace())
            elif phase == GONE:
                # To be given out again at once, to this machine first.
                self.has_ended(trial, told("stopped"))
                continue
            self.trials.append(trial)

    def change(self):
        """The worker is told something else, such as other limits or where the study is now."""
        self.read()
        self.is_done, self.ask_at, self.beat_at = False, float("-inf"), float("-inf")
        self.reach.ask_soon()
        for trial in self.trials:
            if trial.phase() == RUNNING:
                # Finds it running, and puts it under the limits of now.
                trial.start(self.worker, self.slots[trial.slot])

    def grace(self):
        return self.worker["trial"]["run"]["grace"]

    def see_to(self, trial):
        phase = trial.phase()
        if phase == RUNNING:
            line = trial.look(self.worker)
            if line is not None:
                say(f"trial {trial.number}: first step: {line}")
            return
        self.trials.remove(trial)
        if phase == GONE and trial.refused is not None:
            self.has_ended(trial, told("failed", facts={"reason": trial.refused}))
        elif phase == GONE and trial.was_stopped is not None:
            # Before it began here: what it has reached elsewhere lies in the copies.
            if trial.was_stopped == MOVED:
                trial.keep(told=MOVED)
            else:
                self.has_ended(trial, told("stopped"))
        elif phase == GONE:
            reason = "its processes are gone: they were killed, or the machine was started again"
            self.has_ended(trial, told("failed", facts={"reason": reason}))
        elif trial.run.newest().get("stopReason") == MOVED:
            say(f"trial {trial.number} was given to another machine")
            trial.keep(told=MOVED)
        else:
            self.has_ended(trial, trial.outcome(self.worker))

    def has_ended(self, trial, outcome):
        request = {
            "op": "tell",
            **self.telling.me(),
            "number": trial.number,
            "attempt": trial.attempt,
            "params": trial.params,
            "values": trial.metric.news() if trial.metric else [],
            **outcome,
        }
        trial.keep(outcome=request)
        self.telling.pending.append((trial, request))
        say(self.line_of(trial, outcome))
        trial.close()

    def line_of(self, trial, outcome):
        state, value, facts = outcome["state"], outcome["value"], outcome["facts"]
        word = "finished" if state == "complete" else state
        came = (
            f"{self.worker['metric']}={as_text(value)} "
            if value is not None
            else f"{facts['reason']} "
            if facts.get("reason")
            else ""
        )
        return f"trial {trial.number} {word}: {came}({shown(trial.params)}) on {self.machine} in {int(facts.get('seconds') or 0)} s"

    def speak(self):
        """What the study is told and asked, where it is due and the study is in reach."""
        now = time.monotonic()
        if self.reach.is_lost() and now < self.ask_at:
            return
        try:
            if self.telling.tell_pending():
                self.is_done, self.ask_at = False, float("-inf")
            if now - self.beat_at >= (self.worker["beatSeconds"] or BEAT):
                self.beat()
            if now >= self.ask_at:
                self.fill_slots()
            self.reach.found()
        except Unreachable as unreachable:
            self.ask_at = time.monotonic() + self.reach.missed(self.worker["study"], str(unreachable))

    def save(self, surely=False):
        """The machine of the study puts it among the results, now and then and at its end."""
        if self.machine != self.worker["study"] or (not surely and time.monotonic() - self.saved_at < SAVE):
            return
        self.saved_at = time.monotonic()
        save(self.experiment, self.worker["trial"]["run"])

    def beat(self):
        running = [trial for trial in self.trials if trial.phase() == RUNNING]
        answer = self.telling.beat(running)
        self.beat_at = time.monotonic()
        for trial in running:
            if trial.number in answer["stop"]:
                trial.stop(MOVED, self.grace())
            elif trial.number in answer["prune"]:
                say(f"trial {trial.number} is pruned: {self.worker['metric']}={as_text(trial.metric.last)} so far")
                trial.stop("pruned", self.grace())

    def fill_slots(self):
        taken = {trial.slot for trial in self.trials}
        for slot, own in enumerate(self.slots):
            if slot in taken or self.ending:
                continue
            have = [known["number"] for known in known_trials(self.experiment) if known["told"] in (None, "stopped")]
            answer = self.telling.ask(have)
            self.is_done = answer.get("done", False)
            if "trial" not in answer:
                if not self.is_done and not self.trials and not self.is_idle:
                    self.is_idle = True
                    say("no trial waits; other machines train the rest")
                self.ask_at = time.monotonic() + answer.get("wait", 5)
                return
            self.begin(arguments(answer["trial"], GIVEN), slot, own)
        # All slots are taken.
        self.ask_at = time.monotonic()

    def begin(self, given, slot, own):
        """Starts a trial that was given, or finds that it runs here."""
        known = next((trial for trial in self.trials if trial.number == given["number"]), None)
        if known is not None:
            # It was given back too early: this machine has it still.
            known.attempt = given["attempt"]
            known.keep()
            return
        trial = Trial(self.experiment, given["number"], given["params"], given["attempt"], slot)
        self.is_idle = False
        on = f" on GPU {own}" if own is not None else ""
        say(f"trial {trial.number}: attempt {trial.attempt}{on}: {shown(trial.params)}")
        reason = trial.start(self.worker, own)
        if reason is None:
            self.trials.append(trial)
        else:
            self.has_ended(trial, told("failed", facts={"reason": reason}))

    def end(self):
        """Stops the trials cleanly. They are given back, to be resumed here or elsewhere."""
        attempt = Run(self.experiment).newest()
        reason = (attempt.get("stopReason") if attempt else None) or "worker"
        running = [trial for trial in self.trials if trial.phase() == RUNNING]
        say(f"stopping ({reason}): {len(running)} trials")
        for trial in running:
            trial.stop("worker" if reason in ("user", "interrupt") else reason, self.grace())
        wait_for(running, self.grace() + 20)
        for trial in list(self.trials):
            if trial.phase() in (ENDED, GONE):
                self.see_to(trial)
        try:
            self.telling.tell_pending()
        except Unreachable:
            # Told by the next worker; until then the study waits for word of them.
            pass
        self.save(surely=True)
        return TERMINATED
