"""Weights & Biases, where it is wanted and there; its absence never stops a run."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from typing import Any

from .config import Config

log = logging.getLogger(__name__)


class Tracker:
    """Sends metrics to wandb, or nowhere."""

    def __init__(self, run: Any = None) -> None:
        self._run = run

    def log(self, metrics: dict[str, Any], step: int) -> None:
        """Send one set of metrics; a failure turns the tracking off and the training goes on."""
        if self._run is None:
            return
        try:
            self._run.log(metrics, step=step)
        except Exception as error:  # whatever a tracker does must not cost the run
            log.warning("wandb failed (%s): tracking is off from here on", error)
            self._run = None

    def finish(self) -> None:
        """End the tracked run."""
        if self._run is not None:
            self._run.finish()


def start_tracking(config: Config) -> Tracker:
    """Start wandb when the config asks for it; offline unless there is a key or WANDB_MODE says otherwise."""
    if not config.use_wandb or os.environ.get("WANDB_MODE") == "disabled":
        return Tracker()
    try:
        import wandb
    except ImportError:
        log.info("use_wandb is true, but the package wandb is not installed: metrics stay in metrics/history.json")
        return Tracker()
    mode = os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_API_KEY") else "offline")
    try:
        run = wandb.init(
            project=config.wandb_project,
            id=config.experiment,
            name=config.experiment,
            resume="allow",
            mode=mode,
            dir=str(config.folder),
            config=asdict(config),
        )
    except Exception as error:  # no network, a wrong key: the run is worth more than its tracking
        log.warning("wandb did not start (%s): metrics stay in metrics/history.json", error)
        return Tracker()
    log.info("wandb mode %s", mode)
    return Tracker(run)
