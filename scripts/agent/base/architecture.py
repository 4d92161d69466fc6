"""Which machine this is."""

import subprocess


def own_architecture():
    """As `uname -m` prints it: x86_64, aarch64, …"""
    return subprocess.run(["uname", "-m"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
