"""What the first process of bench.documents does: it issues and prints the paid orders, in turns with bare typst.

Ours is the whole way: the issuing statement, the relay's claim, what the task calls, the file on the disk. Bare typst
gets the template, the inputs and the standard that ours used, and its answer is thrown away.
"""

import json
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import typst
from django.conf import settings

from orders import sql
from orders.invoices import issuing, printing
from orders.models import Document, Order
from orders.typesetting import FONTS
from workers.relay.leased import DOCUMENTS_A_BATCH

ORDERS_A_BATCH = 100  # as the workers issue them

Inputs = list[tuple[dict[str, str], str, datetime]]


class Stopwatch:
    """Seconds and core seconds by name."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, *names: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        for name in names:
            self.wall[name] += time.perf_counter() - wall
            self.cpu[name] += time.process_time() - cpu


def measure(turns: int, warm_up: int) -> None:
    """Print the figures as JSON."""
    placed = list(Order.objects.filter(status="paid").order_by("id").values_list("pk", flat=True))
    warm, ids = placed[:warm_up], placed[warm_up:]
    watch, seen = Stopwatch(), 0
    compiler = typst.Compiler(
        input=printing.TEMPLATE, root=printing.TEMPLATE.parent, font_paths=FONTS, ignore_system_fonts=True
    )
    _issue_and_print(warm, Stopwatch())  # so that both have their fonts and the parsed template
    _compile(compiler, _inputs(warm))
    for turn in range(turns):
        share = ids[turn * len(ids) // turns : (turn + 1) * len(ids) // turns]
        _issue_and_print(share, watch)
        inputs = _inputs(share)
        with watch.on("bare"):
            seen += _compile(compiler, inputs)
        plain = [({**given, "xml": ""}, "a-2b", moment) for given, _, moment in inputs]
        with watch.on("bare_without_xml"):
            seen += _compile(compiler, plain)
    [serials] = sql.rows("SELECT min(serial), max(serial), count(*) FROM orders_document", {})
    found = {
        **{name: _rate(watch, name, len(ids)) for name in ("ours", "bare", "bare_without_xml")},
        "ratio": round(watch.cpu["bare"] / watch.cpu["ours"], 3),
        "ratio_without_xml": round(watch.cpu["bare_without_xml"] / watch.cpu["ours"], 3),
        "steps_cpu_ms": {
            name: round(1000 * watch.cpu[name] / len(ids), 3) for name in ("issuing", "printing")
        },
        "invoices": len(ids),
        **dict(zip(("first", "last", "given"), serials, strict=True)),
        "files": len(list(Path(settings.MEDIA_ROOT).rglob("INV-*.pdf"))),
        "bytes_compiled": seen,
        "most_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    print(json.dumps(found))


def _issue_and_print(orders: list[int], watch: Stopwatch) -> None:
    with watch.on("ours", "issuing"):
        for start in range(0, len(orders), ORDERS_A_BATCH):
            issuing.issue(orders[start : start + ORDERS_A_BATCH])
    with watch.on("ours", "printing"):
        while claimed := printing.DOCUMENTS.claim(DOCUMENTS_A_BATCH):
            if failed := printing.print_documents(claimed):
                raise next(iter(failed.values()))


def _rate(watch: Stopwatch, name: str, invoices: int) -> dict[str, float]:
    return {
        "per_core_s": round(invoices / watch.cpu[name], 1),
        "per_s": round(invoices / watch.wall[name], 1),
        "cpu_ms": round(1000 * watch.cpu[name] / invoices, 3),
    }


def _inputs(orders: list[int]) -> Inputs:
    """What typst was given for each."""
    documents = printing.with_rows(Document.objects.filter(order__in=orders))
    return [
        (*printing.inputs_of(document, *printing.figures_of(document)), document.issued_at)
        for document in documents
    ]


def _compile(compiler: typst.Compiler, inputs: Inputs) -> int:
    """Typst and nothing else; returns how many bytes it made."""
    compile: Callable[..., Any] = partial(compiler.compile, format="pdf")
    return sum(
        len(compile(sys_inputs=given, pdf_standards=[standard], timestamp=int(moment.timestamp())))
        for given, standard, moment in inputs
    )
