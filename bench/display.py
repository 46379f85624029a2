"""What a person sees of a run: how far it is while it runs, and its figures as tables at the end.

Progress goes to standard error: live bars on a terminal, a line every ten seconds elsewhere.
"""

import time
from collections.abc import Mapping
from typing import Any

from rich import progress as bars
from rich.table import Table

from stack.console import err, out

LINE_SECONDS = 10.0


class Progress(bars.Progress):
    """Counts orders: answered, and ended. `total` is how many are to be placed."""

    def __init__(self, total: int) -> None:
        super().__init__(
            *(bars.TextColumn("{task.description}"), bars.BarColumn()),
            *(bars.MofNCompleteColumn(), bars.TimeElapsedColumn()),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._total, self._last_line = total, time.monotonic()
        self._placing = self.add_task("orders answered", total=total)
        self._ending = self.add_task("orders ended   ", total=total)

    def count(self, answered: int, ended: int = 0, of: int | None = None) -> None:
        self.update(self._placing, completed=answered)
        self.update(self._ending, completed=ended, total=of)
        if not err.is_terminal and time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            err.print(f"{answered:,} of {self._total:,} orders answered, {ended:,} ended")


def note(what: str) -> None:
    """One line about what is being done now."""
    err.print(f"[dim]{what}[/dim]")


def line(label: str, what: object) -> None:
    """One figure with its label."""
    out.print(f"  {label:<14}{what}", markup=False)


def show(name: str, found: Mapping[str, Any]) -> None:
    """The figures of a run, as `Figures.as_json` and the run's own additions give them."""
    out.print(f"\n[bold]{name}[/bold]: {found['accepted']:,} orders accepted, {found['accepted_per_s']:,}/s")
    _counts("refused", found["refused"])
    _counts("lines refused", found.get("refused_lines", {}))
    _counts("ended", found["ended"])
    line("completed", f"{found['completed_per_s']:,}/s")
    if under_way := found.get("under_way_after_last_post"):
        line("under way", f"{under_way:,} orders when the last POST was answered")
    if flushed := found.get("flushed"):
        line("broker", f"wiped {flushed:,} times")
    if repeated := found.get("repeated_posts"):
        line("sent again", f"{repeated:,} POSTs, with the same key")
    _times(found)
    _cpu(found)
    for key in ("floor", "sold_out"):
        if facts := found.get(key):
            listed = ", ".join(f"{name.replace('_', ' ')} {in_words(value)}" for name, value in facts.items())
            line(key.replace("_", " "), listed)
    for name, backlog in found.get("backlog", {}).items():
        _backlog(name, backlog)
    show_targets(found)
    if audit := found.get("audit"):
        checks = ", ".join(f"{one['name']} {one['counted']:,}" for one in audit["checks"])
        verdict = "[green]clean[/green]" if audit["clean"] else "[red]not clean[/red]"
        out.print(f"  {'audit':<14}{verdict} ({checks})")


def show_targets(found: Mapping[str, Any]) -> None:
    for target in found.get("targets", ()):
        mark = "[green]met[/green]   " if target["met"] else "[red]missed[/red]"
        out.print(f"  {'target':<14}{mark} {target['name']} {target['wanted']:,g}: {target['measured']:,g}")


def in_words(value: Any) -> str:
    """{"p99": 3.1} reads "p99 3.1"."""
    if isinstance(value, Mapping):
        return " ".join(f"{name} {in_words(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(in_words(inner) for inner in value)
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _counts(label: str, counts: Mapping[str, int]) -> None:
    if counts:
        listed = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
        line(label, f"{sum(counts.values()):,}: {listed}")


def _times(found: Mapping[str, Any]) -> None:
    rows = {"POST": found["post_ms"], "placed to completed": found["to_completed_ms"]}
    if rows := {label: times for label, times in rows.items() if times}:
        table = Table("milliseconds", *next(iter(rows.values())), box=None, pad_edge=False)
        for label, times in rows.items():
            table.add_row(label, *(f"{value:,.1f}" for value in times.values()))
        out.print("", table, sep="\n")


def _cpu(found: Mapping[str, Any]) -> None:
    if not (each := found["cpu_ms_per_order"]):
        return
    table = Table("CPU ms an order", "", box=None, pad_edge=False)
    for kind, spent in each.items():
        table.add_row(kind, f"{spent:.3f}")
    table.add_row("all", f"{found['cpu_ms_per_order_total']:.3f}", style="bold")
    table.add_row("load generator", f"{found['load_generator_cpu_ms_per_order']:.3f}", style="dim")
    out.print("", table, "", sep="\n")


def _backlog(name: str, found: Mapping[str, Any]) -> None:
    floor = found["floor"]
    out.print(f"\n[bold]backlog, providers {name.replace('_', ' ')}[/bold]: {found['orders']:,} orders")
    _counts("ended", found["ended"])
    line("completed", f"{found['completed_per_s']:,}/s")
    line("floor", f"{floor['completed_per_s']:,}/s: {floor['what']}, {floor['connections']} connections")
    each = [f"{kind} {spent:.2f}" for kind, spent in found["cpu_ms_per_order"].items() if spent >= 0.01]
    line("CPU ms/order", f"{found['cpu_ms_per_order_total']:.2f}: {', '.join(each)}")
