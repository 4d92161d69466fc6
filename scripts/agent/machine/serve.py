"""A conversation: many questions to one process, JSON lines both ways."""

import json
import os
import sys
import threading

from base.document import Maybe, Wrong, arguments, takes
from base.say import Failed
from machine.look import look_at
from results.metric_files import read_since
from run.follow import piece
from run.session import take_up
from run.state import Run
from run.status import status_of

# As in remote/conversation.ts: another number for any change that the other side must know of.
PROTOCOL = 2


@takes(experiment=str)
def status(experiment):
    """A run that goes on without its supervisor, which was killed, gets another: its limits hold again."""
    run = Run(experiment)
    seen = status_of(run)
    if "unsupervised" not in seen:
        return seen
    # Where it cannot be supervised again, as on a full disk, the next look tries anew.
    take_up(run)
    return status_of(run)


@takes(experiment=str, output=Maybe(str))
def look(experiment, output):
    return look_at(Run(experiment), output)


@takes(output=str, mark=str, experiment=Maybe(str))
def metric_files(output, mark, experiment):
    return read_since(output, mark, experiment)


QUESTIONS = {"status": status, "look": look, "metric-files": metric_files, "log": piece}
# What may wait for something to happen: the other questions are answered meanwhile.
WAITING = {"log"}
SPEAKING = threading.Lock()


@takes(protocol=int)
def serve(protocol):
    """
    Answers {"protocol"}, then {"id", "ask", "document"} with {"id", "answer"} or {"id", "error"} each, until its input ends.
    Exit codes: 0; 3 the other side speaks another protocol.
    """
    say({"protocol": PROTOCOL})
    if protocol != PROTOCOL:
        sys.exit(3)
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        if asked["ask"] in WAITING:
            threading.Thread(target=answer, args=(asked,), daemon=True).start()
        else:
            answer(asked)
    # Nobody listens any more to those that wait.
    os._exit(0)


def answer(asked):
    try:
        question = QUESTIONS.get(asked["ask"])
        if question is None:
            raise Wrong(f"there is no question {asked['ask']}")
        said = {"answer": question(**arguments(asked["document"], question.takes))}
    except Failed as failed:
        said = {"error": failed.text}
    except Exception as error:  # One question that fails must not end the others.
        said = {"error": f"{type(error).__name__}: {error}"}
    say({"id": asked["id"], **said})


def say(value):
    try:
        with SPEAKING:
            sys.stdout.write(f"{json.dumps(value)}\n")
            sys.stdout.flush()
    except BrokenPipeError:
        os._exit(141)
