"""The workload's dashboard."""

import os
import select
import signal
import subprocess
import sys

from base.document import takes
from base.pidfd import Waiter
from base.shell import environment_with, with_environment, workplace


@takes(workspace=str, directory=str, command=str, port=int)
def serve(workspace, directory, command, port):
    """
    Runs it for as long as standard input stays open: a connection that is lost ends it as well. PORT and
    STREAMLIT_SERVER_PORT are set for it. Exit codes: the command's own where it ends by itself, else 0.
    """
    ports = {"PORT": str(port), "STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_HEADLESS": "true"}
    dashboard = subprocess.Popen(
        with_environment(["bash", "-c", command]),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        cwd=workplace({"workspace": workspace, "directory": directory}),
        env=environment_with({}, **ports),
    )
    ending = Waiter(dashboard.pid)
    listening = select.poll()
    listening.register(0, select.POLLIN | select.POLLHUP)
    while dashboard.poll() is None:
        if listening.poll(0) and os.read(0, 4096) == b"":
            break
        ending.wait(0.2)
    code = dashboard.poll()
    try:
        os.killpg(dashboard.pid, signal.SIGTERM)
    except OSError:
        pass
    sys.exit(0 if code is None else 128 - code if code < 0 else code)
