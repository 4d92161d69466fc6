"""Checkpoints: what they hold, where they are, and which one to go on from."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import torch

from .errors import WorkloadError
from .files import remove_leftovers, write_atomic

FORMAT = 1
BEST, LAST = "best_model.pt", "last.pt"
_EPOCH = re.compile(r"checkpoint_epoch_(\d+)\.pt")

log = logging.getLogger(__name__)


def save(path: Path, tensors: dict[str, Any], plain: dict[str, Any]) -> None:
    """Write a checkpoint; a reader sees the old one or the whole new one, also after a crash.

    Plain values travel as JSON: PyTorch 1.13 can't read a float back without executing pickles.
    """
    content = {"format": FORMAT, "plain": json.dumps(plain), **tensors}
    write_atomic(path, lambda stream: torch.save(content, stream))


def load(path: Path) -> dict[str, Any]:
    """Tensors and plain values of a checkpoint; nothing in it is executed. Raises WorkloadError if unreadable."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WorkloadError(f"there is no checkpoint {path}") from error
    except Exception as error:  # torch raises anything from EOFError to UnpicklingError on a damaged file
        raise WorkloadError(f"the checkpoint {path} can't be read: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise WorkloadError(f"{path} is not a checkpoint of this program (format {FORMAT})")
    return content | json.loads(content.pop("plain"))


def _epochs(folder: Path) -> list[tuple[int, Path]]:
    matches = ((_EPOCH.fullmatch(path.name), path) for path in folder.glob("checkpoint_epoch_*.pt"))
    return sorted(((int(match[1]), path) for match, path in matches if match), reverse=True)


def save_epoch(folder: Path, epoch: int, tensors: dict[str, Any], plain: dict[str, Any], keep: int) -> None:
    """Write `checkpoint_epoch_N.pt` and remove all but the newest `keep` of them."""
    save(folder / f"checkpoint_epoch_{epoch}.pt", tensors, plain)
    for _, path in _epochs(folder)[keep:]:
        path.unlink()


def newest(folder: Path) -> dict[str, Any] | None:
    """The checkpoint to go on from: the last one, or the newest epoch's where the last one is damaged."""
    remove_leftovers(folder)
    candidates = [folder / LAST, *(path for _, path in _epochs(folder))]
    for path in candidates:
        if not path.exists():
            continue
        try:
            return load(path)
        except WorkloadError as error:
            log.warning("%s; trying the one before", error)
    return None
