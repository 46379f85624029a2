"""`./dev bench --only documents`: how many invoices a second a core issues and prints, beside bare typst on the same.

In an isolated stack with a database and nothing else. One process (bench.printing) issues the invoices and prints them
with the functions that the workers' tasks call, from the claim of the relay to the file on the disk. In between, in
turns, typst alone compiles the same inputs, so that both meet the same machine in the same minutes. Core seconds are
what the process used, all threads; the database's share stands beside it.

Then another process (bench.binding) makes a catalogue of thousands of pages and measures its own memory.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from bench.backlog import LINES, PLACE
from bench.cli import finish
from bench.cpu import CpuMeter
from bench.display import note, show_targets
from bench.figures import at_least, at_most
from bench.isolated_stack import isolated_stack
from bench.running_stack import RunningStack
from stack.console import out

WARM_UP = 50  # invoices that are printed first and not measured
MOST_MEMORY = 300.0  # MB, however many pages
AT_LEAST = 0.8  # of bare typst's rate a core

# Every order of the backlog is paid and waits for its invoice.
_PAID: LiteralString = "UPDATE orders_order SET status = 'paid', due_at = NULL"
# Fills the catalogue with copies of what is there, pictures included.
_PRODUCTS: LiteralString = """
INSERT INTO catalogue_product (sku, name, description, category_id, price_minor, currency, tax_rate_bp, picture, active)
SELECT 'BENCH-' || number, known.name || ' ' || number, known.description, known.category_id, known.price_minor,
       known.currency, known.tax_rate_bp, known.picture, true
FROM generate_series(1, %(products)s) AS number
JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS nth, count(*) OVER () AS all_of_them FROM catalogue_product
      WHERE active) AS known ON known.nth = number %% known.all_of_them
"""


@dataclass(frozen=True, slots=True)
class Size:
    invoices: int
    turns: int  # between ours and bare typst
    products: int  # in the catalogue


FULL = Size(invoices=10_000, turns=20, products=63_000)
SHORT = Size(invoices=100, turns=2, products=300)


def bench(size: Size, file: Path | None) -> int:
    """Measure, print, write the figures into `file`; returns the exit code."""
    found = measure(size)
    show(found)
    return finish(found, found["problems"], file)


def measure(size: Size) -> dict[str, Any]:
    """All figures, with what was wrong ("problems") and how far they reach what is wanted ("targets")."""
    note(f"Opening a stack with {size.invoices:,} paid orders of {LINES} lines …")
    with (
        isolated_stack(only=frozenset({"postgres", "valkey"})) as stack,
        psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection,
    ):
        orders = {"orders": size.invoices + WARM_UP, "lines": LINES, "prefix": "documents-"}
        connection.execute(PLACE, orders)
        connection.execute(_PAID)
        connection.execute("ANALYZE")
        meter = CpuMeter(stack.roots)
        note("Issuing and printing them, in turns with bare typst …")
        found = _with_django(stack, f"from bench.printing import measure; measure({size.turns}, {WARM_UP})")
        meter.sample()
        found["cpu_ms_postgres"] = round(1000 * meter.seconds().get("postgres", 0.0) / size.invoices, 3)
        note(f"Making a catalogue of {size.products:,} products …")
        connection.execute(_PRODUCTS, {"products": size.products})
        found["catalogue"] = _with_django(stack, "from bench.binding import measure; measure()")
    found["problems"] = _problems(found, size)
    memory = found["catalogue"]["most_memory_mb"]
    found["targets"] = [
        at_least("invoices a core second, of bare typst's at least", AT_LEAST, found["ratio"]),
        at_most("MB of memory that the catalogue's process takes, at most", MOST_MEMORY, memory),
    ]
    return found


def _with_django(stack: RunningStack, script: str) -> dict[str, Any]:
    """Run this in a process of its own that has loaded the shop; returns the JSON that it prints."""
    found: dict[str, Any] = json.loads(stack.manage("shell", "--no-imports", "--command", script))
    return found


def _problems(found: dict[str, Any], size: Size) -> list[str]:
    problems = []
    wanted = size.invoices + WARM_UP
    if found["files"] != wanted:
        problems.append(f"{found['files']:,} files for {wanted:,} invoices.")
    if (found["first"], found["last"], found["given"]) != (1, wanted, wanted):
        problems.append(
            f"{found['given']:,} numbers from {found['first']} to {found['last']}: they have a gap."
        )
    catalogue = found["catalogue"]
    if catalogue["state"] != "done" or catalogue["products"] < size.products:
        problems.append(f"The catalogue is {catalogue['state']}, with {catalogue['products']:,} products.")
    return problems


def show(found: dict[str, Any]) -> None:
    out.print("\n[bold]documents[/bold]")
    for name, words in (
        ("ours", "issued and printed, file on the disk"),
        ("bare", "typst alone, same inputs, same PDF/A-3b with the XML attached"),
        ("bare_without_xml", "typst alone, PDF/A-2b without the XML"),
    ):
        one = found[name]
        out.print(f"  {words:<62}{one['per_core_s']:>8,.1f} a core second, {one['per_s']:,.1f} a second")
    steps = ", ".join(f"{name} {ms:.2f}" for name, ms in found["steps_cpu_ms"].items())
    out.print(f"  {'CPU ms an invoice of ours':<62}{found['ours']['cpu_ms']:>8,.2f}: {steps}")
    out.print(f"  {'CPU ms an invoice of the database':<62}{found['cpu_ms_postgres']:>8,.2f}")
    out.print(f"  {'memory of the process at its most, MB':<62}{found['most_memory_mb']:>8,.0f}")
    catalogue = found["catalogue"]
    out.print(
        f"  {'catalogue':<14}{catalogue['pages']:,} pages with {catalogue['products']:,} products, "
        f"{catalogue['megabytes']:,g} MB, in {catalogue['seconds']:,g} s: {catalogue['pages_per_core_s']:,g} pages "
        f"a core second, memory {catalogue['most_memory_mb']:,.0f} MB at its most"
    )
    show_targets(found)
