"""What another machine has left of a trial, while it comes here: that may take hours, in which the study hears of the trial."""

import json
import signal
import subprocess
import tempfile

from base.processes import below, outside, own_command, send
from run.state import Run


def may_be_elsewhere(document):
    """Whether another machine may have left something of a trial to go on with. `document`: as `start` is told."""
    run = document["run"]
    return bool(run["sync"] and run["resume"] and not Run(document["experiment"]).number())


class Coming:
    """A process that puts it back (sweep/restored.py), where there is anything."""

    def __init__(self, document):
        with tempfile.TemporaryFile() as told:
            told.write(json.dumps(document).encode() + b"\n")
            told.seek(0)
            self.process = subprocess.Popen(
                own_command("trial-put-back"), stdin=told, stderr=subprocess.DEVNULL, env=outside(), start_new_session=True
            )

    def is_over(self):
        return self.process.poll() is not None

    def end(self):
        send(signal.SIGKILL, [*below(self.process.pid), self.process.pid])
        self.process.wait()
