"""Starts the training run of an experiment in a tmux session of its own, or finds it going or done."""

import os
import time

from base.document import Maybe, takes
from base.files import clock_ahead, keep_room, moment, now, own_folder
from base.locks import hold
from base.say import die, say
from base.shell import workplace
from bucket.bucket import BUCKET
from nodes.group import has_led_to_the_end
from nodes.watch import LOST_REASON
from results.aside import keep_apart
from results.clear import clear
from results.record import PROVENANCE, keep_config
from run import secrets
from run.configuration import goes_on, has_finished, own_attempts, with_file
from run.processes import Processes, numbers
from run.session import start_supervisor
from run.standing import is_over, is_unsupervised
from run.state import RUNS, Run
from run.stop import ask as ask_to_stop

DESCRIPTION = {
    "workspace": str,
    "directory": str,
    "command": str,
    # Of torchrun on each machine: a number, or `auto` for one a GPU.
    "processes": Maybe(str),
    # The cluster of which the command is the driver: `ray`, or none.
    "cluster": Maybe(str),
    # A place among machines that train together: their names and instances, by rank.
    "node": Maybe({"rank": int, "machines": [str], "members": [str]}),
    # The command of a later attempt, where there is a checkpoint to fill in for {checkpoint}. None: `command`, which resumes
    # by itself from what is in the outputs.
    "resume": Maybe({"command": Maybe(str), "checkpoint": Maybe(str)}),
    # Where a copy of each new checkpoint goes, how many of them stay there, and the seconds between two.
    "sync": Maybe({"to": str, "keep": int, "seconds": int, "checkpoint": Maybe(str), "bucket": Maybe(BUCKET)}),
    # Where the results go at the end. `home`: there they count as at home, and the instance may end.
    "bucket": Maybe({**BUCKET, "home": bool, "instance": str}),
    "variables": {str: str},
    # Names of those that it has besides, whose values must be here.
    "secrets": Maybe([str]),
    "outputs": str,
    # Extended regular expression. Without one, run/first_step.py knows a step.
    "firstStepPattern": Maybe(str),
    # Seconds between TERM and KILL at a clean stop.
    "grace": int,
    "evaluation": Maybe({"command": str, "checkpoint": str, "seconds": int}),
    # Name of the sweep whose trial this is, or whose worker: that has the sweep's name (see run/sweeps.py).
    "sweep": Maybe(str),
}
LIMITS = {
    # Seconds that all attempts together may take (stop reason: limit).
    "maxSeconds": Maybe(int),
    # Seconds without a new byte in the log and without work on a GPU (idle).
    "idleSeconds": Maybe(int),
    # Seconds since the epoch at which the budget is spent, by the clock of where the stack is run (budget).
    "deadline": Maybe(int),
}


