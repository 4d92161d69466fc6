"""The metric of a sweep in a trial's log, line by line. cli/curves/line.ts reads the same lines for the page's curves."""

import re

from base.text import shown
from run.first_step import (
    BAR,
    BESIDE,
    CONTEXT,
    COUNT,
    EVALUATES,
    HEADS,
    LONGEST,
    PAIR,
    SCOPE,
    TRAINS,
    counts_in,
    is_decoy,
    is_told,
)
from run.log import pieces_of, size_of

COUNTED = re.compile(
    r"(?<![\w.-])(?<!s/)(?<!sec/)(?<!time/)(?:(?:global|train|training|optimizer|opt|current|num)[_ ]?|mini-|_)?"
    r"(epoch|steps?|iters?|iterations?|updates?|batch)(?:\(\w+\))?[\"']?\]?[\s:=\[#(]{0,16}[\"']?"
    + COUNT
    + r"(\s*(?:/|of)\s*\d+)?",
    re.I,
)
# Behind an epoch: `[ 10/5005]`, `100 / 1000`.
IN_EPOCH = re.compile(r"\]?[\s:]*\[?\s*\d+\s*/\s*\d+")
# Bytes of a log that one look reads, and names that are remembered for who has misspelt the metric.
AT_ONCE = 4 << 20
MOST_NAMES = 60


def plain(name):
    return re.sub("[^a-z0-9]+", "", name.lower())


class Names:
    """What a metric may be called: by its own name, however that is written, or else as training's."""

    def __init__(self, metric):
        self.metric, self.plain = metric, plain(metric)
        parts = [part for part in re.split(r"[^a-z0-9]+", metric.lower()) if part]
        # In every line that tells it.
        self.last = parts[-1].encode() if parts else b""

    def rank(self, name):
        """How well a name fits, the lower the better; None where it is another one."""
        if name in (self.metric, self.metric.lower()):
            return 0
        own = plain(name)
        if own == self.plain:
            return 1
        return 2 if re.sub("^train(?:ing)?", "", own) == self.plain else None

    def best(self, names):
        ranked = [(self.rank(name), name) for name in names if self.rank(name) is not None]
        return min(ranked)[1] if ranked else None


def numbers_in(text, wanted=None):
    """
    (name, value, where it is) of each number that a line gives a name: what was measured on other data has its name. Behind
    a space alone a number counts for the name of a measure, or one that is wanted (Names).
    """
    scopes = [(scope.end(), scope.group().strip(" :]|)[\t").lower()) for scope in SCOPE.finditer(text)]
    for pair in PAIR.finditer(text):
        name = "_".join(part for part in (pair.group(1), pair.group(2)) if part).lower()
        joint = text[pair.end(2) : pair.start(3)]
        parts = re.split(r"[_/.@-]+", name)
        scope = next((of for end, of in reversed(scopes) if end <= pair.start(2)), "train")
        if not scope.startswith("train") and not any(TRAINS.match(part) or EVALUATES.match(part) for part in parts):
            name = f"{re.sub(' set$', '', scope)}_{name}"
        is_joined = ":" in joint or "=" in joint or is_told(name) or (wanted is not None and wanted.rank(name) is not None)
        if is_joined and not BESIDE.search(text[: pair.start()][-24:]):
            yield name, float(pair.group(3).replace(",", "")), pair.start()


def place_in(text):
    """(kind, count): how far a line says that training is, by steps or epochs; None where that is not a whole number."""
    counts = {}
    is_within = bool(HEADS.search(text) or BAR.search(text))
    for match in COUNTED.finditer(text):
        name, count, of = match.groups()
        kind = (
            "epoch"
            if name.lower() == "epoch"
            else "batch"
            if name.lower() == "batch" or (of and "epoch" in counts)
            else "step"
        )
        is_within = (
            is_within or kind == "batch" or (kind == "epoch" and not of and IN_EPOCH.match(text, match.end()) is not None)
        )
        counts.setdefault(kind, float(count.replace(",", "")))
    if "step" in counts:
        return "step", int(counts["step"])
    if "epoch" in counts and not is_within and counts["epoch"].is_integer():
        return "epoch", int(counts["epoch"])
    return None


class LoggedMetric:
    """Takes a log as it grows."""

    def __init__(self, log, begins, metric):
        self.log, self.scanned = log, begins
        self.names = Names(metric)
        self.seen = {}
        self.epoch = None

    def new(self, ended=False):
        """[(kind, count, value)] of the metric in what is new; kind and count may be None."""
        size = size_of(self.log)
        end = size if ended else min(size, self.scanned + AT_ONCE)
        found = []
        if end <= self.scanned:
            return found
        start, self.scanned, rest = self.scanned, end, 0
        for line, is_open in pieces_of(self.log, start, end):
            if is_open and not ended:
                rest = len(line)
            else:
                found += self.read(line[:LONGEST])
        self.scanned -= rest
        return found

    def read(self, line):
        # Most lines tell nothing of it.
        if b"epoch" not in line.lower() and self.names.last not in line.lower():
            return []
        text = shown(line).decode("utf-8", "replace")
        context = CONTEXT.match(text)
        if context:
            self.epoch = int(context.group(1))
        found = list(numbers_in(text, self.names))
        for name, value, _ in found:
            if name in self.seen or len(self.seen) < MOST_NAMES:
                self.seen[name] = value
        wanted = self.names.best(name for name, _, _ in found)
        if wanted is None:
            return []
        value, at = next((value, at) for name, value, at in reversed(found) if name == wanted)
        if is_decoy(text, counts_in(text), [(at, True)]):
            return []
        place = place_in(text) or (("epoch", self.epoch) if self.epoch is not None else (None, None))
        return [(*place, value)]
