"""
How the machines of one training begin an attempt together, and what they tell each other of it.

Rank 0 leads. Each of its attempts is a round, with a port for the rendezvous. Another rank begins its own attempt once rank 0
has let it into the round, so that no attempt meets one of an earlier start.
"""

import time

from base.document import takes
from base.say import die
from fleet.link import Refused, Unreachable, ask, leave_none
from nodes.checkpoints import take_from, take_newest
from nodes.network import addresses_of, free_port
from run.configuration import has_finished
from run.state import Run
from run.status import told_of

# Seconds that machines of a training wait for each other at the start of an attempt.
PATIENCE = 600
PAUSE = 1
ANSWER = 20


def begin(attempt):
    """
    Waits until this machine's attempt has its place in a round, and notes it: {"round", "address", "port"}. Ends this
    process where there is none.
    """
    leave_none()
    node = attempt.get("description")["node"]
    return lead(attempt, node) if node["rank"] == 0 else follow(attempt, node)


def lead(attempt, node):
    # What this machine lost with its disk, another one may have.
    for machine in node["machines"][1:]:
        take_newest(attempt, machine)
    address = addresses_of(node["machines"][0])[0]
    place = {"round": f"{node['members'][0]} {attempt.number} {time.time_ns()}", "address": address, "port": free_port()}
    attempt.put(group={**place, "joined": {}})
    return place


def follow(attempt, node):
    experiment, leader = attempt.run.experiment, node["machines"][0]
    asked = {
        "experiment": experiment,
        "rank": node["rank"],
        "who": f"{node['members'][node['rank']]} {attempt.number}",
        "members": node["members"],
    }
    until, said = time.monotonic() + PATIENCE, ""
    while time.monotonic() < until:
        try:
            told = ask(leader, "node-join", asked, ANSWER)
            if "round" in told:
                take_from(attempt, leader)
        except (Unreachable, Refused) as error:
            told = {"wait": str(error)}
        if "over" in told:
            print(f"lambda-train: {told['over']}", flush=True)
            raise SystemExit(0)
        if "wait" not in told:
            attempt.put(group=told)
            return told
        if told["wait"] != said:
            said = told["wait"]
            print(f"lambda-train: waiting for rank 0 on {leader}: {said}", flush=True)
        time.sleep(PAUSE)
    return die(1, f"lambda-train: rank 0 on {leader} did not start within {PATIENCE} s: {said}")


@takes(experiment=str, rank=int, who=str, members=[str])
def let_join(experiment, rank, who, members):
    """On rank 0: the round's place where `who` may join it, {"wait"} why not yet, or {"over"} why there is none to come."""
    attempt = Run(experiment).newest()
    if attempt is None:
        return {"wait": f"{experiment} was not started there yet"}
    node = (attempt.get("description") or {}).get("node") or {}
    if node.get("members") != members:
        return {"wait": "its attempt trains with other machines"}
    if has_finished(attempt):
        return {"over": f"the training has finished already (attempt {attempt.number} of rank 0)"}
    if attempt.has("exit") or not attempt.lives("supervisor"):
        return {"wait": f"its attempt {attempt.number} has ended"}
    place = attempt.get("group")
    if place is None:
        return {"wait": f"its attempt {attempt.number} is about to begin"}
    if place["joined"].get(str(rank), who) != who:
        return {"wait": f"its attempt {attempt.number} began with another start of rank {rank}"}

    def note(document):
        document["attempts"][str(attempt.number)]["group"]["joined"][str(rank)] = who

    attempt.run.change(note)
    return {name: place[name] for name in ("round", "address", "port")}


@takes(experiment=str)
def look(experiment):
    """How far this machine's newest attempt is, and of which round it is."""
    attempt = Run(experiment).newest()
    if attempt is None:
        return {"state": "absent"}
    told = told_of(attempt)
    known = {name: told.get(name) for name in ("state", "stopReason", "firstStepAt", "firstStepLine")}
    return {**known, "round": (attempt.get("group") or {}).get("round"), "hash": attempt.asked_hash()}


def has_led_to_the_end(attempt):
    """Whether rank 0 has finished the training in which this machine's attempt had a part."""
    node = attempt.get("description")["node"]
    if node["rank"] == 0:
        return True
    try:
        told = ask(node["machines"][0], "node-look", {"experiment": attempt.run.experiment}, ANSWER)
    except (Unreachable, Refused):
        return False
    return told["state"] in ("finished", "evaluating") and told["hash"] == attempt.asked_hash()
