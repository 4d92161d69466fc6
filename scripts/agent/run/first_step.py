"""
The first training step in a log, where no pattern of the user's says what it looks like. cli/curves/line.ts reads the same
lines for their numbers: test/fixtures/logs holds both to the same answers.
"""

import re

from base.text import shown

# Characters of a line that are looked at.
LONGEST = 4096

NUMBER = (
    r"[-+]?(?:(?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?)"
    r"(?![\w]|\.\d|:\d|-\d|%\|| ?/ ?\d| \* )"
)
GOES_ON = re.compile(r"[\d.,:/%+-]{0,2}$")
PAIR = re.compile(
    r"(?:\b(train|training|val|valid|validation|dev|test|testing|eval|evaluation|d|g) )?(?<![\w.-])([a-z_][\w/.@-]{0,60})"
    r"[\"']?\]?(?: \([\w ]{1,40}\))?(?: (?:at|after|for|in) (?:global )?(?:step|epoch|iter(?:ation)?|batch) \d+)?"
    r"(?:\s*[:=]\s*|\s+(?:is\s+)?)[\"'\[]?(?:tensor\(|array\(|(?:np|jnp|numpy)\.\w+\()?(" + NUMBER + ")",
    re.I,
)
MEASURES = frozenset(
    "acc accuracy error err f1 bleu rouge ppl perplexity auc reward score rmse mse mae nll elbo bpc bpb bpd kl miou iou dice "
    "psnr ssim wer cer top1 top5 acc1 acc5 precision recall r2".split()
)
# Settings of a measure, and what is counted.
SETTINGS = frozenset(
    "weight weights scale scaler scaling fn fct func function type coef coeff coefficient lambda ratio factor smoothing delta "
    "reduction name alpha gamma clip threshold freq interval every dir path size num steps epochs patience mode monitor "
    "target".split()
)
LOSS = re.compile(r"loss(?:es)?\d*[dg]?$")
TRAINS = re.compile(r"^(?:train|training)$")
EVALUATES = re.compile(r"^(?:val|valid|validation|dev|test|testing|eval|evaluation)$")
SCOPE = re.compile(
    r"\b(?:(train|training)|(?:val|valid|validation|dev|test|testing|eval|evaluation))(?: set)?(?:\s*[:\]|)]|\s+\[)"
    r"|^\W*(?:val|valid|validation|dev|test|testing|eval|evaluation)\b(?=\s+[a-z])",
    re.I,
)
COUNT = r"(\d+(?:,\d{3})*(?:\.\d+)?)(?![\w%]|\.\d)"
NAMED = re.compile(
    r"(?<![\w.-])(?<!s/)(?<!sec/)(?<!time/)(?:(?:global|train|training|optimizer|opt|current|num)[_ ]?|mini-|_)?"
    r"(?:epoch|steps?|iters?|iterations?|updates?|batch)(?:\(\w+\))?[\"']?\]?[\s:=\[#(]{0,16}[\"']?" + COUNT,
    re.I,
)
HEADS = re.compile(
    r"\[\s*()(\d+),\s*\d+\]\s*(?=loss)|\[(\d+)/\d+\]\s*\[\s*(\d+)/\d+\]|(?:^|\s)(\d+)\|(\d+)\|(?=loss)"
    r"|(?:^|[\]:]\s?)\[(\d+)\]()\s+(?=[\w/'-]+[=:])|\btrain:\s*(\d+)\s*\[\s*(\d+)/\d+",
    re.I,
)
BAR = re.compile(r"\d%\|[^|]*\|\s*(\d+)/\d+\s*\[|(?:^|\s)(\d+)it \[\d|^\s*(\d+)/\d+\s+(?:━|\[[=>.])")
TITLE = re.compile(r"(?:(?:train(?:ing)?|epochs?|steps?|iter(?:ation)?s?)\b[\s\d/:,\[\]()#=-]*)+$", re.I)
# Of YOLO's table: epoch, memory, losses.
ROW = re.compile(r"^\s*(\d+)/\d+\s+[\d.]+G\s+(?:[\d.]+|nan|inf)\s+(?:[\d.]+|nan|inf)\s", re.I)
# What a number is aimed at, or was before training.
AIMS = r"until|target|threshold|initial|baseline|default"
AIMED = re.compile(r"\b(?:" + AIMS + r"|patience|early stopp?\w*|using|overriding)\b", re.I)
BESIDE = re.compile(r"\b(?:best|" + AIMS + r")\W*$", re.I)
# Calls, warnings, what is loaded.
NO_STEP = re.compile(
    r"\b(?!tensor\(|array\()[a-z_]\w*\(\s*[a-z_]\w*\s*="
    r"|\b\w*warning: |\bsanity\b|\bpython[\d.]*\s|\b(?:loaded|(?<!data[ _])loading(?![ _]time)|resumed|resuming|resume|restored|restoring|restore|continuing)\b",
    re.I,
)
SETTING = re.compile(
    r"[\"']?\b(?:optimizer|optim|batch_size|epochs|num_epochs|max_epochs|max_steps|seed|hidden_size|dropout|num_workers|"
    r"weight_decay|warmup_steps|loss_fn|criterion|data_dir|dataset|output_dir|scheduler)[\"']?\s*[:=]",
    re.I,
)
PREFIX = re.compile(
    r"\[[^\]]{0,80}\]:?\s*|\d{4}-\d\d-\d\d[T ]?[\d:.,+Z]*\s*|\d\d:\d\d:\d\d[\d.,]*\s*|(?:debug|info|warning|error)\b[\s:]*"
    r"|[|:{-]\s*|[\w.]+(?::[\w.<>]+)*(?::\d+)? - |[iwe]\d{4} [^\]]{0,80}\]\s*|(?!\w*loss)\w+:(?=[a-z])",
    re.I,
)
# A loss with a fraction: what is whole may be a setting.
BARE = re.compile(r"loss[\"']?\s*[:=]?\s*[\"'\[]?(?:tensor\(|array\()?(?=[-+]?(?:[\d,]*\.\d|\d+e|nan|inf))", re.I)
CONTEXT = re.compile(
    r"\W*(?:(?:starting|start|begin|beginning|training) )?epoch\W{0,3}(\d+)(?:\s*(?:/|of)\s*\d+)?\W*$", re.I
)
PLAIN_PAIR = re.compile(r"\s*[\"']?([a-z_][\w.\- ]{0,60}?)[\"']?\s*[:=]\s*\S+\s*,?$", re.I)
# In every line that tells something: most lines have none of these.
TELLING = re.compile("|".join(["loss", "epoch", r"%\|", r"it \[", "g  ", *sorted(MEASURES)]).encode())


