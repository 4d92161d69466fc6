"""What time it is where the stack is run."""

import os
import time

from base.document import takes
from base.files import BASE, put


@takes(now=int)
def tell(now):
    """
    Notes by how many seconds this clock is ahead. Limits in time, as that of the budget, are told by the other. `now`:
    seconds since the epoch.
    """
    os.makedirs(BASE, exist_ok=True)
    put(os.path.join(BASE, "clock"), f"{int(time.time()) - now}\n")
