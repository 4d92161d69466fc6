"""The status of an experiment (RunStatus in remote/types.ts), from the run's files alone."""

import glob
import json
import os
import time

from base.document import takes
from base.files import BASE, fact, read_json
from base.processes import is_alive
from base.text import last_lines
from jobs.list import jobs_of
from run.configuration import own_attempts
from run.resume import resume_checkpoint, resumes_itself
from run.standing import is_over, is_unsupervised, wanted_evaluation
from run.state import Run

# A status is asked for again and again.
MOST_EVENTS = 30


@takes(experiment=str)
def status(experiment):
    print(json.dumps(status_of(Run(experiment))))


def status_of(run):
    attempt = run.newest()
    known = {"state": "absent", "experiment": run.experiment, "logPath": run.log, "evaluation": {"state": "none"}}
    if attempt is not None:
        known.update(told_of(attempt))
    known.update(places_of(run, known.get("outputPath")))
    known["jobs"] = [told_of_job(job) for job in jobs_of(run)] or None
    if os.path.exists(run.log):
        known["lastLine"] = last_line_of(run)
    elsewhere = read_json(run.path("written.json"), None)
    copies = [
        copy_at(os.path.dirname(path))
        for path in sorted(glob.glob(os.path.join(glob.escape(run.path("aside")), "*", "places.json")))
    ]
    known.update(
        writtenElsewhere=elsewhere,
        events=run.events(MOST_EVENTS) or None,
        asides=[copy for copy in copies if copy is not None] or None,
        selfTermination=self_termination(),
        now=int(time.time()),
    )
    return {name: value for name, value in known.items() if value not in (None, "")}


def told_of_job(job):
    told = told_of(job.newest())
    names = ("state", "startedAt", "endedAt", "exitCode", "stopReason")
    return {"experiment": job.experiment, **{name: told[name] for name in names if told[name] is not None}}


def told_of(attempt):
    # Who is alive comes first: an exit status that is written meanwhile is then seen, and not taken for a missing one.
    supervised = attempt.lives("supervisor")
    unsupervised = is_unsupervised(attempt)
    evaluating = attempt.lives("evaluation")
    code = attempt.get("exit")
    active_at = attempt.get("activeAt")
    return {
        "state": state_of(attempt, supervised, unsupervised, evaluating),
        "startedAt": attempt.get("startedAt"),
        "firstStepAt": attempt.get("firstStep"),
        "endedAt": None if code is None else attempt.get("endedAt"),
        "exitCode": code,
        "stopReason": attempt.get("stopReason"),
        "detached": "; ".join(attempt.get("detached", [])),
        "unsupervised": True if unsupervised else None,
        "attempt": attempt.number,
        "nodes": machines_of(attempt),
        "hash": attempt.asked_hash(),
        "stands": attempt.get("stands"),
        "doubt": attempt.get("doubt"),
        "apart": attempt.get("apart"),
        "usedSeconds": attempt.get("used", 0) + attempt.get("seconds", 0),
        "idleSeconds": int(time.time()) - active_at if supervised and code is None and active_at is not None else None,
        "firstStepLine": attempt.get("firstStepLine"),
        "resumesFrom": resume_checkpoint(attempt),
        "resumesItself": resumes_itself(attempt),
        "resumedFrom": attempt.get("resumedFrom"),
        "copied": attempt.get("copied"),
        "inBucket": attempt.get("inBucket"),
        "outputPath": attempt.get("outputPath"),
        "evaluation": evaluation_of(attempt, evaluating),
    }


def machines_of(attempt):
    """How many machines train together; None where it is this one alone."""
    node = (attempt.get("description") or {}).get("node")
    return None if node is None else len(node["machines"])


def state_of(attempt, supervised, unsupervised, evaluating):
    code = attempt.get("exit")
    if code is None:
        if not supervised and not unsupervised and (attempt.has("supervisor") or not attempt.is_young()):
            return "failed"
        return "running" if attempt.has("firstStep") else "starting"
    # An evaluation that somebody has asked for goes on without them, and without the supervisor.
    if evaluating or (supervised and not is_over(attempt)):
        return "evaluating"
    if attempt.has("stopReason"):
        return "stopped"
    return "failed" if code != 0 or attempt.has("detached") else "finished"


def evaluation_of(attempt, evaluating):
    code = attempt.get("evaluationExit")
    if code is not None:
        return {"state": "done" if code == 0 else "failed", "exitCode": code}
    if evaluating:
        return {"state": "running"}
    return {"state": "none" if wanted_evaluation(attempt) is None else "pending"}


def last_line_of(run):
    lines = [line.replace("\t", " ") for line in last_lines(run.log, 40) if not line.startswith("=== lambda-train: ")]
    return lines[-1] if lines else None


def places_of(run, own):
    """The folders of earlier attempts, where the workload makes one for each, and what was written beside any of them."""
    seen, found = {own}, {}
    attempts = own_attempts(run)
    earlier = [attempt.get("outputPath") for attempt in attempts]
    beside = [path for attempt in attempts for path in attempt.get("outputBeside", [])]
    for name, paths in (("earlierOutputPaths", earlier), ("outputsBeside", beside)):
        new = []
        for path in paths:
            if path and path not in seen and not (own and path.startswith(f"{own}/")):
                seen.add(path)
                new.append(path)
        found[name] = new or None
    return found


def copy_at(folder):
    """Results of an earlier configuration that are not at home yet (see results/aside.py)."""
    kept = read_json(os.path.join(folder, "places.json"), None)
    if kept is None or folder.endswith(".partial"):
        return None
    # What ran is long, and told with the results alone.
    kept.pop("run", None)
    return {"name": os.path.basename(folder), "path": folder, "kept": kept}


def self_termination():
    folder = os.path.join(BASE, "self-terminate")
    last = read_json(os.path.join(folder, "status.json"), None)
    return None if last is None else {"watched": is_alive(fact(folder, "process")), "last": last}
