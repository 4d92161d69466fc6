"""Starts an attempt's training, outlives its supervisor, and writes down how training ended.

What training starts stays below this process, in sessions and environments of its own too: orphans come here (child
subreaper), and tmux and screen start servers of their own, since their sockets lie in a folder of this attempt. Stays until
everything below has ended. After a TERM, which comes when the machine goes down, no end is written: the run is not over.
"""

import ctypes
import os
import shutil
import signal
import tempfile
import time

from base.document import takes
from base.shell import environment_with, restore_signals, with_environment, workplace
from nodes.command import variables_of, words_of
from nodes.group import begin
from nodes.ray import node_words
from run.scope import offer_to_the_killer, own_scope
from run.state import Run
from run.sweeps import is_worker

PR_SET_CHILD_SUBREAPER = 36
# A machine that goes down tells training and this process at about the same time.
SETTLE = 0.2


@takes(experiment=str, command=str)
def launch(experiment, command):
    attempt = Run(experiment).newest()
    described = attempt.get("description")
    scope = own_scope()
    attempt.try_put(scope=scope)
    going_down = []
    # Handlers, since what is ignored would be ignored by training as well.
    signal.signal(signal.SIGHUP, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: going_down.append(True))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Short: the path of a socket has little room.
    sockets = tempfile.mkdtemp(prefix="lambda-train-", dir="/tmp")
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        if scope is not None:
            offer_to_the_killer()
        try:
            become(attempt, sockets, described, command)
        except OSError as error:
            os.write(2, f"{error}\n".encode())
        except SystemExit as end:
            # Among several machines there was no place for it, or nothing left to do.
            os.write(2, f"{getattr(end, 'text', '')}\n".encode())
            os._exit(end.code)
        finally:
            os._exit(127)
    while True:
        try:
            ended, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            break
        if ended != pid:
            continue
        end = {
            "code": 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status),
            "seconds": int(time.monotonic() - began),
            # Of processor time.
            "worked": round(usage.ru_utime + usage.ru_stime, 2),
            # From the boot on.
            "ticks": int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")),
            # Of the log.
            "size": os.fstat(1).st_size,
            "at": int(time.time()),
        }
        time.sleep(SETTLE)
        if going_down:
            break
        put_surely(attempt, end)
    shutil.rmtree(sockets, ignore_errors=True)


def become(attempt, sockets, described, command):
    os.setsid()
    restore_signals()
    os.chdir(workplace(described))
    marks = {"LAMBDA_TRAIN_RUN": attempt.run.experiment, "TMUX_TMPDIR": sockets, "SCREENDIR": sockets}
    # For a sweep's worker, which starts runs of their own (base/processes.py).
    marks["LAMBDA_TRAIN_TMUX"] = os.environ.get("TMUX_TMPDIR", "")
    place = begin(attempt) if described.get("node") else None
    environment = environment_with(described["variables"], **marks, **variables_of(described, place))
    for name in ("TMUX", "TMUX_PANE", "STY"):
        environment.pop(name, None)
    own = words_of(described, command, place) if described.get("cluster") is None else node_words(attempt, command)
    # A sweep's worker starts runs of their own.
    words = with_environment(own, on_machine=is_worker(attempt.run, described))
    os.execvpe(words[0], words, environment)


def put_surely(attempt, end):
    """Where no room is left that could be given up, tries until there is some."""
    while True:
        try:
            attempt.put(trainingEnd=end)
            return
        except OSError:
            time.sleep(1)
