"""The one process that has a study. It answers a request a connection, over a socket that its user alone may open."""

import json
import os
import socketserver
import sys
import threading
import time
import traceback

from base.document import Maybe, Wrong, arguments, takes
from base.files import replace, unlink_if_there
from base.locks import hold
from base.processes import detach, key_of
from sweep.definition import DEFINITION, TRAINED
from sweep.journal import chunk_of, new_epoch
from sweep.places import VERSION, epoch_in, path_in
from sweep.study import Study

# Seconds without a request after which it ends; the next request starts another.
IDLE = 1800
# Seconds after which a machine that asks in vain is to ask again. It does while another one has said nothing for so many
# seconds: that one's trial may come back.
AGAIN, SILENT = 5, 20
MOST_SHOWN = 60
LONGEST = 64 << 20

RUNNING_TRIAL = {"number": int, "attempt": int, "params": {str: object}, "values": [[object]]}
FACTS = {"exitCode": Maybe(int), "reason": Maybe(str), "seconds": Maybe(float), "names": Maybe([str])}
REQUESTS = {
    "place": {"definition": DEFINITION, "home": [int], "lost": [str], "trained": Maybe([TRAINED])},
    # `keeps`: the machine has the study, and is the last to end.
    "ask": {"machine": str, "instance": Maybe(str), "have": [int], "keeps": Maybe(bool)},
    # `offset`: how much of the journal the machine has, of the study with this epoch.
    "beat": {"machine": str, "instance": Maybe(str), "running": [RUNNING_TRIAL], "offset": int, "epoch": str},
    "tell": {
        "machine": str,
        "instance": Maybe(str),
        "number": int,
        "attempt": int,
        "params": {str: object},
        # complete, pruned, failed or stopped.
        "state": str,
        "value": Maybe(float),
        "values": [[object]],
        "facts": FACTS,
        "final": bool,
    },
    "summary": {},
}


@takes(experiment=str)
def serve(experiment):
    detach()
    # Held for the life of this process: two would write over each other's journal.
    hold(path_in(experiment, "server.lock"))
    answers = Answers(experiment)
    path = path_in(experiment, "socket")
    unlink_if_there(path)
    # A socket's path has little room: 108 bytes.
    os.chdir(os.path.dirname(path))
    mask = os.umask(0o177)
    with Server("socket", Handler) as server:
        os.umask(mask)
        server.answers = answers
        server.daemon_threads = True
        replace(path_in(experiment, "server.json"), json.dumps({"process": key_of(os.getpid()), "version": VERSION}))
        threading.Thread(target=end_when_idle, args=(server,), daemon=True).start()
        server.serve_forever()
    unlink_if_there(path)


def end_when_idle(server):
    while time.monotonic() - server.answers.asked_at < IDLE:
        time.sleep(5)
    server.shutdown()


class Server(socketserver.ThreadingUnixStreamServer):
    request_queue_size = 128


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline(LONGEST)
        if line.endswith(b"\n"):
            self.wfile.write(json.dumps(self.server.answers.to(line)).encode() + b"\n")


class Answers:
    def __init__(self, experiment):
        self.experiment = experiment
        self.epoch = epoch_in(experiment, "epoch") or new_epoch(experiment)
        self.study = Study(path_in(experiment, "journal.log"))
        self.lock = threading.Lock()
        self.asked_at = time.monotonic()

    def to(self, line):
        """{"ok": answer}, or {"error": text}."""
        with self.lock:
            self.asked_at = time.monotonic()
            try:
                request = json.loads(line)
                name = request.pop("op", None)
                if name not in REQUESTS:
                    raise Wrong(f"op must be one of {', '.join(REQUESTS)}")
                if name != "place" and self.study.definition is None:
                    raise Wrong("there is no study yet: run `up`")
                told = arguments(request, REQUESTS[name])
                instance = told.pop("instance", None)
                if instance is not None:
                    self.study.is_on(told["machine"], instance)
                return {"ok": {"epoch": self.epoch, **getattr(self, name)(**told)}}
            except (Wrong, ValueError) as error:
                return {"error": str(error)}
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                return {"error": f"{type(error).__name__}: {error}"}

    def place(self, definition, home, lost, trained):
        self.study.place(definition, home, lost, trained or [])
        # A study that came to this machine since this process began has an epoch of its own.
        self.epoch = epoch_in(self.experiment, "epoch") or self.epoch
        return {"trials": len(self.study.records), "open": self.study.open()}

    def ask(self, machine, have, keeps):
        trial = self.study.ask(machine, have)
        if trial is not None:
            return {"trial": trial}
        patience = min(SILENT, self.study.definition["leaseSeconds"] / 4)
        is_over = self.study.is_over(machine, None if keeps else patience)
        return {"done": True} if is_over else {"wait": AGAIN}

    def beat(self, machine, running, offset, epoch):
        answer = self.study.beat(machine, running)
        return {**answer, **chunk_of(path_in(self.experiment, "journal.log"), offset if epoch == self.epoch else 0)}

    def tell(self, **told):
        facts = {name: value for name, value in told.pop("facts").items() if value is not None}
        return {"counts": self.study.tell(facts=facts, **told)}

    def summary(self):
        return self.study.summary(MOST_SHOWN)
