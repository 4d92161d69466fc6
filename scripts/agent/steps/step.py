"""A named step that outlives the connection: detached, with a log, an exit status and a time limit.

~/.lambda-train/steps/<name>/
  hash      what the step's result depends on
  document  what its verb is told
  process   names its process; exit: its status, once ended; log: what it says
"""

import os
import signal
import subprocess
import sys
import time

from base.document import takes
from base.files import BASE, READY, fact, own_folder, put, try_put, unlink_if_there
from base.locks import hold, release
from base.pidfd import Waiter
from base.processes import detach, end_marked, is_alive, key_of, own_command, pid_in, start_detached
from base.say import die, say
from base.secrets import cover
from base.text import last_line, last_lines

TIMED_OUT, REPLACED = 124, 125


class Step:
    def __init__(self, name):
        self.name = name
        self.folder = os.path.join(BASE, "steps", name)
        self.log = self.path("log")

    def path(self, name):
        return os.path.join(self.folder, name)

    def fact(self, name):
        return fact(self.folder, name)

    def has_ended(self):
        return os.path.exists(self.path("exit"))

    def lives(self):
        return is_alive(self.fact("process"))

    def said(self):
        line = last_line(self.log)
        return f": {line}" if line else ""

    def run(self, hash, seconds, verb, document, proofs):
        """
        Same hash, ended with 0, and the paths of `proofs` there: "already done". Same hash, running: waits for it. Other
        hash running: stops it first. Ends with the step's status; 124: its time limit, 125: another call replaced it.
        """
        own_folder(self.folder)
        lock = hold(self.path("lock"))
        if self.fact("hash") == hash and self.fact("exit") == "0" and all(map(os.path.exists, proofs)):
            say(f"{self.name}: already done")
            return
        if self.lives() and not self.has_ended():
            if self.fact("hash") == hash:
                say(f"{self.name}: already running, waiting for it")
            else:
                self.stop()
        if not self.lives() or self.has_ended():
            self.start(hash, seconds, verb, document)
        release(lock)
        say(f"{self.name}: started, its log is {self.log}")
        self.wait(hash, seconds)

    def run_here(self, hash, check):
        """The same for what only looks: without a process of its own, and each time."""
        own_folder(self.folder)
        hold(self.path("lock"))
        if self.lives() and not self.has_ended():
            self.stop()
        unlink_if_there(self.path("exit"))
        put(self.path("hash"), hash)
        check()
        put(self.path("exit"), "0")

    def stop(self):
        say(f"{self.name}: stopping the earlier one, its inputs have changed")
        # Those who wait for it learn that it was replaced, not that it failed.
        put(self.path("hash"), "replaced")
        try:
            os.kill(pid_in(self.fact("process")), signal.SIGTERM)
        except ProcessLookupError:
            pass
        end_marked(f"LAMBDA_TRAIN_STEP={self.folder}", 10)
        while self.lives():
            time.sleep(0.1)

    def start(self, hash, seconds, verb, document):
        for name in ("exit", "process"):
            unlink_if_there(self.path(name))
        put(self.path("hash"), hash)
        if os.path.exists(self.log):
            os.replace(self.log, self.path("log.previous"))
        put(self.path("document"), document)
        runner = start_detached(own_command("step-now", name=self.name, seconds=seconds, verb=verb), self.log)
        while not os.path.exists(self.path("process")):
            if runner.poll() is not None and not os.path.exists(self.path("process")):
                die(1, f"{self.name}: could not be started. Log: {self.log}")
            time.sleep(0.02)

    def require_ours(self, hash):
        if self.fact("hash") != hash:
            die(REPLACED, f"{self.name}: another call started this step with other inputs.")

    def wait(self, hash, seconds):
        began = time.monotonic()
        shown, told, due = "", 0, 10
        # Another call may be about to replace it.
        end = Waiter(pid_in(self.fact("process") or "0"))
        while not self.has_ended():
            self.require_ours(hash)
            if not self.lives() and not self.has_ended():
                die(
                    1,
                    f"{self.name}: its process is gone without an exit status (reboot, or killed). Run it again. Log: {self.log}",
                )
            waited = int(time.monotonic() - began)
            end.wait(0.1 if waited < 3 else 0.5)
            if waited >= due:
                # Often at first, when much happens; later so that a log neither fills nor is silent for a minute.
                due = waited + (10 if waited < 60 else 30)
                line = self.said()
                if line != shown or waited - told >= 50:
                    say(f"{self.name} ({waited} s){line}")
                    told = waited
                shown = line
        code = int(self.fact("exit"))
        self.require_ours(hash)
        if code == 0:
            say(f"{self.name}: done in {int(time.monotonic() - began)} s{self.said()}")
            return
        print("\n".join([f"{self.name}: the last lines of its log:", *last_lines(self.log, 40, 1000)]), file=sys.stderr)
        if code == TIMED_OUT:
            die(code, f"{self.name}: stopped at its time limit of {seconds} s. Log on the instance: {self.log}")
        die(code, f"{self.name}: failed with status {code}. Log on the instance: {self.log}")


@takes(name=str, seconds=int, verb=str)
def run_now(name, seconds, verb):
    """The detached part: owns the step until its exit status is written."""
    detach()
    step = Step(name)
    put(step.path("process"), key_of(os.getpid()))
    began = time.monotonic()
    with open(step.path("document"), "rb") as document:
        child = subprocess.Popen(
            ["timeout", "--kill-after=10", str(seconds), *own_command(verb)],
            stdin=document,
            env={**os.environ, "LAMBDA_TRAIN_STEP": step.folder},
        )
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    code = 128 - code if code < 0 else code
    # `timeout` reports 137 where it had to use KILL.
    if code == 128 + signal.SIGKILL and time.monotonic() - began >= seconds:
        code = TIMED_OUT
    # What the step left behind in sessions of its own would go on using the machine.
    if code == TIMED_OUT:
        end_marked(f"LAMBDA_TRAIN_STEP={step.folder}", 5)
    cover(step.log)
    put(step.path("exit"), str(code))
    # From here on somebody could train by hand; noted once, however often setup runs again.
    if name == "setup" and code == 0 and not os.path.exists(READY):
        try_put(READY, "")
