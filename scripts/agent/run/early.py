"""Attempts as an earlier release of the stack wrote them: a file for each fact, in runs/<experiment>/attempts/<number>/.

Its scripts may still go on with them: what is written to such an attempt is what they read.
"""

import os
import shlex

from base.files import fact, modified, put, unlink_if_there
from base.shell import export_lines
from run.facts import Facts

# A grace comes with the request, in a file before it.
FILES = {
    "hash": "hash",
    "used": "used",
    "startedAt": "started_at",
    "supervisor": "supervisor",
    "launcher": "launcher",
    "firstStep": "first_step",
    "firstStepLine": "first_step_line",
    "outputPath": "output_path",
    "outputBeside": "output_beside",
    "seconds": "seconds",
    "activeAt": "active_at",
    "stopReason": "stop_reason",
    "detached": "detached",
    "interrupted": "interrupted",
    "exit": "exit",
    "endedAt": "ended_at",
    "limits": "limits",
    "evaluation": "evaluation",
    "evaluationExit": "evaluation_exit",
    "fetched": "fetched",
    "stopRequest": "stop_request",
}
NUMBERS = ("used", "seconds", "activeAt", "exit", "evaluationExit")
LISTS = ("outputBeside", "detached")
LIMITS = {"maxSeconds": "LT_MAX_SECONDS", "idleSeconds": "LT_IDLE_SECONDS", "deadline": "LT_DEADLINE"}


class EarlyAttempt(Facts):
    """One start of a run; see Attempt."""

    def __init__(self, run, number):
        self.run = run
        self.number = number
        self.folder = run.path("attempts", str(number))

    def path(self, name):
        return os.path.join(self.folder, name)

    def get(self, name, default=None):
        value = SPECIAL[name](self) if name in SPECIAL else self.plain(name)
        return default if value is None else value

    def plain(self, name):
        if name not in FILES or not os.path.isfile(self.path(FILES[name])):
            return None
        text = fact(self.path(FILES[name]))
        if name in NUMBERS:
            # A crash of the machine may have left it empty.
            return int(text) if text else None
        return text.splitlines() if name in LISTS else text

    def put(self, **facts):
        for name, value in facts.items():
            if name == "stopRequest":
                put(self.path("stop_grace"), f"{value['grace']}\n")
                value = value["reason"]
            if name == "limits":
                value = export_lines({LIMITS[each]: str(limit) for each, limit in value.items()})
            if name == "fetching":
                self.mark_fetching(value)
            elif name in ("fetched", "kept"):
                put(self.path(name), value["path"] if name == "kept" else "")
                since = value["at"] if name == "kept" else value
                os.utime(self.path(name), ns=(since, since))
            elif name in FILES and value is None:
                unlink_if_there(self.path(FILES[name]))
            elif name in FILES:
                put(self.path(FILES[name]), "\n".join(value) + "\n" if name in LISTS else f"{value}\n")

    def mark_fetching(self, tokens):
        known = self.fetching()
        for token in {*known, *tokens}:
            path = self.path(f"fetching.{token}")
            if token not in tokens:
                unlink_if_there(path)
            elif token not in known:
                put(path, "")
                os.utime(path, ns=(tokens[token], tokens[token]))

    def fetching(self):
        try:
            names = [name for name in os.listdir(self.folder) if name.startswith("fetching.")]
        except OSError:
            names = []
        found = {name.partition(".")[2]: modified(self.path(name)) for name in names}
        return {token: since for token, since in found.items() if since is not None}

    def kept(self):
        at = modified(self.path("kept"))
        return None if at is None else {"at": at, "path": fact(self.path("kept"))}

    def training_end(self):
        fields = fact(self.path("training_end")).split()
        if len(fields) != 5:
            return None
        code, seconds, worked, ticks, size = map(float, fields)
        at = modified(self.path("training_end")) // 10**9
        return {
            "code": int(code),
            "seconds": int(seconds),
            "worked": worked,
            "ticks": int(ticks),
            "size": int(size),
            "at": at,
        }

    def stop_request(self):
        reason = self.plain("stopRequest")
        return None if reason is None else {"reason": reason, "grace": int(fact(self.path("stop_grace")) or 0)}

    def limits(self):
        known = words_of(self.path("limits"))
        return {name: int(known[file]) for name, file in LIMITS.items() if known.get(file)}

    def described(self):
        known = words_of(self.path("run.env"))
        if "LT_WORKSPACE" not in known:
            return None
        resume = {"command": known.get("LT_RESUME"), "checkpoint": known.get("LT_RESUME_CHECKPOINT") or None}
        evaluation = {
            "command": known.get("LT_EVALUATE"),
            "checkpoint": known.get("LT_EVALUATE_CHECKPOINT"),
            "seconds": int(known.get("LT_EVALUATE_SECONDS") or 3600),
        }
        return {
            "workspace": known["LT_WORKSPACE"],
            "directory": known.get("LT_DIRECTORY", "."),
            "command": known.get("LT_COMMAND", ""),
            "resume": resume if resume["command"] else None,
            "variables": variables_of(known.get("LT_VARIABLES", "")),
            "outputs": known.get("LT_OUTPUTS", "outputs"),
            "firstStepPattern": known.get("LT_PATTERN", ""),
            "grace": int(known.get("LT_GRACE") or 0),
            "evaluation": evaluation if evaluation["command"] else None,
        }


SPECIAL = {
    "mark": lambda attempt: modified(attempt.path("mark")),
    "createdAt": lambda attempt: (modified(attempt.run.path("attempt")) or 0) / 1e9,
    "evaluatedAt": lambda attempt: modified(attempt.path("evaluation_exit")),
    "fetched": lambda attempt: modified(attempt.path("fetched")),
    "description": EarlyAttempt.described,
    "fetching": EarlyAttempt.fetching,
    "kept": EarlyAttempt.kept,
    "limits": EarlyAttempt.limits,
    "stopRequest": EarlyAttempt.stop_request,
    "trainingEnd": EarlyAttempt.training_end,
}


def words_of(path):
    """The variables of a file of lines "export NAME=value"."""
    words = shlex.split(fact(path))
    return dict(word.split("=", 1) for word in words if "=" in word)


def variables_of(lines):
    """The variables that such lines set. A value that adds to its own variable was written as "${NAME-}"."""
    pairs = (word.split("=", 1) for word in shlex.split(lines) if "=" in word)
    return {name: value.replace(f"${{{name}-}}", f"${{{name}}}") for name, value in pairs}
