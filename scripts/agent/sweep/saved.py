"""The study among the results of its sweep, so that it comes home with them and outlives its machine."""

import os

from base.files import own_folder, replace
from run.output import outputs_of
from sweep.journal import whole_lines
from sweep.places import epoch_in, path_in


def save(experiment, described):
    """Copies the study to outputs/<experiment>/study, where it has changed. A full disk leaves it as it was there."""
    content = whole_lines(path_in(experiment, "journal.log"))
    if not content:
        return
    folder = os.path.join(outputs_of(described), experiment, "study")
    target = os.path.join(folder, "journal.log")
    try:
        if os.path.exists(target) and os.stat(target).st_size == len(content):
            return
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        own_folder(folder)
        replace(os.path.join(folder, "epoch"), epoch_in(experiment, "epoch"))
        replace(target, content.decode("utf-8", "surrogateescape"))
    except OSError:
        pass
