"""Names for what a provider makes, such as `pi_0018c2…`.

The first half is the time, so names sort by age: a table with this key grows at its end, and "newest first, starting
after this one" reads the primary key backwards. The second half is random, because the names of payments appear in
links.
"""

import os
import time


def new_id(prefix: str) -> str:
    """A new name with this prefix."""
    return f"{prefix}_{time.time_ns() // 1000:014x}{os.urandom(8).hex()}"
