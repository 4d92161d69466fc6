"""The study as a worker reaches it: on this machine, or on another one of the fleet."""

from base.say import Failed
from fleet import link
from sweep.call import answer_peer

SECONDS = 90


class Unreachable(Exception):
    """The study gave no answer, or none that can be used yet. It is asked again later."""


def leave():
    """Who ends leaves no connection behind."""
    link.close()


def ask_study(machine, me, experiment, request):
    """The study's answer. @raises Unreachable"""
    document = {"experiment": experiment, "request": request}
    try:
        return answer_peer(**document) if machine == me else link.ask(machine, "study-call", document, SECONDS)
    except Failed as failed:
        raise Unreachable(failed.text) from None
    except (OSError, ValueError, link.Unreachable, link.Refused) as error:
        raise Unreachable(str(error)) from None
