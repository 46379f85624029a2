"""Python's garbage collector, told what a shop's processes are like: many small objects, hardly a cycle."""

import gc


def relieve() -> None:
    """Call once a process has loaded what it needs: collect ever more rarely, and never look at that again.

    Reference counting frees nearly everything at once. By default the collector still looks after every 700 new
    objects, which a single order makes, and cost a process a tenth of its time and more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
