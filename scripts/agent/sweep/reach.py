"""The study as a worker reaches it: on this machine, or on another one of the fleet."""

import time

from base.say import Failed, say
from fleet import link
from sweep.call import answer_peer

SECONDS = 90
# Seconds until a study that gave no answer is asked again: twice as long each time.
SHORTEST, LONGEST = 1, 30
# Seconds between two lines that say that the study is out of reach.
SAY_AGAIN = 300


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


class Reach:
    """Whether the study answers, and since when it doesn't."""

    def __init__(self):
        self.lost_since, self.pause, self.said_at = None, SHORTEST, float("-inf")

    def is_lost(self):
        return self.lost_since is not None

    def lost_for(self):
        """Seconds without an answer; -1 where it answers."""
        return -1 if self.lost_since is None else time.monotonic() - self.lost_since

    def ask_soon(self):
        self.pause = SHORTEST

    def found(self):
        if self.lost_since is not None and self.said_at > float("-inf"):
            say("the study answers again")
        self.lost_since, self.pause, self.said_at = None, SHORTEST, float("-inf")

    def missed(self, study, reason):
        """Gives the seconds until it is worth asking again."""
        now = time.monotonic()
        if self.lost_since is None:
            self.lost_since = now
        pause = self.pause
        self.pause = min(self.pause * 2, LONGEST)
        if now - self.said_at >= SAY_AGAIN:
            self.said_at = now
            say(f"the study on {study} doesn't answer; what runs here goes on: {reason}")
        return pause
