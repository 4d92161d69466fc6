#!/usr/bin/env python3
"""Notes that the results of an experiment, as they are now, are at home.

Usage:
  fetched.py begin EXPERIMENT         prints a token for a download that begins now
  fetched.py done EXPERIMENT TOKEN    the download that began with this token is at home, verified
Exit codes: 0 done, 1 failed (reason on stderr), 2 usage.
"""
import glob
import os
import sys
import time

from safety import latest_attempts


def facts_of(experiment):
    facts = latest_attempts().get(experiment)
    if facts is None:
        sys.exit(f"There is no run of {experiment} on this instance.")
    return facts


def begin(experiment):
    token = f"{os.getpid()}-{time.time_ns()}"
    with open(os.open(os.path.join(facts_of(experiment), f"fetching.{token}"), os.O_WRONLY | os.O_CREAT, 0o600), "w"):
        pass
    print(token)


def done(experiment, token):
    facts = facts_of(experiment)
    begun = os.path.join(facts, f"fetching.{os.path.basename(token)}")
    # Where another attempt has begun meanwhile, what was fetched is not all there is.
    if not os.path.exists(begun):
        return
    since = os.stat(begun).st_mtime_ns
    os.replace(begun, os.path.join(facts, "fetched"))
    for other in glob.glob(os.path.join(glob.escape(facts), "fetching.*")):
        # Downloads that broke off, or have nothing newer to tell.
        try:
            if os.stat(other).st_mtime_ns <= since:
                os.unlink(other)
        except FileNotFoundError:
            pass


def main():
    mode, *rest = sys.argv[1:] or ["help"]
    if mode == "begin" and len(rest) == 1:
        begin(rest[0])
    elif mode == "done" and len(rest) == 2:
        done(rest[0], rest[1])
    else:
        print(__doc__, file=sys.stderr)
        sys.exit(2)


main()
