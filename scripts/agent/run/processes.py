"""The processes of an attempt: which they are, and how they are ended."""

import os
import signal
import time

from base.processes import below, marked, name_of, parent_of, pid_in, quietly, send, stat_of, surely, words_of
from run.scope import members

# What a TERM is to a process. A wrapper dies of it without passing it on, or passes it on a second time; a filter takes
# the output of the process it serves down with it, as a terminal does; anything else is the work itself.
WRAPPERS = {"sh", "bash", "dash", "zsh", "make", "gmake", "env", "timeout", "nohup", "time", "sudo", "xargs", "script"}
# A container's first process passes a TERM on to one process, which may be a wrapper.
WRAPPERS |= {"docker-init", "tini"}
FILTERS = {"tee", "cat", "tail", "head", "grep", "sed", "awk", "mawk", "gawk", "tr", "ts", "stdbuf", "screen", "SCREEN"}
PAUSE = 0.2


class Processes:
    """Those of one attempt."""

    def __init__(self, attempt):
        self.attempt = attempt
        self.mark = mark_of(attempt.run.experiment)

    def now(self):
        """
        By scope, where there is one, by mark and by descent: a process of root shows its environment to nobody else, and
        `env -i` takes the mark away; a launcher that was killed leaves its processes without a root.
        """
        found = {pid for pid in members(self.attempt.get("scope")) if stat_of(pid)}
        launcher = pid_in(self.attempt.get("launcher")) if self.attempt.lives("launcher") else None
        # It waits for what it started. That of an earlier release is training itself, and marked.
        found.discard(launcher)
        found.update(marked(self.mark))
        if launcher is not None:
            found.update(below(launcher))
        return sorted(found)

    def surely(self):
        return surely(self.now)

    def train(self):
        """Whether training has not ended, as far as anything tells."""
        if self.attempt.has("trainingEnd"):
            return False
        return self.attempt.lives("launcher") or bool(self.surely())

    def end(self, grace):
        """TERM, up to `grace` seconds of patience, then KILL. False where something goes on all the same."""
        until = time.monotonic() + grace
        containers = set()
        found = self.surely()
        send(signal.SIGTERM, found)
        while found:
            time.sleep(PAUSE)
            found = self.surely()
            if time.monotonic() >= until:
                containers.update(containers_of(found))
                send(signal.SIGKILL, found)
            if found and time.monotonic() >= until + 10:
                self.note(
                    f"lambda-train: cannot end the run's processes {numbers(found)}: they are another user's, and "
                    "`sudo -n` is refused, or the kernel holds them"
                )
                return False
        self.end_containers(containers)
        return True

    def note(self, text):
        self.attempt.run.note(text)

    def end_containers(self, names):
        """A container outlives its client where that had to be killed."""
        for name in sorted(names):
            if name == "?":
                self.note(
                    "lambda-train: a docker client was ended; where its container goes on (docker ps), end it with docker "
                    "kill. With --name in train.command the stack does that itself."
                )
            elif quietly(["docker", "kill", name]) or quietly(["sudo", "-n", "docker", "kill", name]):
                self.note(f"lambda-train: ended the container {name}, which outlived its client")

    def stop(self, grace):
        """
        Gives the work one TERM and up to `grace` seconds to write its checkpoint, then ends all. The wrappers are held
        meanwhile, so that a Makefile does not go on to its next command; what the work started itself (loader processes,
        ranks) is left to it, because losing them would break it while it saves. False where something goes on.
        """
        # By the clock: a look at many processes takes longer than the pause between two.
        until = time.monotonic() + grace
        told, held = set(), set()
        while True:
            works = tell(self.now(), told, held)
            if not works or time.monotonic() >= until:
                break
            time.sleep(PAUSE)
        found = self.now()
        # Told too often, docker's client leaves its container alone.
        containers = containers_of(found) if works else set()
        for pid in found:
            send(signal.SIGTERM, [pid])
            send(signal.SIGCONT, [pid])
        if not works:
            return self.end(2)
        if not self.end(0):
            return False
        self.end_containers(containers)
        return True


class ByHand(Processes):
    """Those of a command that somebody runs by hand, told by their mark. It has no log."""

    def __init__(self, mark):
        self.mark = mark

    def now(self):
        return marked(self.mark)

    def note(self, text):
        pass


def tell(found, told, held):
    """One look of a clean stop: holds the wrappers, and gives the work its TERM, once each. Whether work goes on."""
    kinds = {pid: kind_of(pid) for pid in found}
    for pid, kind in kinds.items():
        if kind == "wrapper" and pid not in held:
            send(signal.SIGSTOP, [pid])
            held.add(pid)
        if kind == "work" and pid not in told and kinds.get(parent_of(pid)) != "work":
            send(signal.SIGTERM, [pid])
            told.add(pid)
    return "work" in kinds.values()


def mark_of(experiment):
    return f"LAMBDA_TRAIN_RUN={experiment}"


def numbers(pids):
    return " ".join(map(str, pids))


def kind_of(pid):
    name = name_of(pid)
    if name in WRAPPERS:
        return "wrapper"
    # Processes in the environment's container are found by themselves.
    is_filter = name in FILTERS or name.startswith("tmux") or (name == "docker" and is_own_client(pid))
    return "filter" if is_filter else "work"


def is_own_client(pid):
    return any(word.startswith(b"lambda-train-") for word in words_of(pid))


def containers_of(pids):
    """
    Names of the containers that docker's and podman's clients among the processes run; ? where the command gives none.
    """
    found = set()
    for pid in pids:
        words = [os.fsdecode(word) for word in words_of(pid)] if name_of(pid) in ("docker", "podman") else []
        if "run" in words:
            named = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "--name"]
            named += [word[len("--name=") :] for word in words if word.startswith("--name=")]
            found.add(named[0] if named else "?")
    return found
