"""Makes this machine one of a fleet: it learns how to reach the others, and lets them ask its agent."""

import os
import shlex
import sys

from base.document import takes
from base.files import fact, own_folder, put, read_json, write_json
from base.locks import hold, release
from base.processes import AGENT
from base.say import say
from fleet.places import FOLDER, HOSTS, KEY, KNOWN

MARK = "lambda-train fleet"


@takes(me=str, privateKey=str, publicKey=str, machines={str: {"addresses": [str], "port": int, "hostKey": str}})
def join(me, private_key, public_key, machines):
    """`machines`: those that this one may ask, itself among them. Of the same name, the last that was told counts."""
    own_folder(FOLDER)
    lock = hold(os.path.join(FOLDER, "lock"))
    try:
        if fact(KEY) != private_key.rstrip("\n"):
            put(KEY, f"{private_key.rstrip()}\n")
        known = {**read_json(KNOWN, {}).get("machines", {}), **machines}
        lines = [f"{name} {machine['hostKey']}\n" for name, machine in sorted(known.items())]
        put(HOSTS, "".join(lines))
        write_json(KNOWN, {"me": me, "machines": known})
        admit(public_key)
    finally:
        release(lock)
    say(f"{me} can ask {', '.join(sorted(set(known) - {me})) or 'itself'}")


def admit(public_key):
    """Lets in who holds the fleet's key, for the verb `peer` alone."""
    folder = os.path.join(os.path.expanduser("~"), ".ssh")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, "authorized_keys")
    words = " ".join(map(shlex.quote, [sys.executable, "-IS", AGENT, "peer"]))
    kind, key = public_key.split()[:2]
    line = f'restrict,command="{words}" {kind} {key} {MARK}'
    before = fact(path).splitlines()
    after = [*(each for each in before if not each.endswith(f" {MARK}")), line]
    if after != before:
        put(path, "\n".join(after) + "\n")
