"""
A cgroup for what a run starts, where the user's systemd gives one: only what asks systemd for another leaves it.

Descent and mark tell what belongs to a run besides, and alone where there is none (containers, a systemd that ends with
the login).
"""

import os
import pwd
import time

from base.processes import quietly, read

PREFIX = "lambda-train-"
LINGER = "/var/lib/systemd/linger"
# Of cgroup v2, of its mount beside v1, and of systemd's own hierarchy in v1.
ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")
SECONDS = 5


def scoped(name, command):
    """The words that start a command in a scope of its own; the command itself where there is none to be had."""
    # Here the user's systemd listens.
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    if not os.path.exists(f"{folder}/systemd/private") or not outlives_logins():
        return command
    words = ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--property=TasksMax=infinity"]
    # By default one process that runs out of memory ends its scope. A systemd before 253 knows of neither.
    for policy in (["--property=OOMPolicy=continue"], []):
        if quietly([*words, *policy, "true"], SECONDS):
            # An earlier scope of that name may live.
            unit = f"{PREFIX}{name}-{time.time_ns()}"
            return [*words, *policy, f"--unit={unit}", f"--description={name}", "--", *command]
    return command


def outlives_logins():
    """Whether the user's systemd, and all in it, goes on when nobody is logged in. It is asked to, where it does not."""
    user = pwd.getpwuid(os.getuid()).pw_name
    for command in (["loginctl", "enable-linger"], ["sudo", "-n", "loginctl", "enable-linger", user]):
        if os.path.exists(os.path.join(LINGER, user)):
            return True
        quietly(command, SECONDS)
    return os.path.exists(os.path.join(LINGER, user))


def own_scope():
    """The path of the scope in which this process was started; None where it was started in none."""
    for line in read("self", "cgroup").decode(errors="replace").splitlines():
        path = line.split(":", 2)[2]
        if os.path.basename(path).startswith(PREFIX):
            return path
    return None


def offer_to_the_killer():
    """
    Where memory runs out, training goes before the user's systemd, with which all of the scope would end: that has 100.
    """
    try:
        with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as file:
            if int(file.read()) < 200:
                file.seek(0)
                file.write("200")
    except OSError:
        pass


def members(path):
    """The processes in a scope, and in cgroups that they made below it."""
    found = set()
    for root in ROOTS if path else ():
        for folder, _, _ in os.walk(root + path):
            try:
                with open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as file:
                    found.update(int(line) for line in file)
            except OSError:
                pass
    # One of another PID namespace.
    found.discard(0)
    return found
