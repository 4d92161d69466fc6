"""What status and results need of the trials on one machine."""

from base.document import takes
from base.files import read_json
from base.say import word
from run.state import Run
from run.status import status_of
from sweep.call import answer_to
from sweep.places import path_in
from sweep.trial import Trial, known_trials

SHOWN = (
    "state startedAt firstStepAt endedAt exitCode stopReason attempt outputPath logPath lastLine hash evaluation".split()
)


@takes(experiment=str)
def trials(experiment):
    """
    Prints {"worker": {machine, study, state} or null, "trials": [{number, params, attempt, told, value, run}], "study":
    summary or null, "studyError": text}. `run`: the newest attempt's status here; `told`: what the study was told of it; `study`: where this machine
    has it (see Study.summary).
    """
    worker = read_json(path_in(experiment, "worker.json"), None)
    answer = {"worker": None, "trials": [trial_of(experiment, known) for known in known_trials(experiment)], "study": None}
    if worker is not None:
        state = status_of(Run(experiment))["state"]
        answer["worker"] = {"machine": worker["machine"], "study": worker["study"], "state": state}
    if worker is not None and worker["study"] == worker["machine"]:
        try:
            told = answer_to(experiment, {"op": "summary"})
        except (OSError, ValueError, SystemExit) as error:
            told = {"error": getattr(error, "text", str(error))}
        answer["study"] = told.get("ok")
        if "error" in told:
            answer["studyError"] = told["error"]
    word(answer)


def trial_of(experiment, known):
    run = Trial(experiment, known["number"], known["params"], known["attempt"], known["slot"]).run
    status = status_of(run)
    outcome = known.get("outcome") or {}
    return {
        "number": known["number"],
        "experiment": run.experiment,
        "params": known["params"],
        "attempt": known["attempt"],
        "told": known.get("told"),
        "value": outcome.get("value"),
        "reason": (outcome.get("facts") or {}).get("reason"),
        "run": {name: status[name] for name in SHOWN if name in status},
    }
