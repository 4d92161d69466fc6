"""The study as a worker reaches it: on this machine, or on another one of the fleet."""

import importlib
import importlib.util

from base.say import Failed
from sweep.call import answer_peer

# The link between machines of a fleet is a part of its own: a sweep on one machine needs none.
LINK = importlib.import_module("fleet.link") if importlib.util.find_spec("fleet") else None
SECONDS = 90


class Unreachable(Exception):
    """The study gave no answer, or none that can be used yet. It is asked again later."""


def ask_study(machine, me, experiment, request):
    """The study's answer. @raises Unreachable"""
    document = {"experiment": experiment, "request": request}
    try:
        if machine == me:
            return answer_peer(**document)
        if LINK is None:
            raise Unreachable(f"{machine} can't be reached: this instance has no link to other machines")
        return asked_there(machine, document)
    except Failed as failed:
        raise Unreachable(failed.text) from None
    except (OSError, ValueError) as error:
        raise Unreachable(str(error)) from None


def asked_there(machine, document):
    try:
        return LINK.ask(machine, "study-call", document, SECONDS)
    except (LINK.Unreachable, LINK.Refused) as error:
        raise Unreachable(str(error)) from None
