"""What the second process of bench.documents does: it makes the catalogue as a worker does, and measures its cost."""

import json
import resource
import time

from orders.models import Printout
from orders.printouts.asking import ask
from workers import documents


def measure() -> None:
    """Print the figures as JSON."""
    wanted = ask(Printout.Kind.CATALOGUE, by="bench")
    wall, cpu = time.perf_counter(), time.process_time()
    documents.make_printout(wanted.pk)
    seconds, core_seconds = time.perf_counter() - wall, time.process_time() - cpu
    wanted.refresh_from_db()
    found = {
        "state": wanted.state,
        "products": wanted.rows_done,
        "pages": wanted.pages,
        "megabytes": round(wanted.size / 1e6, 1),
        "seconds": round(seconds, 1),
        "pages_per_core_s": round(wanted.pages / core_seconds, 1),
        "most_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    print(json.dumps(found))
