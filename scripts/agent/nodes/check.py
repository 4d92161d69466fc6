"""The gate of a training on several machines: an all-reduce among them, before it starts."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from base.document import takes
from base.processes import AGENT
from base.say import say
from base.shell import environment_with, with_environment, workplace
from fleet.link import Refused, Unreachable, ask
from nodes.network import addresses_of, free_port, interface_towards
from steps.python import python_of

REDUCE = os.path.join(AGENT, "inside", "reduce.py")
PLACE = {"workspace": str, "directory": str, "command": str}
NO_MODULE = "No module named 'torch'"


@takes(machines=[str], train=PLACE, seconds=int)
def verify(machines, train, seconds):
    """On rank 0. Prints "ok …" lines, or FAIL with what each machine said last. Exit codes: 0 all can talk, 1 some can't."""
    address, port = addresses_of(machines[0])[0], free_port()
    asked = {"machines": machines, "address": address, "port": port, "train": train, "seconds": seconds}
    with ThreadPoolExecutor(len(machines)) as threads:
        jobs = [threads.submit(check_on, machine, {**asked, "rank": rank}) for rank, machine in enumerate(machines)]
        found = [job.result() for job in jobs]
    if any(NO_MODULE in said for _, said in found):
        say("ok nodes: not measured, since training's Python has no torch")
        return
    if all(right for right, _ in found):
        for line in found[0][1].split("\n"):
            if line.startswith("ok "):
                say(line)
        return
    say(f"FAIL nodes: the machines of the training can't all talk to rank 0's {address}:{port} and to each other")
    for machine, (right, said) in zip(machines, found):
        last = said.strip().split("\n")[-3:]
        say(f"FAIL {machine}: {'; '.join(last)}" if not right else f"ok {machine}: {last[-1]}")
    sys.exit(1)


def check_on(machine, asked):
    try:
        told = ask(machine, "node-check", asked, 2 * asked["seconds"] + 30)
    except (Unreachable, Refused) as error:
        return False, str(error)
    return told["code"] == 0, told["said"]


@takes(machines=[str], rank=int, address=str, port=int, train=PLACE, seconds=int)
def take_part(machines, rank, address, port, train, seconds):
    """Its part in the all-reduce: {"code", "said"}."""
    place = workplace(train)
    python = python_of(train["command"], place)
    towards = address if rank > 0 else addresses_of(machines[1])[0]
    interface = interface_towards(towards)
    names = {} if interface is None else {"NCCL_SOCKET_IFNAME": interface, "GLOO_SOCKET_IFNAME": interface}
    words = [str(rank), str(len(machines)), address, str(port), str(seconds), ",".join(machines)]
    timed = ["timeout", "--kill-after=10", str(2 * seconds), "bash", "-c", f'exec {python} "$@"', "agent", REDUCE, *words]
    done = subprocess.run(
        with_environment(timed),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=place,
        env=environment_with(**names),
        check=False,
    )
    said = done.stdout.decode("utf-8", "replace")
    return {"code": done.returncode, "said": said[-8192:]}
