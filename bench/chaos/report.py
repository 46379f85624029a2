"""The tables of `./dev chaos`, `troubles`, `poison` and `mutants`: on the screen, and in docs/reliability.md.

`python -m bench.chaos.report FILE …` puts what these commands wrote with --json into the page, in the place of the last
tables; each file is known by its shape. A table stands between `<!-- name -->` and `<!-- /name -->`, and nobody types a
figure by hand.
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.markdown import Markdown

from bench.cli import finish
from stack.console import out
from stack.layout import ROOT

PAGE = ROOT / "docs" / "reliability.md"
_NAMES = (
    *("struck", "process", "runs", "lost", "doubled", "oversold"),
    *("back_max", "recovery_p50", "recovery_max"),
)


def show(found: Any, problems: list[str], file: Path | None) -> int:
    """Print the table and the problems, write `found` as JSON; returns the exit code."""
    _, text = _section(found)
    text = text.replace("<br>", ", ")
    if out.is_terminal:
        out.print(Markdown(text), soft_wrap=False)
    else:
        out.print(text, markup=False)
    return finish(found, problems, file)


def matrix(found: dict[str, Any]) -> str:
    messages = ", ".join(
        f"{found['messages'].get(what, 0)} {what}" for what in ("doubled", "delayed", "reordered")
    )
    about = (
        f"{found['at'][:10]}, {found['machine']}, `--orders {found['orders']} --kills {found['kills']} --seed"
        f" {found['seed']}`: {found['strikes']} faults in {found['seconds']:,.0f} s, {found['accepted']:,} orders"
        f" accepted, **{found['lost']} lost, {found['doubled']} doubled, {found['oversold']} oversold**, books"
        f" {'clean' if found['books_clean'] else '**NOT CLEAN**'}. {found['set_apart_and_replayed']} orders were set"
        f" apart and replayed. Of {found['messages'].get('seen', 0):,} messages that were taken in hand, {messages}."
    )
    head = (
        "fault",
        "process",
        "runs",
        "lost",
        "doubled",
        "oversold",
        "back after s",
        "recovery p50 s",
        "max s",
    )
    return (
        f"{about}\n\n{_table(head, ([_text(row[name], name) for name in _NAMES] for row in found['matrix']))}"
    )


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
    rows = []
    for number, (pair, ratio) in enumerate(zip(found["rounds"], found["p99_ratio"], strict=True), start=1):
        clean, poisoned = (
            " / ".join(f"{pair[which]['to_completed_ms'][name]:,.0f}" for name in ("p50", "p99"))
            for which in ("clean", "poisoned")
        )
        rows.append([str(number), clean, poisoned, str(ratio), str(pair["poisoned"]["attempts"])])
    about = f"p99 of the neighbours: **{found['p99_ratio_median']} times** that of a clean round (median)."
    return f"{_table(head, rows)}\n\n{about}"


def mutants(found: list[dict[str, Any]]) -> str:
    rows = []
    for row in found:
        caught = "<br>".join(f"`{name}`" for name in row["by"]) if row["caught"] else "**NOBODY**"
        rows.append([row["mutant"], row["breaks"], caught])
    return _table(("mutant", "what it breaks", "caught by"), rows)


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
    return put(page, *_section(found))


def _section(found: Any) -> tuple[str, str]:
    """Name and text of what one of the commands found."""
    if isinstance(found, dict):
        return ("poison", poison(found)) if "rounds" in found else ("matrix", matrix(found))
    if found and "trouble" in found[0]:
        return "troubles", troubles(found)
    return "mutants", mutants(found)


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