def measures_in(text, is_open):
    """(where it is, whether it is of training) of each number that tells how training goes."""
    scopes = [(scope.end(), scope.group(1) is None) for scope in SCOPE.finditer(text)]
    for pair in PAIR.finditer(text):
        # A line that goes on may have more digits.
        if is_open and GOES_ON.match(text, pair.end()):
            continue
        before, name = (pair.group(1) or "").lower(), pair.group(2).lower()
        parts = [part for part in re.split(r"[_/.@-]+", name) if part]
        if any(part in SETTINGS for part in parts):
            continue
        is_loss = any(LOSS.search(part) for part in parts)
        if not is_loss and not any(part in MEASURES for part in parts):
            continue
        if BESIDE.search(text, max(0, pair.start() - 24), pair.start()):
            continue
        evaluates = any(EVALUATES.match(part) for part in [before, *parts])
        trains = any(TRAINS.match(part) for part in [before, *parts])
        scoped = next((of for end, of in reversed(scopes) if end <= pair.start(2)), False)
        yield pair.start(), trains or (is_loss and not evaluates and not scoped)


def counts_in(text):
    """(where it is, how far) of each count of steps or epochs in a line."""
    found = [(match.start(), match.group(1)) for match in NAMED.finditer(text)]
    for pattern in (HEADS, BAR):
        match = pattern.search(text)
        found += [(match.start(), group) for group in (match.groups() if match else ()) if group]
    return [(at, float(count.replace(",", ""))) for at, count in found]


def is_decoy(text, counts, measures):
    """
    Whether a line looks like a step, and is none. In a line that counts steps, what stands behind the numbers is an aside:
    `epoch 3 loss 0.5 (target 0.1)`.
    """
    measure_at = min((at for at, _ in measures), default=len(text))
    count_at = min((at for at, _ in counts), default=0)
    for pattern, numbers_at in ((AIMED, min(count_at, measure_at)), (NO_STEP, measure_at)):
        found = pattern.search(text)
        if found and not (counts and found.start() > numbers_at):
            return True
    return len({match.group().strip("\"' :=").lower() for match in SETTING.finditer(text)}) > 1


class FirstStep:
    """Takes a log line by line, and knows the first one that a training step has written."""

    def __init__(self):
        self.in_settings = self.in_epoch = False
        self.bare = set()

    def matches(self, line, is_open=False):
        """
        `line`: bytes. `is_open`: it has no end yet, and may come again with more.
        """
        line = line[:LONGEST]
        may_tell = TELLING.search(line.lower()) is not None
        text = (shown(line) if may_tell else line).decode("utf-8", "replace")
        found = may_tell and self.is_step(text, is_open)
        if not is_open:
            self.follow(text)
        return found

    def is_step(self, text, is_open):
        measures, counts = list(measures_in(text, is_open)), counts_in(text)
        if is_decoy(text, counts, measures):
            return False
        if ROW.match(text):
            return True
        trains = [of_training for _, of_training in measures]
        if not trains:
            return self.is_bar(text)
        if counts:
            return any(trains) or max(count for _, count in counts) > 0
        return any(trains) and self.is_bare(text, is_open)

    def is_bar(self, text):
        bar = BAR.search(text)
        if bar is None or bar.group(1) is None or int(bar.group(1)) == 0:
            return False
        return TITLE.match(re.sub(r"\s*\d+$", "", message(text[: bar.start() + 1]))) is not None

    def is_bare(self, text, is_open):
        """Whether a loss without a count is a step's: settings look alike."""
        if self.in_epoch:
            return True
        if BARE.search(text) is None:
            return False
        pair = PLAIN_PAIR.match(text)
        if pair is None:
            return True
        # Alone in its line it may be one of many settings, which have each name once.
        name = pair.group(1).lower()
        again = name in self.bare
        if not is_open:
            self.bare.add(name)
        return not text.startswith("  ") and (again or not self.in_settings)

    def follow(self, text):
        if not text.strip():
            return
        if CONTEXT.match(text):
            self.in_epoch = True
        pair = PLAIN_PAIR.match(text)
        if pair is None:
            self.in_settings = False
        elif not is_told(pair.group(1)):
            self.in_settings = True


def is_told(name):
    """Whether a name is one of what training tells: a count or a measure."""
    parts = re.split(r"[_/.@ -]+", name.lower())
    return any(LOSS.search(part) or part in MEASURES or re.match(r"(?:epoch|step|iter|batch)", part) for part in parts)


def message(text):
    """A line without what a logger puts before it."""
    text = text.strip()
    for _ in range(8):
        prefix = PREFIX.match(text)
        if prefix is None or prefix.end() == 0:
            break
        text = text[prefix.end() :]
    return text
