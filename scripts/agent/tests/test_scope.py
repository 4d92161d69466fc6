"""A run in a scope of a real systemd, which this file starts for itself in namespaces of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

AGENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SYSTEMD = "/usr/lib/systemd/systemd"
NEEDED = ("unshare", "mount", "systemd-run", "tmux")

# In a cgroup, mount and PID namespace: what is left below ends with the first process. $1: a folder, $2: this file.
NAMESPACES = """
mkdir "$1/all" && mount -t cgroup2 none "$1/all" && mkdir "$1/all/$3" && echo $$ >"$1/all/$3/cgroup.procs"
status=0
unshare --cgroup --pid --fork --kill-child --mount-proc bash -euc "$4" bash "$1" "$2" || status=$?
echo $$ >"$1/all/cgroup.procs"
find "$1/all/$3" -depth -type d -exec rmdir {} +
exit "$status"
"""
MACHINE = """
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs none /run
mount -t tmpfs none /var/lib/systemd
mkdir -p /run/systemd/system /var/lib/systemd/linger "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
touch "/var/lib/systemd/linger/$(id -un)"
"$SYSTEMD" --user >"$1/systemd.log" 2>&1 &
for _ in $(seq 100); do [ -e "$XDG_RUNTIME_DIR/systemd/private" ] && break; sleep 0.1; done
exec "$PYTHON" "$2" inside
"""


def reason_to_skip():
    if os.geteuid() != 0:
        return "only root can start a systemd in namespaces of its own"
    missing = [name for name in NEEDED if shutil.which(name) is None] + ([] if os.path.exists(SYSTEMD) else ["systemd"])
    if missing:
        return f"not installed: {', '.join(missing)}"
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(
            ["unshare", "--mount", "--cgroup", "mount", "-t", "cgroup2", "none", folder], capture_output=True, check=False
        )
    return None if tried.returncode == 0 else "this machine mounts no cgroup2"


class Scopes(unittest.TestCase):
    def test_hold_what_has_lost_launcher_supervisor_and_mark(self):
        reason = reason_to_skip()
        if reason is not None:
            self.skipTest(reason)
        with tempfile.TemporaryDirectory(prefix="lambda-train-") as folder:
            home, sockets = os.path.join(folder, "home"), os.path.join(folder, "tmux")
            os.mkdir(home)
            os.mkdir(sockets)
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": home,
                "TMUX_TMPDIR": sockets,
                "XDG_RUNTIME_DIR": os.path.join(folder, "run"),
                "PYTHON": sys.executable,
                "PYTHONDONTWRITEBYTECODE": "1",
                "SYSTEMD": SYSTEMD,
            }
            name = f"lambda-train-test-{os.getpid()}"
            words = ["unshare", "--mount", "bash", "-euc", NAMESPACES, "bash", folder, __file__, name, MACHINE]
            ran = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual((ran.returncode, ran.stdout), (0, "all held\n"), ran.stderr)


def call(verb, **told):
    words = [sys.executable, "-IS", AGENT, verb, json.dumps(told)]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


def known():
    with open(os.path.expanduser("~/.lambda-train/runs/exp/state.json"), encoding="utf-8") as file:
        return json.load(file)["attempts"]["1"]


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, known()
        time.sleep(0.1)


def commands():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                found[int(pid)] = file.read().replace("\0", " ").strip()
        except OSError:
            pass
    return found


def inside():
    """On the machine that has a systemd."""
    workspace = os.path.expanduser("~/work")
    os.mkdir(workspace)
    description = {
        "workspace": workspace,
        "directory": ".",
        "command": "(setsid env -i sleep 1001 &); echo step 1; sleep 1002",
        "variables": {},
        "outputs": "outputs",
        "firstStepPattern": "step",
        "grace": 2,
    }
    call("start", experiment="exp", hash="h", run=description, limits={}, results={"include": [], "exclude": []})
    until(lambda: "firstStep" in known())
    assert "/lambda-train-exp-1-" in known()["scope"], known()
    # Nobody is left who knows of the process without a mark by its descent.
    for key in (known()["supervisor"], known()["launcher"]):
        os.kill(int(key.split()[0]), signal.SIGKILL)
    for pid, command in commands().items():
        if "sleep 1002" in command:
            os.kill(pid, signal.SIGKILL)
    until(lambda: not any("sleep 1002" in command for command in commands().values()))
    assert "sleep 1001" in commands().values()
    seen = json.loads(call("status", experiment="exp"))
    assert (seen["state"], seen["unsupervised"]) == ("running", True), seen
    call("stop", experiment="exp", reason="test", grace=2)
    assert "sleep 1001" not in commands().values(), commands()
    assert json.loads(call("status", experiment="exp"))["state"] == "stopped"
    print("all held")


if __name__ == "__main__":
    inside()
