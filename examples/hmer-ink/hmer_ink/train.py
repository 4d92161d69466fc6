"""Train an experiment, or go on with it: python3 -m hmer_ink.train --config FILE --experiment NAME.

Exit status: 0 trained, 2 something to repair (config, data, no CUDA), 143 stopped by SIGTERM, 130 by SIGINT,
129 by SIGHUP, each with a checkpoint from which the same command goes on.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from .config import Config, dump_config, load_config
from .dataset import load_split
from .errors import EXIT_USAGE, WorkloadError, exit_with
from .files import write_json, write_text
from .run_log import leave_stdout, start_log
from .stop import Stopped, StopRequest
from .tracking import start_tracking
from .trainer import Trainer
from .world import World, join_world, leave_world

log = logging.getLogger(__name__)


def _lock(folder: Path) -> int:
    """Hold the experiment's folder, so that two runs never write to one; the kernel lets go when we end."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WorkloadError(
            f"another training writes to {folder}: wait for it, stop it, or choose another EXPERIMENT"
        ) from error
    return handle


class Summary:
    """metrics/train.json: what this run is, how it went and how long it took (history.json knows no times)."""

    def __init__(self, config: Config, world: World, trainer: Trainer) -> None:
        self._path = config.folder / "metrics" / "train.json"
        self._trainer, self._started = trainer, time.time()
        self._first_step = trainer.progress.step
        self._facts: dict[str, Any] = {
            "experiment": config.experiment,
            "device": torch.cuda.get_device_name(world.device) if world.device.type == "cuda" else "cpu",
            "processes": world.size,
            "torch": torch.__version__,
            "parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
            "train_expressions": len(trainer.train_set),
            "valid_expressions": len(trainer.valid_set),
            "vocabulary": len(trainer.vocabulary),
            "epochs": config.training.epochs,
        }

    def write(self, status: str) -> None:
        """Write it with the status `running`, `finished`, `stopped` or `failed`."""
        progress = self._trainer.progress
        write_json(
            self._path,
            {
                "status": status,
                **self._facts,
                "epochs_done": progress.epoch,
                "steps": progress.step,
                "resumed_from_step": self._first_step,
                "seconds": round(time.time() - self._started, 1),
                "best": progress.best,
            },
        )


def _train(config: Config, world: World, stop: StopRequest) -> None:
    train, valid = load_split(config.data, "train"), load_split(config.data, "valid")
    trainer = Trainer(config, world, train, valid, stop)
    resumed = trainer.resume()
    if not world.main:
        trainer.run(start_tracking(Config()))
        return
    write_text(config.folder / "config.yaml", dump_config(config))
    log.info(
        "experiment %s on %s, %d process(es): %d expressions, %d tokens, %d steps in %d epochs",
        config.experiment,
        world.device,
        world.size,
        len(train),
        len(trainer.vocabulary),
        trainer.steps_per_epoch * config.training.epochs,
        config.training.epochs,
    )
    if resumed:
        log.info("resumed at step %d, epoch %d", trainer.progress.step, trainer.progress.epoch + 1)
    summary, tracker, status = Summary(config, world, trainer), start_tracking(config), "failed"
    summary.write("running")
    try:
        progress = trainer.run(tracker)
        write_json(config.folder / "metrics" / "history.json", progress.history)
        status = "finished"
        best = progress.best or {}
        log.info("finished: best epoch %s, valid_token_error_rate %.4f", best["epoch"], best["valid_token_error_rate"])
    except Stopped as stopped:
        status = "stopped"
        log.info("%s at step %d: checkpoint written, the same command goes on from it", stopped, trainer.progress.step)
        raise
    finally:
        tracker.finish()
        summary.write(status)


def main() -> int:
    """Parse the arguments and train; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--experiment", help="name of the folder under outputs/; the config's otherwise")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="override, such as training.epochs=3"
    )
    arguments = parser.parse_args()
    stop = StopRequest().install()
    try:
        config = load_config(arguments.config, arguments.experiment, arguments.set)
        world = join_world(config.device)
        lock = _lock(config.folder) if world.main else None
        start_log(config.folder / "logs" / "train.log" if world.main else None)
        if config.threads:
            torch.set_num_threads(max(1, config.threads // world.local_size))
        try:
            _train(config, world, stop)
        except Exception as error:
            if not isinstance(error, (Stopped, WorkloadError)):
                log.exception("training failed")
            raise
        finally:
            if lock is not None:
                os.close(lock)
        leave_world(world)
    except Stopped as stopped:
        return stopped.exit_code
    except WorkloadError as error:
        if not logging.getLogger().handlers:
            exit_with(error)
        log.error("%s", error)
        return EXIT_USAGE
    finally:
        leave_stdout()
    return 0


if __name__ == "__main__":
    sys.exit(main())
