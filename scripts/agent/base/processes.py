"""Processes of this machine, as /proc tells of them."""

import json
import os
import signal
import subprocess
import sys
import time

# What a run's processes have in their environment, beside the folder of tmux's sockets.
MARKS = ("LAMBDA_TRAIN_RUN", "LAMBDA_TRAIN_STEP", "LAMBDA_TRAIN_TMUX", "TMUX", "TMUX_PANE", "STY", "SCREENDIR")
AGENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(pid, name):
    """A file of /proc; empty where the process is gone or somebody else's."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def name_of(pid):
    return read(pid, "comm").decode(errors="replace").strip()


def words_of(pid):
    return read(pid, "cmdline").split(b"\0")


def environment_of(pid):
    return read(pid, "environ").split(b"\0")


def stat_of(pid):
    """The fields of stat from the state on; None where the process is gone or a zombie."""
    fields = read(pid, "stat").rpartition(b") ")[2].split()
    return fields if len(fields) > 19 and fields[0] not in (b"Z", b"X") else None


def parent_of(pid):
    fields = stat_of(pid)
    return int(fields[1]) if fields else None


def key_of(pid):
    """Names a process for good: its number is used again, after a reboot even at once. None if it is gone."""
    fields = stat_of(pid)
    if fields is None:
        return None
    return f"{pid} {fields[19].decode()} {boot_id()}"


def boot_id():
    """Names the time since this machine was started: another name after each start."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def is_alive(key):
    """Whether the process with this key still runs."""
    return bool(key) and key_of(pid_in(key)) == key


def pid_in(key):
    """The process number of a key."""
    return int(key.split(" ")[0])


def marked(mark):
    """The processes that were started with this `NAME=value`, whatever session they are in."""
    mark = os.fsencode(mark)
    return [pid for pid in pids() if mark in environment_of(pid) and stat_of(pid)]


def surely(look):
    """What `look` finds, and surely all: while a process turns into another program its environment is empty."""
    found = look()
    if found:
        return found
    time.sleep(0.1)
    return look()


def below(root):
    """The processes that descend from one. Anybody may read who is whose parent, of root's processes too."""
    parents = {pid: parent_of(pid) for pid in pids()}
    found, more = set(), {root}
    while more:
        more = {pid for pid, parent in parents.items() if parent in more} - found
        found |= more
    return sorted(found)


def send(number, some):
    """Signals processes; as root where they are somebody else's, as with `sudo docker run …`."""
    refused = []
    for pid in some:
        try:
            os.kill(pid, number)
        except PermissionError:
            refused.append(str(pid))
        except ProcessLookupError:
            pass
    if refused:
        quietly(["sudo", "-n", "kill", "-s", str(int(number)), *refused])


def outside():
    """
    The environment for what is to be no part of the run or step that starts it: with the marks of that it would end with it.
    """
    environment = {name: value for name, value in os.environ.items() if name not in MARKS}
    if "LAMBDA_TRAIN_TMUX" in os.environ:
        environment.pop("TMUX_TMPDIR", None)
        if os.environ["LAMBDA_TRAIN_TMUX"]:
            environment["TMUX_TMPDIR"] = os.environ["LAMBDA_TRAIN_TMUX"]
    return environment


def quietly(command, seconds=20, env=None):
    """Whether a program that need not be there ends well within some seconds."""
    ended = ended_within(seconds, command, subprocess.DEVNULL, env)
    return ended is not None and ended.returncode == 0


def fields_of(command, seconds):
    """What a program that need not be there prints within some seconds, parted by NUL; nothing where it doesn't end."""
    ended = ended_within(seconds, command, subprocess.PIPE)
    return [] if ended is None else ended.stdout.split(b"\0")


def ended_within(seconds, command, stdout, env=None):
    """How a program ended that reads nothing; None where it isn't there, or doesn't end."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.run(command, timeout=seconds, check=False, env=env, **streams)
    except (OSError, subprocess.TimeoutExpired):
        return None


def end_marked(mark, grace):
    """TERM, up to `grace` seconds of patience, then KILL."""
    until = time.monotonic() + grace
    found = surely(lambda: marked(mark))
    send(signal.SIGTERM, found)
    while found:
        time.sleep(0.2)
        found = surely(lambda: marked(mark))
        if time.monotonic() >= until:
            send(signal.SIGKILL, found)


def detach():
    """Becomes a process of its own, which a lost connection does not end."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def own_command(verb, /, **told):
    """The words that call a verb of this agent. What it is told is in a form that no other program expands."""
    return [sys.executable, "-IS", AGENT, verb, *([json.dumps(told).encode().hex()] if told else [])]


def start_detached(command, log=os.devnull, **options):
    """Starts a process in a session of its own."""
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as said:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, **options
        )
