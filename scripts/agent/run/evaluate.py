"""Evaluates the best checkpoint of an experiment, unless that is done. Log: evaluate.log in the run's folder."""

import os
import shlex
import subprocess
import sys

from base.document import Maybe, takes
from base.files import moment, moment_after, now
from base.locks import hold
from base.processes import detach, key_of, own_command, start_detached
from base.say import die, say
from base.secrets import cover
from base.shell import environment_with, strict, with_environment, workplace
from base.text import last_line, last_lines
from run.configuration import since
from run.output import find_output, matches, newest, was_written_since
from run.processes import Processes
from run.secrets import forget_unless_needed, note_held
from run.state import Run

NO_CHECKPOINT = 66
# `command`: {checkpoint} stands for the checkpoint's path relative to the folder in which commands run. `checkpoint`: glob
# of it, relative to the output folder; the newest match counts. `seconds`: time limit.
EVALUATION = {"command": str, "checkpoint": str, "seconds": int}


@takes(experiment=str, evaluation=Maybe(EVALUATION))
def evaluate(experiment, evaluation):
    """
    Waits for it; a lost connection does it no harm. `evaluation` wins over the run's own, which counts where there is none.
    Exit codes: the command's own; 124 time limit; 3 no run; 5 training still goes on; 66 no checkpoint.
    """
    attempt = Run(experiment).newest()
    if attempt is None:
        die(3, f"There is no run of {experiment} on this instance.")
    if not attempt.has("exit") and (attempt.lives("supervisor") or Processes(attempt).train()):
        die(5, f"The training of {experiment} still goes on; it is evaluated at its end.")
    if attempt.get("evaluationExit") == 0:
        say("already evaluated")
        return
    start_detached(own_command("evaluate-now", experiment=experiment, evaluation=evaluation, asked=moment())).wait()
    code = attempt.get("evaluationExit")
    log = attempt.run.evaluation_log
    if code == 0:
        say(f"evaluated: {last_line(log)}")
        return
    print("\n".join(last_lines(log, 40, 1000)), file=sys.stderr)
    shown = "unknown (its process is gone)" if code is None else code
    die(code or 1, f"The evaluation of {experiment} ended with status {shown}. Log on the instance: {log}")


@takes(experiment=str, evaluation=Maybe(EVALUATION), asked=Maybe(int))
def evaluate_now(experiment, evaluation, asked):
    """Does it, and writes down how it ended. `asked`: when; an evaluation that ended since then is enough."""
    detach()
    run = Run(experiment)
    hold(run.path("evaluate.lock"))
    attempt = run.newest()
    # Another one may have done it while this one waited for the lock.
    if attempt.get("evaluationExit") == 0 or (asked is not None and attempt.get("evaluatedAt", 0) > asked):
        return
    attempt.put(evaluationExit=None, evaluatingAt=moment(), evaluatedAt=None, evaluation=key_of(os.getpid()))
    # Its supervisor may have gone before it saw the last of what training wrote; and the evaluation writes too.
    find_output(attempt)
    with open(os.open(run.evaluation_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        code = run_evaluation(attempt, evaluation or attempt.get("description")["evaluation"], log)
    find_output(attempt)
    cover(run.evaluation_log)
    note_held(attempt)
    attempt.put(evaluationExit=code, evaluatedAt=moment_after())
    forget_unless_needed()
    run.tell("evaluated", attempt=attempt.number, code=code)
    sys.exit(code)


def run_evaluation(attempt, evaluation, log):
    """Its exit status."""

    def note(text):
        log.write(f"{text}\n".encode("utf-8", "surrogateescape"))
        log.flush()

    described, output = attempt.get("description"), attempt.get("outputPath")
    if output is None or not os.path.isdir(output):
        note(f"No output folder of {attempt.run.experiment} was found under {described['outputs']}.")
        return NO_CHECKPOINT
    began = since(attempt.run)
    names = matches(output, evaluation["checkpoint"])
    # What other settings have left there is not what this run has reached.
    name = newest(output, [name for name in names if was_written_since(os.path.join(output, name), began)])
    if name is None:
        others = f" that these settings wrote; other settings left {newest(output, names)}" if names else ""
        note(f"No checkpoint matches {evaluation['checkpoint']} in {output}{others}.")
        return NO_CHECKPOINT
    folder = workplace(described)
    checkpoint = os.path.relpath(os.path.realpath(os.path.join(output, name)), os.path.realpath(folder))
    command = filled(evaluation["command"], shlex.quote(checkpoint))
    note(f"=== lambda-train: evaluating, {now()}: {command}")
    words = with_environment(["timeout", "--kill-after=10", str(evaluation["seconds"]), *strict(command)])
    environment = environment_with(described["variables"], LAMBDA_TRAIN_EVALUATION=attempt.run.experiment)
    try:
        code = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=environment, check=False
        ).returncode
    except OSError as error:
        note(str(error))
        return 127
    return 128 - code if code < 0 else code


def filled(command, checkpoint):
    """The command with the checkpoint for {checkpoint}. ${checkpoint} is a variable of the shell."""
    parts = command.split("{checkpoint}")
    text = parts[0]
    for part in parts[1:]:
        text += ("{checkpoint}" if text.endswith("$") else checkpoint) + part
    return text
