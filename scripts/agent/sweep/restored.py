"""Puts back on this machine what another one has left of a trial in the copies of its checkpoints (checkpoints.sync)."""

import os

from base.document import Maybe, takes
from base.files import inside, own_folder
from base.locks import hold
from base.say import say
from bucket.bucket import BucketError
from results.bucket_snapshots import fetch_newest
from results.restore import restore
from results.snapshot_check import find_newest
from run.start import DESCRIPTION, LIMITS
from run.state import RUNS, Run


@takes(experiment=str, hash=str, run=DESCRIPTION, limits=Maybe(LIMITS))
def put_back(experiment, hash, run, limits):
    """As `start` is told. Nothing is put back where the trial was started here, or has nothing to go on with."""
    sync, of = run["sync"], Run(experiment)
    own_folder(RUNS)
    own_folder(of.folder)
    # One that a worker began which was killed may still be at it.
    hold(of.path("put-back.lock"))
    if sync is None or run["resume"] is None or of.number():
        return
    folder, passed = sync["to"], []
    if sync["bucket"] is not None:
        try:
            folder, passed = fetch_newest(experiment, hash, sync["bucket"])
        except BucketError as error:
            say(f"{experiment}: couldn't look for a copy of its checkpoints: {error}")
            return
    found, damaged = find_newest(folder, hash)
    for each in (*passed, *damaged):
        say(f"{experiment}: passed over a copy in {sync['to']}: {each}")
    if found is None or not goes_on(found[1]["run"], (limits or {}).get("maxSeconds")):
        return
    name, told = found
    restore(
        experiment=experiment,
        hash=hash,
        settings=told["run"].get("settings"),
        run={name: run[name] for name in ("workspace", "directory", "outputs", "resume", "grace")},
        places=places_in(told["run"], experiment, run["outputs"]),
        attempts=told["run"]["attempts"],
        staged=None,
        snapshot={"folder": folder, "name": name},
    )
    say(f"{experiment} goes on from {told['checkpoint']}, from {sync['to']}/{name}")


def goes_on(ran, most):
    """As reasonAgainst in remote/restore/at-home.ts has it."""
    attempts = ran.get("attempts") or []
    if not attempts or (attempts[-1].get("exitCode") == 0 and attempts[-1].get("stopReason") is None):
        return False
    return most is None or sum(each.get("seconds") or 0 for each in attempts) < most


def places_in(ran, experiment, outputs):
    """As placesOf in remote/restore/places.ts has it: nothing of a workspace is put back but what lies below the outputs."""
    top = os.path.normpath(outputs)

    def is_output(path):
        return inside("", path) and f"{os.path.normpath(path)}/".startswith(f"{top}/")

    told = ran.get("places") or {}
    own = told.get("outputs") or ""
    return {
        "outputs": own if is_output(own) else os.path.join(top, experiment),
        "beside": [path for path in told.get("beside") or [] if is_output(path)],
    }
