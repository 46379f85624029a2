"""Names for what a provider makes, such as `pi_0018c2…`.

The first half is the time, so that names sort by age: a table keyed by them grows at its end, and "newest
first, starting after this one" is its primary key read backwards. The second half is chance, because the
names of payments appear in links.
"""

import os
import time


def new_id(prefix: str) -> str:
    """A new name with this prefix."""
    return f"{prefix}_{time.time_ns() // 1000:014x}{os.urandom(8).hex()}"
