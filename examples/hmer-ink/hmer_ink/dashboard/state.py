"""What the files under outputs/ say about the experiments."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

_TAIL_BYTES = 16_384
_TAIL_LINES = 40


def _read_json(path: Path, default: Any) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return default


def log_tail(path: Path) -> list[str]:
    """The last lines of a log, read from its end."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            start = max(0, stream.tell() - _TAIL_BYTES)
            stream.seek(start)
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    # The first line is a piece of one where the log is longer than what was read.
    return lines[1 if start else 0 :][-_TAIL_LINES:]


def names(outputs: Path) -> list[str]:
    """Experiments that have begun, the one with the latest news first."""
    logs = [(path.stat().st_mtime, path.parent.parent.name) for path in outputs.glob("*/logs/train.log")]
    return [name for _, name in sorted(logs, reverse=True)]


def experiment(outputs: Path, name: str) -> dict[str, Any] | None:
    """Everything about one experiment, or None where there is none of that name."""
    if name not in names(outputs):
        return None
    folder = outputs / name
    log = folder / "logs" / "train.log"
    train = _read_json(folder / "metrics" / "train.json", {})
    return {
        "name": name,
        "status": train.get("status", "starting"),
        "quiet_seconds": max(0, round(time.time() - log.stat().st_mtime)),
        "train": train,
        "history": _read_json(folder / "metrics" / "history.json", []),
        "evaluation": _read_json(folder / "metrics" / "evaluation.json", None),
        "checkpoints": sorted(path.name for path in folder.glob("checkpoints/*.pt")),
        "log": log_tail(log),
    }
