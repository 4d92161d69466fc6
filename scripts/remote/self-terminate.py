#!/usr/bin/env python3
"""Ends this instance by itself, with an API key that the user has given it for that.

Usage:
  self-terminate.py arm            reads settings and key as JSON from standard input, tries the key, and starts watching
  self-terminate.py disarm         stops watching and forgets the key
  self-terminate.py alive          prints {"alive": true} where the watch goes on
  self-terminate.py watch          what `arm` starts, and cron after a reboot

Settings: instance (its id), url (the API's), after (seconds), loseResults (true or false), fileSystem (mount point or null).
When nothing of the stack has worked here for so many seconds, and the results of every run are at home or on the file
system, checked, the instance is terminated. While results are nowhere else it waits, unless loseResults says otherwise.
Exit codes: 0 done, 1 failed (reason on stderr), 2 usage.
"""
import json
import os
import subprocess
import sys
import time

from cloud import Abandoned, ApiError, Cloud
from notebook_use import notebook_works
from safety import Unsafe, is_fetched, keep, latest_attempts
from transfer import BASE, lock, read_json, write_json

HOME = os.path.join(BASE, "self-terminate")
SETTINGS = os.path.join(HOME, "settings.json")
KEY = os.path.join(HOME, "key")
STATUS = os.path.join(HOME, "status.json")
PROCESS = os.path.join(HOME, "process")
ACTIVE = os.path.join(HOME, "active")

# Scripts that work. Those that only look (status, follow, dashboard) keep no instance alive.
WORKING = {
    "run.sh", "supervise.sh", "launch.py", "adopt.sh", "evaluate.sh", "stop.sh", "step.sh", "setup.sh", "extract.sh", "verify.sh",
    "extract-archive.py", "receive.py", "receive-archive.py", "remote-manifest.py",
}
# What a login's shell has started works, unless it is a shell again, or keeps shells.
SHELLS = {"sh", "bash", "dash", "zsh", "fish", "tmux: server", "tmux: client", "screen", "ssh-agent", "gpg-agent"}
# An `up` that is on its way to its first run may do nothing here for a while.
BEFORE_FIRST_RUN = 900
LONGEST_PAUSE = 60
REFUSED_PAUSE = 300
# The longest that a watch takes to start.
STARTING = 30


def read_process(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def process_key(pid):
    """As process_key of lib.sh writes it."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(") ")[2].split()
    with open("/proc/sys/kernel/random/boot_id") as file:
        return f"{pid} {fields[19]} {file.read().strip()}"


def works():
    """What of the stack works here, or None."""
    scripts = os.path.join(BASE, "scripts").encode() + b"/"
    runs = [os.fsencode(experiment) for experiment in latest_attempts()]
    marks = {name + run for run in runs for name in (b"LAMBDA_TRAIN_RUN=", b"LAMBDA_TRAIN_EVALUATION=")}
    notebook = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        for word in read_process(pid, "cmdline")[:3]:
            if word.startswith(scripts) and os.path.basename(word).decode() in WORKING:
                return os.path.basename(word).decode()
        environment = read_process(pid, "environ")
        if not marks.isdisjoint(environment):
            return "training"
        if any(word.startswith(b"LAMBDA_TRAIN_UPLOAD=" + os.fsencode(BASE)) for word in environment):
            return "upload"
        if b"LAMBDA_TRAIN_AT_WORK=" + os.fsencode(BASE) in environment or is_started_by_login(pid, environment):
            return "command"
        if b"LAMBDA_TRAIN_NOTEBOOK=lambda-train-notebook" in environment and is_ours(environment):
            notebook.append(pid)
    return "notebook" if notebook_works(notebook) else None


def is_ours(environment):
    return b"HOME=" + os.fsencode(os.path.expanduser("~")) in environment


def is_started_by_login(pid, environment):
    """Whether a shell of `npm run ssh` has started it."""
    shells = [word for word in environment if word.startswith(b"LAMBDA_TRAIN_SHELL=")]
    if not shells or shells[0].endswith(b"=" + pid.encode()) or not is_ours(environment):
        return False
    return (b"".join(read_process(pid, "comm")).decode(errors="replace").strip() or "sh") not in SHELLS


def tell(state, text="", at=None):
    """What status.sh shows. `at`: when the instance ends if its results are safe then, in seconds since the epoch."""
    now = {"state": state, **({"text": text} if text else {}), **({} if at is None else {"at": int(at)})}
    if read_json(STATUS, None) != now:
        write_json(STATUS, now)


def unsafe_results(settings):
    """Why the results of some run would be lost, or None."""
    for experiment, facts in sorted(latest_attempts().items()):
        try:
            if is_fetched(experiment, facts):
                continue
            why = f"the results of {experiment} are not at home (npm run results)"
        except Unsafe as error:
            why = str(error)
        if settings.get("fileSystem") is None:
            return why
        try:
            keep(experiment, facts, settings["fileSystem"], settings["instance"])
        except (Unsafe, OSError) as error:
            return f"{why}, and could not be kept on the file system: {error}"
    return None


def look(settings):
    """One look. Returns seconds until the next one."""
    after = settings["after"]
    busy = works()
    if busy is not None:
        os.utime(ACTIVE)
        tell("busy")
        return min(15, after / 4)
    due = os.stat(ACTIVE).st_mtime + (after if latest_attempts() else max(after, BEFORE_FIRST_RUN))
    if time.time() < due:
        tell("waiting", at=due)
        return min(15, max(0.2, due - time.time()))
    unsafe = None if settings["loseResults"] else unsafe_results(settings)
    if unsafe is not None:
        tell("unsafe", unsafe)
        return min(15, after / 4)
    # Copying may have taken long; what was begun meanwhile goes on.
    return 0 if works() is not None else terminate(settings)


def terminate(settings):
    with open(KEY) as file:
        cloud = Cloud(settings["url"], file.read().strip())
    try:
        # Terminating twice is an error to the API.
        status = cloud.status(settings["instance"])
        if status not in ("terminating", "terminated"):
            cloud.terminate(settings["instance"], wanted=lambda: works() is None)
        tell("terminating")
        terminate.pause = 5
        return 15
    except Abandoned:
        return 0
    except ApiError as error:
        tell("refused" if error.refused else "failed", str(error))
        if error.refused:
            return min(REFUSED_PAUSE, settings["after"])
        terminate.pause = min(terminate.pause * 2, LONGEST_PAUSE)
        return min(terminate.pause, settings["after"])


terminate.pause = 2.5


def watch():
    lock("self-terminate", take_over=True)
    with open(os.open(PROCESS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(process_key(os.getpid()) + "\n")
    while os.path.exists(SETTINGS):
        try:
            pause = look(read_json(SETTINGS, None))
        except Exception as error:  # pylint: disable=broad-except # nobody else would end the instance
            tell("failed", f"{type(error).__name__}: {error}")
            pause = 15
        time.sleep(pause)


def cron(line):
    """Replaces our line of the user's crontab; without cron a reboot ends the watching."""
    try:
        table = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False).stdout
        kept = [each for each in table.splitlines() if "self-terminate.py" not in each]
        lines = kept + ([line] if line else [])
        if lines != table.splitlines():
            subprocess.run(["crontab", "-"], input="".join(f"{each}\n" for each in lines), text=True, check=True,
                           capture_output=True)
        return True
    except (OSError, subprocess.CalledProcessError):
        return False


