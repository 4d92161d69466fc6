"""Where a machine keeps what it knows of the others of its fleet."""

import os

from base.files import BASE

FOLDER = os.path.join(BASE, "fleet")
KEY = os.path.join(FOLDER, "key")
KNOWN = os.path.join(FOLDER, "fleet.json")
HOSTS = os.path.join(FOLDER, "known_hosts")
# By machine, the address at which it answered last.
WORKED = os.path.join(FOLDER, "worked.json")
