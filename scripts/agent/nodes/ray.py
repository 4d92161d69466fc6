"""
A Ray cluster of the environment's own Ray, on the machines of a training. Rank 0 has its head, on which the run's command is
the driver; the others are its workers. It lives as long as the driver.
"""

import hashlib
import hmac
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time

from base.document import takes
from base.files import fact, own_folder, put
from base.processes import AGENT, below, is_alive, key_of, own_command, pid_in, send
from base.shell import strict, workplace
from fleet.link import leave_none
from fleet.places import FOLDER, KEY
from nodes.group import PATIENCE, has_led_to_the_end
from nodes.network import free_port, listens, own_address_towards
from run.processes import tell
from run.state import Run
from steps.python import python_of

CLUSTER = os.path.join(AGENT, "inside", "ray_cluster.py")
TOKEN = os.path.join(FOLDER, "ray-token")
PAUSE = 0.3
# Seconds for Ray to end on this machine, and for rank 0 to tell how the training ended.
ENDING = 20
LAST_WORD = 120
# So many times in a row the head must not answer before it counts as ended.
MISSES = 3
STOPPED = 128 + signal.SIGTERM


def node_words(attempt, command):
    """The words that run this machine's part of the cluster, in the workload's environment."""
    return own_command("ray-node", experiment=attempt.run.experiment, command=command)


@takes(experiment=str, command=str)
def run_node(experiment, command):
    """Ends as the driver does: on rank 0 with its status, elsewhere with 0 if it has finished."""
    leave_none()
    attempt = Run(experiment).newest()
    described = attempt.get("description")
    place = attempt.get("group") if described.get("node") else {"address": "127.0.0.1", "port": free_port()}
    rank = described["node"]["rank"] if described.get("node") else 0
    keep_token(place.get("round"))
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=TOKEN)
    node = Node(attempt, python_of(command, workplace(described)), f"{place['address']}:{place['port']}")
    try:
        code = node.lead(place, command) if rank == 0 else node.follow(place)
    finally:
        node.close()
    sys.exit(code)


def keep_token(of_round):
    """What lets machines into the cluster of a round. All that hold the fleet's key can tell it; one machine draws it."""
    key = fact(KEY)
    asked = None if of_round is None else hmac.new(key.encode(), f"ray {of_round}".encode(), hashlib.sha256)
    own_folder(FOLDER)
    put(TOKEN, secrets.token_hex(32) if asked is None else asked.hexdigest())


class Node:
    """This machine's part."""

    def __init__(self, attempt, python, address):
        self.attempt, self.python, self.address = attempt, python, address
        self.is_told = False
        self.ray = None
        # What Ray's own process says: its hints how to connect by hand are no part of the log.
        self.said = tempfile.TemporaryFile()
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "is_told", True))

    def lead(self, place, command):
        self.start(
            "--head", f"--node-ip-address={place['address']}", f"--port={place['port']}", "--dashboard-host=127.0.0.1"
        )
        count = len((self.attempt.get("description")["node"] or {"machines": [None]})["machines"])
        code = self.wait_for(count)
        if code == 0:
            print(f"lambda-train: Ray cluster of {count} at {self.address}", flush=True)
            code = self.drive(command)
        self.end()
        return code

    def follow(self, place):
        """A worker stays for as long as the head does, also when it is to stop: the driver may write its checkpoint with it."""
        until = time.monotonic() + PATIENCE
        while not listens(place["address"], place["port"]):
            if self.is_told or time.monotonic() >= until:
                return STOPPED if self.is_told else 1
            time.sleep(PAUSE)
        own = own_address_towards(place["address"])
        self.start(f"--address={self.address}", *([] if own is None else [f"--node-ip-address={own}"]))
        misses = 0
        while misses < MISSES:
            time.sleep(PAUSE)
            misses = 0 if listens(place["address"], place["port"]) else misses + 1
            if misses == 0 and self.ray.poll() is not None:
                self.tell_end()
                return self.ray.returncode or 1
        self.end()
        until = time.monotonic() + LAST_WORD
        while not self.is_told and time.monotonic() < until:
            if has_led_to_the_end(self.attempt):
                return 0
            time.sleep(1)
        return STOPPED if self.is_told else 1

    def start(self, *options):
        words = self.words("start", *options, "--block", "--disable-usage-stats")
        self.ray = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.said, stderr=subprocess.STDOUT)

    def words(self, *options):
        return ["bash", "-c", f'exec {self.python} "$@"', "agent", CLUSTER, *options]

    def wait_for(self, count):
        """Until all machines have joined: a status other than 0 where they don't."""
        until = time.monotonic() + PATIENCE
        host, _, port = self.address.rpartition(":")
        while not listens(host, int(port)):
            if self.is_told or self.ray.poll() is not None or time.monotonic() >= until:
                return self.not_begun()
            time.sleep(PAUSE)
        waiting = subprocess.Popen(self.words("wait", self.address, str(count), str(PATIENCE)), stdin=subprocess.DEVNULL)
        while waiting.poll() is None:
            if self.is_told or self.ray.poll() is not None:
                waiting.kill()
                return self.not_begun()
            time.sleep(PAUSE)
        return waiting.returncode

    def not_begun(self):
        if self.is_told:
            return STOPPED
        self.tell_end()
        return self.ray.returncode or 1

    def drive(self, command):
        """The driver's status. When this is to stop, the driver is, as without a cluster; Ray stays until it has ended."""
        environment = {**os.environ, "RAY_ADDRESS": self.address}
        driver = subprocess.Popen(strict(command), stdin=subprocess.DEVNULL, env=environment)
        told, held = set(), set()
        while driver.poll() is None:
            time.sleep(PAUSE)
            if not self.is_told:
                continue
            found = [driver.pid, *below(driver.pid)]
            if not tell(found, told, held):
                send(signal.SIGTERM, found)
                send(signal.SIGCONT, found)
        return 128 - driver.returncode if driver.returncode < 0 else driver.returncode

    def end(self):
        """Ends Ray here, with all that it has started."""
        processes = [key for key in map(key_of, [self.ray.pid, *below(self.ray.pid)]) if key]
        if self.ray.poll() is None:
            self.ray.terminate()
        until = time.monotonic() + ENDING
        while (self.ray.poll() is None or any(map(is_alive, processes))) and time.monotonic() < until:
            time.sleep(PAUSE)
        send(signal.SIGKILL, [pid_in(key) for key in processes if is_alive(key)])
        self.ray.wait()

    def close(self):
        self.said.close()

    def tell_end(self):
        self.said.seek(0, os.SEEK_END)
        self.said.seek(max(0, self.said.tell() - 4096))
        print(self.said.read().decode("utf-8", "replace"), flush=True)
        print(f"lambda-train: Ray ended on this machine with status {self.ray.returncode}", flush=True)
