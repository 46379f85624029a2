"""The process that bench.documents measures second: it makes the catalogue as a worker does, and tells its cost."""

import json
import resource
import time

import django

django.setup()

from orders.models import Printout  # noqa: E402 (Django must be ready first)
from orders.printouts.asking import ask  # noqa: E402
from workers import documents  # noqa: E402


def main() -> None:
    wanted = ask(Printout.Kind.CATALOGUE, by="bench")
    wall, cpu = time.perf_counter(), time.process_time()
    documents.make_printout(wanted.pk)
    seconds, core_seconds = time.perf_counter() - wall, time.process_time() - cpu
    wanted.refresh_from_db()
    print(
        json.dumps(
            {
                "state": wanted.state,
                "products": wanted.rows_done,
                "pages": wanted.pages,
                "megabytes": round(wanted.size / 1e6, 1),
                "seconds": round(seconds, 1),
                "pages_per_core_s": round(wanted.pages / core_seconds, 1),
                "most_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
