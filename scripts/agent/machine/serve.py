"""A conversation: many questions to one process, JSON lines both ways."""

import json
import sys

from base.document import Maybe, Wrong, arguments, takes
from base.say import Failed
from machine.look import look_at
from results.metric_files import read_since
from run.session import take_up
from run.state import Run
from run.status import status_of

# As in remote/conversation.ts: another number for any change that the other side must know of.
PROTOCOL = 1


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


@takes(output=str, mark=str)
def metric_files(output, mark):
    return read_since(output, mark)


QUESTIONS = {"status": status, "look": look, "metric-files": metric_files}


@takes(protocol=int)
def serve(protocol):
    """
    Answers {"protocol"}, then {"id", "ask", "document"} with {"id", "answer"} or {"id", "error"} each, until its input ends.
    Exit codes: 0; 3 the other side speaks another protocol.
    """
    answer({"protocol": PROTOCOL})
    if protocol != PROTOCOL:
        sys.exit(3)
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        try:
            question = QUESTIONS.get(asked["ask"])
            if question is None:
                raise Wrong(f"there is no question {asked['ask']}")
            answer({"id": asked["id"], "answer": question(**arguments(asked["document"], question.takes))})
        except BrokenPipeError:
            raise
        except Failed as failed:
            answer({"id": asked["id"], "error": failed.text})
        except Exception as error:  # One question that fails must not end the others.
            answer({"id": asked["id"], "error": f"{type(error).__name__}: {error}"})


def answer(value):
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()
