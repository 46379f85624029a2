"""`python -m bench.chaos.report FILE …`: puts measured tables into docs/reliability.md, in the place of the last ones.

The files are what `./dev chaos`, `troubles`, `poison` and `mutants` write with --json; each is known by its shape. A
table stands between `<!-- name -->` and `<!-- /name -->`, and nobody types a figure by hand.
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stack.layout import ROOT

PAGE = ROOT / "docs" / "reliability.md"


def matrix(found: dict[str, Any]) -> str:
    run = f"`--orders {found['orders']} --kills {found['kills']} --seed {found['seed']}`"
    about = (
        f"{found['at'][:10]}, {found['machine']}, {run}: {found['strikes']} strikes in {found['seconds']:,.0f} s,"
        f" {found['accepted']:,} orders accepted, **{found['lost']} lost, {found['doubled']} doubled,"
        f" {found['oversold']} oversold**, books {'clean' if found['books_clean'] else '**NOT CLEAN**'}."
        f" {found['set_apart_and_replayed']} orders were set apart and replayed. Of"
        f" {found['messages'].get('seen', 0):,} messages that were taken in hand,"
        f" {_some(found['messages'], 'doubled', 'delayed', 'reordered')}."
    )
    head = ("struck", "who", "runs", "lost", "doubled", "oversold", "back after s", "recovery p50 s", "max s")
    names = (
        "struck",
        "process",
        "runs",
        "lost",
        "doubled",
        "oversold",
        "back_max",
        "recovery_p50",
        "recovery_max",
    )
    rows = [[_text(row[name], name) for name in names] for row in found["matrix"]]
    return f"{about}\n\n{_table(head, rows)}"


def troubles(found: list[dict[str, Any]]) -> str:
    head = ("trouble", "accepted", "ended", "placed to completed p50 / p99 / max s", "audit")
    rows = []
    for row in found:
        times = " / ".join(str(row["to_completed_s"].get(name, "")) for name in ("p50", "p99", "max"))
        ended = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in row["ended"].items())
        audit = "clean" if row["books_clean"] and not row["problems"] else "**WRONG**"
        rows.append([row["what"], f"{row['accepted']:,}", ended, times, audit])
    return _table(head, rows)


def poison(found: dict[str, Any]) -> str:
    head = (
        "round",
        "clean, p50 / p99 ms",
        "with the poison, p50 / p99 ms",
        "p99, times",
        "attempts of the poison",
    )
    rows = [
        [
            str(number),
            *(
                " / ".join(f"{one['to_completed_ms'][name]:,.0f}" for name in ("p50", "p99"))
                for one in (pair["clean"], pair["poisoned"])
            ),
            str(ratio),
            str(pair["poisoned"]["attempts"]),
        ]
        for number, (pair, ratio) in enumerate(zip(found["rounds"], found["p99_ratio"], strict=True), start=1)
    ]
    about = f"p99 of the neighbours: **{found['p99_ratio_median']} times** that of a clean round (median)."
    return f"{_table(head, rows)}\n\n{about}"


def mutants(found: list[dict[str, Any]]) -> str:
    head = ("mutant", "what it breaks", "caught by")
    rows = [
        [
            row["mutant"],
            row["breaks"],
            "<br>".join(f"`{name}`" for name in row["by"]) if row["caught"] else "**NOBODY**",
        ]
        for row in found
    ]
    return _table(head, rows)


def put(page: str, name: str, table: str) -> str:
    """The page with this table between its marks; raises ValueError where there are none."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    fresh, count = marks.subn(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", page)
    if count != 1:
        raise ValueError(
            f"the page has {count} places for {name}, and wants one: <!-- {name} --> … <!-- /{name} -->"
        )
    return fresh


def written_up(page: str, found: Any) -> str:
    """The page with what one of the commands found."""
    if isinstance(found, dict) and "rounds" in found:
        return put(page, "poison", poison(found))
    if isinstance(found, dict):
        return put(page, "matrix", matrix(found))
    if found and "trouble" in found[0]:
        return put(page, "troubles", troubles(found))
    return put(page, "mutants", mutants(found))


def _some(counts: dict[str, int], *names: str) -> str:
    return ", ".join(f"{counts.get(name, 0)} {name}" for name in names)


def _text(value: Any, name: str) -> str:
    if value is None:
        return "" if name == "back_max" else "never"
    return str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main(files: Sequence[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for file in files:
        page = written_up(page, json.loads(Path(file).read_text(encoding="utf-8")))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
