"""What the fleet's other machines may ask this one: the verbs of a table, each with a document, answered by a line of JSON."""

import importlib
import json
import os
import select
import sys

from base.document import LONGEST, Wrong, arguments, takes
from base.say import Failed

# Seconds without a question after which the process ends.
PATIENCE = 120

# Each takes a document, and gives a dictionary.
PEER_VERBS = {
    "alive": "fleet.peer:alive",
    "node-check": "nodes.check:take_part",
    "node-join": "nodes.group:let_join",
    "node-look": "nodes.group:look",
    "node-checkpoints": "nodes.checkpoints:known_here",
    "study-call": "sweep.call:answer_peer",
    "upload-has": "upload.give:has",
}
# Each gives the path of a file. Its content follows the line that answers, and a line that says whether that is whole.
FILE_VERBS = {"node-file": "nodes.checkpoints:send"}
# Each gives what talks on over the connection, behind the line that answers.
STREAM_VERBS = {"upload-give": "upload.give:give"}


@takes(verb=str, document=object)
def peer(verb, document):
    """
    Answers with one line, `{"ok"}` or `{"error"}`, and so each further line of standard input that asks: a new process for
    each would take longer than the answer. It is all that the fleet's key opens.
    """
    if verb in FILE_VERBS:
        send_file(answer(verb, document, FILE_VERBS))
        return
    if verb in STREAM_VERBS:
        talk_on(answer(verb, document, STREAM_VERBS))
        return
    while True:
        print(json.dumps(answer(verb, document)), flush=True)
        # Nothing is asked before the answer is there, so that no line is ever read ahead.
        if not select.select([sys.stdin], [], [], PATIENCE)[0]:
            return
        line = sys.stdin.buffer.readline(LONGEST)
        if not line.endswith(b"\n"):
            return
        asked = json.loads(line)
        verb, document = asked["verb"], asked["document"]


def send_file(told):
    if "error" in told:
        print(json.dumps(told), flush=True)
        return
    out = sys.stdout.buffer
    with open(told["ok"], "rb") as file:
        before = os.fstat(file.fileno())
        out.write(json.dumps({"ok": {"bytes": before.st_size, "writtenAt": before.st_mtime}}).encode() + b"\n")
        left = before.st_size
        while left and (block := file.read(min(left, 1 << 20))):
            out.write(block)
            left -= len(block)
        after = os.fstat(file.fileno())
    # A file that is written in place meanwhile is a mixture.
    is_whole = left == 0 and (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    out.write(json.dumps({"whole": is_whole}).encode() + b"\n")
    out.flush()


def talk_on(told):
    print(json.dumps(told if "error" in told else {"ok": {}}), flush=True)
    if "ok" in told:
        told["ok"]()


def answer(verb, document, verbs=None):
    """{"ok": what the verb gives}, or {"error": why it failed}."""
    verbs = PEER_VERBS if verbs is None else verbs
    if verb not in verbs:
        return {"error": f"no verb {verb}; there are {', '.join(PEER_VERBS)}"}
    module, _, name = verbs[verb].partition(":")
    function = getattr(importlib.import_module(module), name)
    try:
        return {"ok": function(**arguments(document, function.takes))}
    except Wrong as error:
        return {"error": f"{verb}: {error}"}
    except Failed as failed:
        return {"error": failed.text}
    except OSError as error:
        return {"error": f"{error.strerror}: {error.filename}" if error.filename else str(error)}


@takes()
def alive():
    """That this machine answers."""
    return {}