@takes(
    experiment=str,
    hash=str,
    stands=Maybe(str),
    config=Maybe(str),
    run=DESCRIPTION,
    limits=LIMITS,
    results={"include": [str], "exclude": [str]},
    provenance=Maybe(PROVENANCE),
)
def start(experiment, hash, stands, config, run, limits, results, provenance):
    """
    `stands`: hash of the code, data and environment on which it runs; `provenance`: what these are, in words. `config`: a
    file that setup makes, in the folder in which commands run; what it holds is part of the settings.
    Same hash and going on: "already running", under these limits from now on; ended with 0: "already finished". Ended
    otherwise, or gone without a status (reboot): starts the next attempt. A run that has lost its supervisor gets another.
    Exit codes: 0 runs or has finished, 3 a run with another hash goes on (stop it first), 4 the time limit or the budget
    is used up, 5 it did not start, 6 what another configuration has reached is not at home and cannot be kept apart.
    """
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    of = Run(experiment)
    own_folder(RUNS)
    own_folder(of.folder)
    keep_room()
    hold(of.path("lock"))
    of.keep_keys(results)
    attempt = of.newest()
    asked = hash
    if config is not None:
        hash = with_file(hash, os.path.join(workplace(run), config))
    if attempt is not None:
        end_with_others(attempt, run)
        if is_done(attempt, hash, limits):
            # They were brought for an attempt that is not needed.
            secrets.forget_unless_needed()
            return
    require_budget(limits)
    secrets.require(run["secrets"])
    used = used_by(of, hash, limits)
    # A training process can outlive a supervisor that was killed; two at once would spoil each other's checkpoints.
    if attempt is not None and not Processes(attempt).end(30):
        left = numbers(Processes(attempt).surely())
        die(
            5,
            f"The processes of an earlier attempt of {experiment} cannot be ended, so no other is started: {left}. End them "
            "on the instance (npm run ssh), then run `up` again.",
        )
    # What another configuration has reached must not be written over before it is at home.
    keep_apart(of, hash, stands)
    facts = {
        "hash": hash,
        "askedHash": asked,
        "stands": stands,
        "used": used,
        "description": run,
        "limits": limits,
        "startedAt": now(),
        "provenance": provenance,
        "config": keep_config(of, of.number() + 1, run, provenance),
    }
    if not goes_on(of, hash, asked):
        of.note(f"=== lambda-train: {experiment} had finished with other settings; its outputs are emptied, {now()}")
        # From here on what is in the outputs is no longer what it has reached.
        attempt.put(apart=True)
        clear(of)
        facts["clearedAt"] = moment()
    elif attempt is not None:
        # An attempt that ends before it writes anything must not make those before it forgotten.
        facts["outputPath"] = attempt.get("outputPath")
    attempt = of.begin(**facts)
    of.tell("started", attempt=attempt.number)
    if not start_supervisor(attempt):
        die(5, f"The run of {experiment} did not start within 10 s. Is tmux able to start a session? Log: {of.log}")
    say(f"started: attempt {attempt.number}, session {of.session}")


def is_done(attempt, hash, limits):
    """Whether the newest attempt is all that is wanted."""
    run, same = attempt.run, attempt.get("hash") == hash
    if is_unsupervised(attempt) and not start_supervisor(attempt, adopt=True):
        die(5, f"The supervisor of {run.experiment} did not start within 10 s. Log: {run.log}")
    if attempt.lives("supervisor") and not is_over(attempt):
        if not same:
            die(
                3,
                f"The experiment {run.experiment} goes on with other settings than these (attempt {attempt.number}). Stop it "
                "first, or give this one another name.",
            )
        attempt.put(limits=limits)
        say(f"already running: attempt {attempt.number}, session {run.session}")
        return True
    if not same and attempt.lives("evaluation"):
        die(3, f"{run.experiment} is still being evaluated (attempt {attempt.number}). Wait for it: npm run wait.")
    if same and has_finished(attempt) and is_over_everywhere(attempt):
        say(f"already finished: attempt {attempt.number}")
        return True
    return False


def end_with_others(attempt, described):
    """Ends an attempt that trains with machines of which one is another now: it can only wait for what is lost."""
    before, now_there = ((each or {}).get("node") for each in (attempt.get("description"), described))
    if before is None or now_there is None or before["members"] == now_there["members"]:
        return
    if attempt.lives("supervisor") and not attempt.has("exit"):
        ask_to_stop(attempt, LOST_REASON, described["grace"])


def is_over_everywhere(attempt):
    """Whether what ended well here did so on the machine that leads, too, where several train together."""
    return not (attempt.get("description") or {}).get("node") or has_led_to_the_end(attempt)


@takes(experiment=str, hash=str)
def go_on(experiment, hash):
    """
    An attempt with these settings goes on from what the newest has left, though that has finished with others.
    """
    run = Run(experiment)
    wish = {"attempt": run.number(), "hash": hash}
    run.change(lambda document: document.update(goOn=wish))


def require_budget(limits):
    if "deadline" in limits and time.time() - clock_ahead() >= limits["deadline"]:
        die(
            4,
            "The budget of this instance is spent. Raise budgetDollars to go on, or bring the results home and end it (npm "
            "run down).",
        )


def used_by(run, hash, limits):
    """The limit holds for all attempts together: each of them costs."""
    used = sum(attempt.get("seconds", 0) for attempt in own_attempts(run, hash))
    most = limits.get("maxSeconds")
    if most is not None and used >= most:
        die(
            4,
            f"The time limit of {run.experiment} is used up ({used} of {most} s, over {run.number()} attempts). Raise "
            "train.maxHours to go on.",
        )
    return used
