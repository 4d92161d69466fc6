"""Runs of one sweep on this instance: its trials, and the worker that starts them. Each has outputs named after it."""

import os

from run.state import runs


def siblings(run):
    """The other runs of a run's sweep; none where it is of none."""
    sweep = run.document().get("sweep")
    if sweep is None:
        return []
    others = (each for each in runs() if each.experiment != run.experiment)
    return [each for each in others if each.document().get("sweep") == sweep]


def is_worker(run):
    """Whether a run starts the trials of a sweep: what is written there is theirs."""
    return run.document().get("sweep") == run.experiment


def outputs_of_siblings(run, outputs):
    """The folders right below the outputs that are the siblings' own."""
    return {os.path.join(outputs, each.experiment) for each in siblings(run)}


def next_began(run):
    """
    When the first trial began that came after a trial's end, in nanoseconds; None where none did. What was written from then
    on, and has no trial's name, counts as that one's.
    """
    end = run.newest().get("trainingEnd") if run.number() else None
    if end is None:
        return None
    marks = (each.newest().get("mark", 0) for each in siblings(run) if not is_worker(each))
    return min((mark for mark in marks if mark >= end["at"] * 10**9), default=None)
