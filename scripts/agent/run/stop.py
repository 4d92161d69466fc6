"""Stops an experiment's training cleanly: TERM, patience for the checkpoint, KILL."""

import signal
import time

from base.document import takes
from base.files import now
from base.say import die, say
from run.output import find_output
from run.processes import Processes, numbers
from run.standing import is_unsupervised
from run.state import Run

PAUSE = 0.2


@takes(experiment=str, reason=str, grace=int)
def stop(experiment, reason, grace):
    """
    Waits until it has ended. `reason`: one word for the record: destroy, user, replace…; `grace`: seconds between TERM and
    KILL. Exit codes: 0 it has ended (or there was nothing to stop), 1 it would not end.
    """
    attempt = Run(experiment).newest()
    if attempt is None:
        say(f"nothing to stop: {experiment} was never started here")
    elif attempt.has("exit"):
        say(f"nothing to stop: training has ended with status {attempt.get('exit')}")
    elif attempt.lives("supervisor"):
        ask(attempt, reason, grace)
    elif not is_unsupervised(attempt) and not Processes(attempt).surely():
        say("nothing to stop: the run's processes are gone (reboot, or killed)")
    else:
        stop_here(attempt, reason, grace)


def ask(attempt, reason, grace):
    """Has its supervisor do it, and waits."""
    if not attempt.has("stopRequest"):
        attempt.put(stopRequest={"reason": reason, "grace": grace})
    until = time.monotonic() + grace + 60
    while not attempt.has("exit") and attempt.lives("supervisor"):
        if time.monotonic() >= until:
            die(1, f"{attempt.run.experiment} did not end within {grace + 60} s. Log on the instance: {attempt.run.log}")
        time.sleep(PAUSE)
    code = attempt.get("exit", "")
    if attempt.has("stopReason"):
        say(f"stopped: {attempt.get('stopReason')}, status {code}")
    else:
        say(f"training ended by itself with status {code} before it could be stopped")


def stop_here(attempt, reason, grace):
    """Without a supervisor: nobody else will write down how it ended."""
    processes = Processes(attempt)
    attempt.try_put(stopReason=reason)
    if not processes.stop(grace):
        die(
            1,
            f"{attempt.run.experiment} did not end: {numbers(processes.surely())} still run. End them on the instance (npm "
            "run ssh).",
        )
    # Its launcher writes how it ended a moment later.
    for _ in range(25):
        if attempt.has("trainingEnd") or not attempt.lives("launcher"):
            break
        time.sleep(PAUSE)
    find_output(attempt)
    attempt.try_put(endedAt=now())
    code = attempt.get("trainingEnd", {"code": 128 + signal.SIGTERM})["code"]
    attempt.put(exit=code)
    attempt.run.tell("ended", attempt=attempt.number, code=code)
    say(f"stopped: {reason} (its supervisor was gone)")
