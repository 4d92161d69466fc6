"""Notes that the results of an experiment, as they are now, are at home."""

import os
import time

from base.document import takes
from base.files import moment
from base.say import die
from run.state import Run


def newest(experiment):
    attempt = Run(experiment).newest()
    if attempt is None:
        die(1, f"There is no run of {experiment} on this instance.")
    return attempt


@takes(experiment=str)
def begin(experiment):
    """Prints a token for a download that begins now."""
    attempt = newest(experiment)
    token = f"{os.getpid()}-{time.time_ns()}"
    attempt.put(fetching={**attempt.get("fetching", {}), token: moment()})
    print(token)


@takes(experiment=str, token=str)
def done(experiment, token):
    """The download that began with this token is at home, verified."""
    attempt = newest(experiment)
    known = attempt.get("fetching", {})
    # Where another attempt has begun meanwhile, what was fetched is not all there is.
    if token not in known:
        return
    since = known[token]
    # Downloads that broke off, or have nothing newer to tell, go with it.
    attempt.put(fetching={other: at for other, at in known.items() if at > since}, fetched=since)
    attempt.run.tell("fetched", attempt=attempt.number)
