"""The secrets of an instance's runs: how long they stay there, and which results hold one."""

import json
import os
import time

from base.document import takes
from base.files import BASE, unlink_if_there
from base.processes import is_alive, pid_in
from base.say import die
from base.secrets import VALUES, hidden_bytes, values
from results.elsewhere import HOME, Look
from run.state import Run, runs
from run.status import places_of
from steps.step import Step

# The bytes of a file that is looked into, how many are named, and the seconds that it may take.
MOST_BYTES = 64 << 20
MOST_NAMED = 20
SECONDS = 30
BLOCK = 1 << 20


def require(names):
    """Ends the verb where a secret that is needed is not here."""
    missing = [name for name in names or [] if name not in values()]
    if missing:
        die(
            8,
            f"These secrets are not on the instance: {', '.join(missing)}. Run `up` again, which brings them for each attempt.",
        )


def forget_unless_needed():
    """Removes them where no run and no step here goes on but the one whose end this process is."""
    if (
        os.path.exists(VALUES)
        and not any(map(needs, runs()))
        and not any(is_under_way(name) for name in ("setup", "dataset"))
    ):
        unlink_if_there(VALUES)


def needs(run):
    attempt = run.newest()
    if waits_for_bucket(attempt):
        return True
    if not attempt.has("supervisor"):
        return attempt.is_young() and not attempt.has("exit")
    return any(is_another(attempt.get(name)) for name in ("supervisor", "evaluation"))


def waits_for_bucket(attempt):
    """Whether it has ended, and its results could not be put into their bucket yet."""
    asked = (attempt.get("description") or {}).get("bucket")
    return asked is not None and attempt.has("exit") and "at" not in (attempt.get("inBucket") or {})


def is_another(process):
    return is_alive(process) and pid_in(process) != os.getpid()


def is_under_way(name):
    step = Step(name)
    return step.lives() and not step.has_ended()


def note_held(attempt):
    """Looks at the end of a run which of its results hold a secret, and writes it down."""
    if values():
        attempt.try_put(secretsHeld=held_by(attempt.run))


@takes(experiment=str)
def look(experiment):
    """Prints {files, more, whole}: what was seen at the run's end, or what is seen now where the secrets are still here."""
    run = Run(experiment)
    attempt = run.newest()
    if attempt is not None and values():
        note_held(attempt)
    known = attempt.get("secretsHeld") if attempt is not None else None
    print(json.dumps(known or {"files": [], "more": 0, "whole": False}))


def held_by(run):
    """Names of the results that hold a secret's value. Files of more than 64 MiB are not looked into."""
    until = time.monotonic() + SECONDS
    words, named, whole = hidden_bytes(), set(), True
    for path in results_of(run):
        if time.monotonic() >= until:
            whole = False
            break
        try:
            if os.path.getsize(path) > MOST_BYTES:
                whole = False
            elif holds(path, words):
                named.add(shown(path))
        except OSError:
            whole = False
    found = sorted(named)
    return {"files": found[:MOST_NAMED], "more": max(0, len(found) - MOST_NAMED), "whole": whole}


def results_of(run):
    attempt = run.newest()
    own = attempt.get("outputPath")
    places = places_of(run, own)
    for place in [own, *(places["earlierOutputPaths"] or []), *(places["outputsBeside"] or [])]:
        if place is not None:
            yield from files_below(place)
    for _, _, full, info in Look(run, SECONDS).found:
        if info is not None:
            yield full


def files_below(place):
    if os.path.isfile(place):
        yield place
    for folder, _, names in os.walk(place):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not path.startswith(f"{BASE}/"):
                yield path


def holds(path, words):
    overlap = max(map(len, words)) - 1
    rest = b""
    with open(path, "rb") as file:
        while True:
            block = file.read(BLOCK)
            if not block:
                return False
            text = rest + block
            if any(word in text for word in words):
                return True
            rest = text[-overlap:] if overlap else b""


def shown(path):
    """As people name it: from the home folder on."""
    text = f"~/{os.path.relpath(path, HOME)}" if path.startswith(f"{HOME}/") else path
    return os.fsencode(text).decode("utf-8", "backslashreplace")
