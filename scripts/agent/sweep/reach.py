"""The study as a worker reaches it: on this machine, or on another one of the fleet."""

from fleet import link
from sweep.call import answer_to

SECONDS = 90


class Unreachable(Exception):
    """The study gave no answer, or none that can be used yet. It is asked again later."""


def ask_study(machine, me, experiment, request):
    """The study's answer. @raises Unreachable"""
    document = {"experiment": experiment, "request": request}
    try:
        answer = answer_to(**document) if machine == me else asked_there(machine, document)
    except SystemExit as failed:
        raise Unreachable(getattr(failed, "text", str(failed))) from None
    except (OSError, ValueError) as error:
        raise Unreachable(str(error)) from None
    if "error" in answer:
        raise Unreachable(answer["error"])
    return answer["ok"]


def asked_there(machine, document):
    try:
        return link.ask(machine, "study-call", document, SECONDS)
    except (link.Unreachable, link.Refused) as error:
        raise Unreachable(f"{machine}: {error}") from None
