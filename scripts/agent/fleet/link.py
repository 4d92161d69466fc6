"""Asks the agents of the fleet's other machines, over SSH connections that are kept."""

import getpass
import hashlib
import json
import os
import subprocess
import time

from base.files import read_json, try_write_json
from base.processes import quietly
from fleet.conversation import Conversations, Ended
from fleet.peer import answer
from fleet.places import FOLDER, HOSTS, KEY, KNOWN, WORKED

# Seconds for a connection to one address. A firewall that drops answers nothing.
CONNECT = 5
# Seconds for which a connection that nobody uses is kept.
KEPT = 60
# SSH's own status, where it didn't come to the command.
NO_CONNECTION = 255


# `used`: places to which calls of this process may have left a connection behind.
connections = {"kept": True, "used": set()}
conversations = Conversations()


def leave_none():
    """From now on this process leaves no connection behind: it becomes training, which ends when all that it started has."""
    connections["kept"] = False


def close():
    """
    Ends the conversations and connections of this process. A run that ends before its first step while something
    that it started goes on counts as one that detached itself.
    """
    conversations.close()
    for place in sorted(connections["used"]):
        *words, target, _ = ssh(*place, CONNECT)
        quietly(["timeout", str(CONNECT), *words, "-O", "exit", target])
        due = time.monotonic() + CONNECT
        while os.path.exists(socket_of(*place)) and time.monotonic() < due:
            time.sleep(0.02)
    connections["used"].clear()


class Unreachable(Exception):
    """A machine doesn't answer: nothing is known of what happens there."""


class Refused(Exception):
    """A machine answers that what was asked for failed; the text tells why."""


def fleet():
    """What this machine knows of its fleet: {"me", "machines"}; None where it is alone."""
    return read_json(KNOWN, None)


def ask(machine, verb, document, timeout):
    """
    What a peer verb answers on a machine of the fleet; on this one without a connection. `timeout`: seconds for all of it.
    @raises Unreachable, Refused
    """
    known = fleet() or {"me": machine, "machines": {}}
    if machine == known["me"]:
        return result_of(answer(verb, document))
    place = known["machines"].get(machine)
    if place is None:
        raise Unreachable(f"{known['me']} has not been told where {machine} is")
    said = "no address of it is known"
    for address in preferred(machine, place["addresses"]):
        code, out, said = speak(machine, address, place["port"], {"verb": verb, "document": document}, timeout)
        if code == 0 and out.startswith(b"{"):
            remember(machine, address)
            return result_of(json.loads(out))
    raise Unreachable(f"{machine} does not answer: {said}")


def take(machine, verb, document, timeout, path):
    """
    Writes the file that a verb gives on another machine, and gives the time of its last change. @raises Unreachable, Refused,
    also where the file was written in place meanwhile
    """
    address, port = place_of(machine)
    if connections["kept"]:
        connections["used"].add((machine, address, port))
    words = ["timeout", "--kill-after=10", str(timeout), *ssh(machine, address, port, timeout)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        running.stdin.write(json.dumps({"verb": verb, "document": document}).encode() + b"\n")
        running.stdin.close()
        line = running.stdout.readline()
        if not line.endswith(b"\n"):
            raise Unreachable(f"{machine} does not answer at {address}")
        told = result_of(json.loads(line))
        left = told["bytes"]
        with open(path, "wb") as file:
            while left and (block := running.stdout.read(min(left, 1 << 20))):
                file.write(block)
                left -= len(block)
        end = running.stdout.readline()
    if not end:
        raise Unreachable(f"the connection to {machine} was lost with {left} of {told['bytes']} bytes to come")
    if not json.loads(end)["whole"]:
        raise Refused(f"{document['path']} was written meanwhile")
    return told["writtenAt"]


def place_of(machine):
    """The address at which a machine answered last, and its port. @raises Unreachable"""
    place = (fleet() or {"machines": {}})["machines"].get(machine)
    if place is None:
        raise Unreachable(f"this machine has not been told where {machine} is")
    return preferred(machine, place["addresses"])[0], place["port"]


def result_of(told):
    if "error" in told:
        raise Refused(told["error"])
    return told["ok"]


def preferred(machine, addresses):
    """The address that worked last comes first, then as they were told: the private one before the public one."""
    last = read_json(WORKED, {}).get(machine)
    return sorted(addresses, key=lambda address: address != last)


def remember(machine, address):
    worked = read_json(WORKED, {})
    if worked.get(machine) != address:
        try_write_json(WORKED, {**worked, machine: address})


def speak(machine, address, port, question, timeout):
    """Status, output and last words of one call."""
    if not connections["kept"]:
        return speak_once(machine, address, port, question, timeout)
    words = ssh(machine, address, port, timeout, shared=False)
    try:
        return 0, conversations.ask((machine, address, port), words, question, timeout), ""
    except Ended as ended:
        return NO_CONNECTION, b"", f"{ended} at {address}"


def speak_once(machine, address, port, question, timeout):
    try:
        done = subprocess.run(
            ssh(machine, address, port, timeout),
            input=json.dumps(question).encode() + b"\n",
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return NO_CONNECTION, b"", f"no answer from {address} within {timeout:g} s"
    said = done.stderr[-4096:].decode(errors="replace").strip().split("\n")[-1]
    return done.returncode, done.stdout, said or f"status {done.returncode} at {address}"


def socket_of(machine, address, port):
    """Path of a kept connection's socket: short, since it has little room."""
    return os.path.join(FOLDER, f"to-{hashlib.sha256(f'{machine} {address} {port}'.encode()).hexdigest()[:8]}")


def ssh(machine, address, port, timeout, shared=True):
    """The words that ask a machine's agent. `shared`: over a connection that others of this machine use and leave behind."""
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": HOSTS,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlias": machine,
        "HostKeyAlgorithms": "ssh-ed25519",
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(max(1, int(min(CONNECT, timeout)))),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        # One that is there already is used in any case.
        "ControlMaster": "auto" if shared and connections["kept"] else "no",
        "ControlPath": socket_of(machine, address, port) if shared else "none",
        "ControlPersist": str(KEPT),
        "LogLevel": "ERROR",
    }
    told = [word for option, value in options.items() for word in ("-o", f"{option}={value}")]
    return ["ssh", "-F", "/dev/null", "-T", "-i", KEY, "-p", str(port), *told, f"{getpass.getuser()}@{address}", "peer"]
