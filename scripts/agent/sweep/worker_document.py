"""What the worker of a machine is told."""

import json
import os

from base.document import Maybe, takes
from base.files import put, read_json
from base.locks import hold
from base.say import say
from results.record import PROVENANCE
from run.configuration import has_finished
from run.start import DESCRIPTION, LIMITS
from run.state import Run
from sweep.places import make_folder, path_in

WORKER = {
    # This machine's name in the fleet, and the one that has the study.
    "machine": str,
    "study": str,
    # Id of the instance that this machine is: what another one had may be gone.
    "instance": Maybe(str),
    # Hash of the sweep's definition: a worker that had nothing left to do works again under another one.
    "sweep": str,
    "metric": str,
    # Glob of the evaluation's JSON files in a trial's output folder.
    "metrics": Maybe(str),
    # GPUs of a trial (default: all), or how many trials a machine runs at a time.
    "gpusPerRun": Maybe(int),
    "runsPerMachine": Maybe(int),
    # The config with marks where values belong, relative to the folder in which commands run.
    "config": Maybe(str),
    # Seconds between two words to the study, and those for which a worker without work waits for one that is out of reach.
    "beatSeconds": Maybe(float),
    "patienceSeconds": Maybe(float),
    # As `start` takes it. In its commands and variables {experiment}, {config}, {trial} and the names of values stand for
    # those of a trial.
    "trial": {
        "hash": str,
        "stands": Maybe(str),
        "run": DESCRIPTION,
        "limits": LIMITS,
        "results": {"include": [str], "exclude": [str]},
        "provenance": Maybe(PROVENANCE),
    },
}


@takes(experiment=str, worker=WORKER)
def place(experiment, worker):
    """Tells the worker here what to do, whether it runs or is about to be started."""
    make_folder(experiment)
    path = path_in(experiment, "worker.json")
    known = read_json(path, {})
    put(path, json.dumps(worker))
    run = Run(experiment)
    if run.number() and known.get("sweep") != worker["sweep"]:
        handle = hold(run.path("lock"))
        attempt = run.newest()
        if has_finished(attempt):
            attempt.put(reopened=True)
            say("the worker had finished; it works again")
        os.close(handle)
    say("placed")


def worker_of(experiment):
    return read_json(path_in(experiment, "worker.json"), None)


def written_at(experiment):
    try:
        return os.stat(path_in(experiment, "worker.json")).st_mtime_ns
    except OSError:
        return 0
