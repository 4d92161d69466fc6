"""Does on this instance what the stack asks for: python3 <this folder> VERB [DOCUMENT].

What a verb is told is a JSON document: the first line of standard input, or the second word. What else a verb reads
follows that line. Python 3.8 and later, standard library only.
Exit codes: the verb's own; 1 it failed, 2 it was called wrongly: the reason is on stderr.
"""

import importlib
import os
import sys

from base.document import document_of
from base.say import Failed, die
from base.secrets import Hiding

# The modules are loaded one by one, as needed: most verbs are called often and need few of them.
VERBS = {
    "alive": "ending.self_terminate:alive",
    "archive-append": "upload.archive:append",
    "archive-look": "steps.listing:look",
    "arm": "ending.self_terminate:arm",
    "aside-done": "results.aside:done",
    "aside-keep": "results.aside:keep",
    "bucket-keep": "results.in_bucket:keep_told",
    "bucket-keep-now": "results.in_bucket:keep_now",
    "bucket-trials": "results.bucket_trials:known",
    "bucket-snapshots": "results.bucket_snapshots:fetch",
    "cache-archive": "cache.fill:archive",
    "cache-extract-now": "cache.dataset:extract_now",
    "cache-setup-now": "cache.environment:setup_now",
    "cache-tree": "cache.fill:tree",
    "checkpoint-save": "results.snapshots:save",
    "clock": "machine.clock:tell",
    "copy-place": "jobs.copies:place",
    "contain": "container.client:contain",
    "dashboard": "machine.dashboard:serve",
    "disarm": "ending.self_terminate:disarm",
    "evaluate": "run.evaluate:evaluate",
    "evaluate-now": "run.evaluate:evaluate_now",
    "exec": "machine.command:become",
    "exec-stop": "machine.command:stop",
    "extract": "steps.dataset:extract",
    "extract-now": "steps.dataset:extract_now",
    "fetch-begin": "results.fetched:begin",
    "fetch-done": "results.fetched:done",
    "fleet-join": "fleet.join:join",
    "giver-look": "upload.take:look",
    "go-on": "run.start:go_on",
    "job-look": "jobs.start:look",
    "job-start": "jobs.start:start",
    "lane": "machine.lanes:lane",
    "lanes": "machine.lanes:lanes",
    "launch": "run.launch:launch",
    "log-end": "run.log:end_of",
    "metrics": "results.metrics:read",
    "notebook-now": "machine.notebook:become",
    "notebook-start": "machine.notebook:start",
    "notebook-stop": "machine.notebook:stop",
    "nodes-verify": "nodes.check:verify",
    "peer": "fleet.peer:peer",
    "ray-node": "nodes.ray:run_node",
    "repository-put": "upload.repository:put",
    "requirements": "steps.requirements:check",
    "restore": "results.restore:restore",
    "restore-look": "results.restore:look",
    "secrets-look": "run.secrets:look",
    "secrets-put": "base.secrets:bring",
    "secrets-put-once": "base.secrets:bring_once",
    "send": "results.sending:send",
    "serve": "machine.serve:serve",
    "setup": "steps.environment:setup",
    "setup-now": "steps.environment:setup_now",
    "standing": "machine.standing:tell",
    "start": "run.start:start",
    "status": "run.status:status",
    "step-now": "steps.step:run_now",
    "stop": "run.stop:stop",
    "study-adopt": "sweep.journal:adopt",
    "study-call": "sweep.call:study_call",
    "study-copy": "sweep.journal:tell_copy",
    "study-prepare": "sweep.packages:prepare",
    "study-serve": "sweep.server:serve",
    "supervise": "run.supervise:supervise",
    "terminate-watch": "ending.self_terminate:watch",
    "trial-put-back": "sweep.restored:put_back",
    "upload-apply": "upload.receive:apply",
    "upload-check": "upload.receive:check",
    "verify": "steps.gate:verify",
    "work": "sweep.worker:work",
    "work-place": "sweep.worker_document:place",
    "written": "results.written:look_at",
    "written-by-hand": "results.written:by_hand",
}


def main(words):
    sys.stdout, sys.stderr = Hiding(sys.stdout), Hiding(sys.stderr)
    try:
        sys.exit(call(words))
    except Failed as failed:
        print(failed.text, file=sys.stderr, flush=True)
        raise
    except BrokenPipeError:
        # Whoever listened is gone; the interpreter must not try to write to them again.
        os._exit(141)
    except OSError as error:
        sys.exit(f"{error.strerror}: {error.filename}" if error.filename else str(error))


def call(words):
    if len(words) not in (1, 2) or words[0] not in VERBS:
        die(2, f"Usage: python3 <agent> VERB [DOCUMENT], with one of these verbs: {', '.join(VERBS)}")
    module, _, name = VERBS[words[0]].partition(":")
    verb = getattr(importlib.import_module(module), name)
    return verb(**document_of(words[0], verb.takes, words[1] if len(words) == 2 else None))


if __name__ == "__main__":
    main(sys.argv[1:])
