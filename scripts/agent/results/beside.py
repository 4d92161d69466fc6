"""The files that may hold metrics among what training writes outside of its outputs, as the last look there found them."""

import os
import re

from base.files import read_json, try_write_json
from curves.files import reader_of
from run.state import runs
from run.sweeps import is_worker, sweep_of

MOST = 300
# Others are one of many: configs, samples.
TEXT = re.compile(
    r"[^/]*(?:eval|metric|result|score|history|trainer_state|progress|log)[^/]*\.(?:jsonl?|csv)$", re.IGNORECASE
)


def file_of(run):
    return run.path("beside.json")


def keep_beside(run, found):
    """`found`: (name at home, path) of all that was written there."""
    told = {path: name for name, path in found if is_plain(path) and (reader_of(path) or TEXT.search(path))}
    kept = dict(sorted(told.items())[-MOST:])
    if beside_of(run) != kept:
        try_write_json(file_of(run), kept)


def is_plain(path):
    """A name that is not UTF-8 is in no JSON."""
    return os.fsencode(path).decode("utf-8", "replace") == path


def beside_of(run):
    """
    {path: name at home}. Of a trial that others run beside, only what has its name: anything else there may be theirs.
    """
    found = read_json(file_of(run), {})
    if not isinstance(found, dict):
        return {}
    if found and has_company(run):
        own = re.compile(rf"(?<![\w.-]){re.escape(run.experiment)}(?![\w.-])")
        return {path: name for path, name in found.items() if own.search(path)}
    return found


def has_company(run):
    """Whether another trial of the same sweep was open at some time with this one."""
    attempt = run.newest()
    described = attempt.get("description") if attempt else None
    sweep = sweep_of(described)
    if sweep is None or is_worker(run, described):
        return False
    begins, ends = attempt.get("mark", 0), attempt.get("closedAt", float("inf"))
    for other in runs():
        newest = other.newest()
        if other.experiment in (run.experiment, sweep) or sweep_of(newest.get("description")) != sweep:
            continue
        if newest.get("mark", 0) < ends and newest.get("closedAt", float("inf")) > begins:
            return True
    return False
