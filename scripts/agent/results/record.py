"""What ran: the part of the results' record at home that tells where they came from (remote/transfer/run-record.ts)."""

import hashlib
import os

from base.document import Maybe
from base.files import read_json, replace, under_home
from run.configuration import own_attempts

# What `up` tells of what an attempt runs. No values of variables: they may be secret.
PROVENANCE = {
    # Of the stack's own program.
    "release": str,
    "workload": {"source": str, "commit": Maybe(str), "ref": Maybe(str), "changed": Maybe(bool), "hash": str},
    "dataset": Maybe({"source": str, "hash": str}),
    "environment": {"manager": str, "setup": Maybe(str), "file": Maybe(str), "image": Maybe(str), "hash": str},
    # `path`: relative to the folder in which training runs; `base`: what overrides were laid over; they as JSON.
    "config": Maybe({"path": str, "base": Maybe(str), "overrides": Maybe(str)}),
    "evaluation": Maybe(str),
    "instance": Maybe({"type": str, "region": str}),
    # Of a sweep.
    "trial": Maybe({"sweep": str, "number": int, "values": {str: object}}),
}
LONGEST_CONFIG = 256 << 10
MOST_ATTEMPTS = 50


def keep_config(run, number, description, provenance):
    """
    Copies the config that an attempt is about to read, since the workspace's may change: gives what is known of the file,
    None where there is none.
    """
    path = ((provenance or {}).get("config") or {}).get("path")
    if path is None:
        return None
    full = os.path.join(under_home(description["workspace"]), description["directory"], path)
    try:
        with open(full, "rb") as file:
            content = file.read(LONGEST_CONFIG + 1)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return None
    if size > LONGEST_CONFIG:
        return {"bytes": size}
    try:
        replace(config_file(run, number), content.decode("utf-8", "replace"))
    except OSError:
        pass  # The disk is full: training may start all the same.
    return {"bytes": size, "sha256": hashlib.sha256(content).hexdigest()}


def config_file(run, number):
    os.makedirs(run.path("configs"), exist_ok=True)
    return run.path("configs", str(number))


def record_of(run):
    """The record of the newest attempt, with those before it that had the same settings; None where there is none."""
    newest = run.newest()
    if newest is None:
        return None
    told = given(newest.get("provenance") or {})
    description = newest.get("description") or {}
    record = {
        **told,
        "experiment": run.experiment,
        "attempt": newest.number,
        "hash": newest.asked_hash(),
        # With what setup has made of the config, where that is part of the settings.
        "settings": None if newest.get("hash") == newest.asked_hash() else newest.get("hash"),
        "places": places_of(newest),
        "stands": newest.get("stands"),
        "command": newest.get("command") or description.get("command"),
        "directory": description.get("directory"),
        "variables": sorted(description.get("variables") or {}),
        "attempts": [attempt_of(attempt) for attempt in own_attempts(run)[-MOST_ATTEMPTS:]],
    }
    if "config" in told:
        record["config"] = {**told["config"], **(newest.get("config") or {}), "text": text_of(run, newest.number)}
    return given(record)


def attempt_of(attempt):
    workload = (attempt.get("provenance") or {}).get("workload") or {}
    return {
        "number": attempt.number,
        "startedAt": attempt.get("startedAt"),
        "firstStepAt": attempt.get("firstStep"),
        "endedAt": attempt.get("endedAt"),
        "exitCode": attempt.get("exit"),
        "stopReason": attempt.get("stopReason"),
        "evaluation": attempt.get("evaluationExit"),
        "seconds": attempt.get("seconds"),
        "stands": attempt.get("stands"),
        "commit": workload.get("commit"),
    }


def places_of(attempt):
    """Where its outputs lie, and what lies beside them, relative to the workspace; None where nothing is known yet."""
    described, main = attempt.get("description"), attempt.get("outputPath")
    if not described or not main:
        return None
    workspace = under_home(described["workspace"])
    # A name that is not UTF-8 is no path that anybody could ask for again.
    return {
        "outputs": plain(os.path.relpath(main, workspace)),
        "beside": [plain(os.path.relpath(path, workspace)) for path in attempt.get("outputBeside", [])],
    }


def plain(path):
    return os.fsencode(path).decode("utf-8", "replace")


def text_of(run, number):
    try:
        with open(run.path("configs", str(number)), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None


def given(value):
    """The same without members that are None."""
    if isinstance(value, dict):
        return {name: given(member) for name, member in value.items() if member is not None}
    return [given(each) for each in value] if isinstance(value, list) else value


def kept_record(run, aside):
    """The record of results that are kept apart; None where an earlier release kept them."""
    return read_json(run.path("aside", os.path.basename(aside), "places.json"), {}).get("run")
