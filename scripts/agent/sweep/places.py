"""Where a sweep keeps what on an instance.

~/.lambda-train/study/<experiment>/
  worker.json   what the worker here is told (see sweep/worker.py)
  trials/<n>.json  what the worker knows of each trial that it was given
  told.jsonl    what it told the study of those that ended
  copy.log, copy.epoch   the worker's copy of the study
  journal.log, epoch     the study itself, on its machine: Optuna's journal
  socket, lock, server.json, server.log   its server
"""

import os

from base.files import BASE, fact, own_folder

# Of what the study is asked.
VERSION = 1
STUDIES = os.path.join(BASE, "study")


def folder_of(experiment):
    return os.path.join(STUDIES, experiment)


def path_in(experiment, *names):
    return os.path.join(STUDIES, experiment, *names)


def make_folder(experiment):
    own_folder(STUDIES)
    own_folder(folder_of(experiment))
    os.makedirs(path_in(experiment, "trials"), exist_ok=True)


def run_of(experiment, number):
    """Name of the run that trains a trial."""
    return f"{experiment}-t{number}"


def number_of_epoch(epoch):
    """How often a study has been made or moved."""
    return int(epoch.partition("-")[0] or 0)


def epoch_in(experiment, name):
    return fact(path_in(experiment, name))