def arm():
    settings = json.load(sys.stdin)
    key = settings.pop("key")
    cloud = Cloud(settings["url"], key)
    try:
        # One answer that does not know an instance proves nothing: the API may not show it yet.
        for pause in (5, 5, 0):
            status = cloud.status(settings["instance"])
            if status is not None:
                break
            time.sleep(pause)
    except ApiError as error:
        sys.exit(f"The instance cannot end itself: {error}.")
    if status is None:
        sys.exit(f"The instance cannot end itself: to this key the API knows no instance {settings['instance']}.")
    os.makedirs(HOME, mode=0o700, exist_ok=True)
    os.chmod(HOME, 0o700)
    temporary = f"{KEY}.{os.getpid()}"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key)
    os.replace(temporary, KEY)
    with open(ACTIVE, "a"):
        os.utime(ACTIVE)
    tell("waiting", at=time.time() + settings["after"])
    write_json(SETTINGS, settings)
    program = os.path.realpath(__file__)
    survives = cron(f"@reboot python3 {program} watch")
    watching = subprocess.Popen(["python3", program, "watch"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, start_new_session=True, cwd="/")
    wait_until_it_watches(watching)
    print(json.dumps({"survivesReboot": survives}))


def watching_key():
    """The key of the process that watches, or None where that has ended."""
    try:
        with open(PROCESS) as file:
            key = file.read().strip()
        return key if process_key(key.split(" ")[0]) == key else None
    except OSError:
        return None


def wait_until_it_watches(process):
    """Armed is what is watched: whoever asks next finds it so, and `disarm` meets a watch that it can end."""
    due = time.monotonic() + STARTING
    while (watching_key() or "").split(" ")[0] != str(process.pid):
        if process.poll() is not None or time.monotonic() > due:
            sys.exit(f"The instance cannot end itself: its watch did not start (status {process.poll()}).")
        time.sleep(0.05)


def alive():
    print(json.dumps({"alive": watching_key() is not None}))


def forget(*paths):
    for path in paths:
        if os.path.exists(path):
            os.unlink(path)


def disarm():
    cron(None)
    forget(SETTINGS, KEY)
    # The watch ends here; a look that it was at may have told something last.
    lock("self-terminate", take_over=True)
    forget(STATUS, PROCESS)


def main():
    mode, *rest = sys.argv[1:] or ["help"]
    modes = {"arm": arm, "alive": alive, "disarm": disarm, "watch": watch}
    if mode not in modes or rest:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    modes[mode]()


main()
