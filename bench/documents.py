"""`./dev bench --only documents`: how many invoices a second a core issues and prints, beside bare typst on the same.

In a house of its own with a database and nothing else. One process (bench.printing) issues the invoices and prints them
with the functions that the workers' tasks call, from the claim of the relay to the file on the disk; in between, in
turns, it has typst alone compile the same inputs, so that both meet the same machine in the same minutes. Core seconds
are what the process used, all threads; the database's share is told beside it.

Then another process (bench.binding) makes a catalogue of thousands of pages, and tells its memory.
"""

import json as jsons
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from bench import lab
from bench.backlog import LINES, PLACE
from bench.cpu import CpuMeter
from bench.display import note
from bench.house import House
from stack.console import out
from stack.layout import ROOT
from stack.program import StackError

WARM_UP = 50  # invoices that are printed first, and measured by nobody
MOST_MEMORY = 300.0  # MB, however many pages
AT_LEAST = 0.8  # of bare typst's rate a core
ONLY_THE_DATABASE = frozenset(
    {
        *("payments", "sms", "carrier", "mailbox", "web", "live", "nginx", "relay", "beat", "flower"),
        *("inventory", "payment", "messages", "media", "documents", "bulk"),
    }
)

_PAID: LiteralString = "UPDATE orders_order SET status = 'paid', due_at = NULL"


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


def bench(size: Size, json: Path | None) -> int:
    """Measure and tell; returns the exit code: what must hold and does not is a failed run, a slow figure is not."""
    found = measure(size)
    tell(found)
    if json:
        json.write_text(jsons.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 1 if found["problems"] else 0


def measure(size: Size) -> dict[str, Any]:
    """All figures, with what was wrong ("problems") and how far they reach what is wanted ("targets")."""
    note(f"Opening a house with {size.invoices:,} paid orders of {LINES} lines …")
    with lab.house(without=ONLY_THE_DATABASE) as house:
        _place(house, size.invoices + WARM_UP)
        meter = CpuMeter(house.roots)
        note("Issuing and printing them, in turns with bare typst …")
        found = _child(house, "bench.printing", str(size.turns), str(WARM_UP))
        meter.sample()
        found["cpu_ms_postgres"] = round(1000 * meter.seconds().get("postgres", 0.0) / size.invoices, 3)
        note(f"Making a catalogue of {size.products:,} products …")
        _fill_catalogue(house, size.products)
        found["catalogue"] = _child(house, "bench.binding")
    found["problems"] = _problems(found, size)
    found["targets"] = [
        {
            "name": "invoices a core second, of bare typst's at least",
            "wanted": AT_LEAST,
            "measured": found["ratio"],
            "met": found["ratio"] >= AT_LEAST,
        },
        {
            "name": "MB of memory that the catalogue's process takes, at most",
            "wanted": MOST_MEMORY,
            "measured": found["catalogue"]["most_memory_mb"],
            "met": found["catalogue"]["most_memory_mb"] <= MOST_MEMORY,
        },
    ]
    return found


def _place(house: House, orders: int) -> None:
    """Orders as the backlog places them (bench.backlog), paid and waiting for their invoices."""
    with psycopg.connect(house["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(PLACE, {"orders": orders, "lines": LINES, "prefix": "documents-"})
        connection.execute(_PAID)
        connection.execute("ANALYZE")


def _fill_catalogue(house: House, products: int) -> None:
    """So many more, with the pictures of those that are there."""
    with psycopg.connect(house["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(_PRODUCTS, {"products": products})


def _child(house: House, *module: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", *module],
        cwd=ROOT,
        env=dict(house.environment),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise StackError(f"{module[0]} failed:\n{done.stderr.strip()}")
    found: dict[str, Any] = jsons.loads(done.stdout)
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


def tell(found: dict[str, Any]) -> None:
    out.print("\n[bold]documents[/bold]")
    for name, words in (
        ("ours", "issued and printed, file on the disk"),
        ("bare", "typst alone, same inputs, same PDF/A-3b with the XML attached"),
        ("bare_without_xml", "typst alone, PDF/A-2b without the XML"),
    ):
        one = found[name]
        out.print(f"  {words:<62}{one['per_core_s']:>8,.1f} a core second, {one['per_s']:,.1f} a second")
    out.print(f"  {'CPU ms an invoice of ours':<62}{found['ours']['cpu_ms']:>8,.2f}: ", end="")
    out.print(", ".join(f"{name} {ms:.2f}" for name, ms in found["steps_cpu_ms"].items()))
    out.print(f"  {'CPU ms an invoice of the database':<62}{found['cpu_ms_postgres']:>8,.2f}")
    out.print(f"  {'memory of the process at its most, MB':<62}{found['most_memory_mb']:>8,.0f}")
    catalogue = found["catalogue"]
    out.print(
        f"  {'catalogue':<14}{catalogue['pages']:,} pages with {catalogue['products']:,} products, "
        f"{catalogue['megabytes']:,g} MB, in {catalogue['seconds']:,g} s: {catalogue['pages_per_core_s']:,g} pages "
        f"a core second, memory {catalogue['most_memory_mb']:,.0f} MB at its most"
    )
    for target in found["targets"]:
        mark = "[green]met[/green]   " if target["met"] else "[red]missed[/red]"
        out.print(f"  {'target':<14}{mark} {target['name']} {target['wanted']:,g}: {target['measured']:,g}")
    for problem in found["problems"]:
        out.print(f"[bold red]wrong[/bold red] {problem}")
