"""What a person sees of a run: how far it is while it runs, and its figures as tables at the end.

Progress goes to standard error: live bars on a terminal, a line every ten seconds elsewhere.
"""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich import progress as bars
from rich.table import Table

from stack.console import err, out

LINE_SECONDS = 10.0


class Progress:
    """Counts orders: answered, and ended. `total` is how many are to be placed."""

    def __init__(self, total: int) -> None:
        self._total, self._said = total, time.monotonic()
        self._answered = self._ended = 0
        self._bars = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._placing = self._bars.add_task("orders answered", total=total)
        self._ending = self._bars.add_task("orders ended   ", total=total)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def placed(self, count: int) -> None:
        self._answered = count
        self._bars.update(self._placing, completed=count)
        self._say()

    def ended(self, count: int, of: int) -> None:
        self._ended = count
        self._bars.update(self._placing, completed=self._total)
        self._bars.update(self._ending, completed=count, total=of)
        self._say()

    def _say(self) -> None:
        if err.is_terminal or time.monotonic() - self._said < LINE_SECONDS:
            return
        self._said = time.monotonic()
        err.print(f"{self._answered:,} of {self._total:,} orders answered, {self._ended:,} ended")


def note(what: str) -> None:
    """One line about what is being done now."""
    err.print(f"[dim]{what}[/dim]")


def tell(name: str, found: Mapping[str, Any]) -> None:
    """The figures of a run, as `Figures.as_json` and the run's own additions give them."""
    out.print(f"\n[bold]{name}[/bold]: {found['accepted']:,} orders accepted, {found['accepted_per_s']:,}/s")
    _counts("refused", found["refused"])
    _counts("lines refused", found.get("refused_lines", {}))
    _counts("ended", found["ended"])
    out.print(f"  {'completed':<14}{found['completed_per_s']:,}/s")
    if found.get("under_way_after_last_post"):
        out.print(
            f"  {'under way':<14}{found['under_way_after_last_post']:,} orders when the last POST was answered"
        )
    if found.get("flushed"):
        out.print(f"  {'broker':<14}wiped {found['flushed']:,} times")
    if found.get("repeated_posts"):
        out.print(f"  {'sent again':<14}{found['repeated_posts']:,} POSTs, with the same key")
    _times(found)
    _cpu(found)
    for key in ("floor", "sold_out"):
        if key in found:
            _facts(key, found[key])
    for name, carried in found.get("backlog", {}).items():
        _backlog(name, carried)
    _targets(found)
    if audit := found.get("audit"):
        checks = ", ".join(f"{one['name']} {one['counted']:,}" for one in audit["checks"])
        verdict = "[green]clean[/green]" if audit["clean"] else "[red]not clean[/red]"
        out.print(f"  {'audit':<14}{verdict} ({checks})")
    _problems(found)


def tell_media(found: Mapping[str, Any]) -> None:
    """The figures of the media pool, as bench.media gives them."""
    for name in ("one_clip", "rush_beside_videos", "spread"):
        measured = dict(found[name])
        out.print(f"\n[bold]{name.replace('_', ' ')}[/bold]: {measured.pop('what')}")
        for label, value in measured.items():
            out.print(f"  {label.replace('_', ' '):<36}{_in_words(value)}", markup=False)
    out.print()
    _targets(found)
    _problems(found)


def _targets(found: Mapping[str, Any]) -> None:
    for target in found.get("targets", ()):
        mark = "[green]met[/green]   " if target["met"] else "[red]missed[/red]"
        out.print(f"  {'target':<14}{mark} {target['name']} {target['wanted']:,g}: {target['measured']:,g}")


def _problems(found: Mapping[str, Any]) -> None:
    for problem in found["problems"]:
        out.print("[bold red]wrong[/bold red] ", end="")
        out.print(problem, markup=False)


def _counts(label: str, counts: Mapping[str, int]) -> None:
    if counts:
        listed = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
        out.print(f"  {label:<14}{sum(counts.values()):,}: {listed}", markup=False)


def _times(found: Mapping[str, Any]) -> None:
    rows = [
        (label, found[key])
        for label, key in (("POST", "post_ms"), ("placed to completed", "to_completed_ms"))
        if found[key]
    ]
    if not rows:
        return
    table = Table("milliseconds", *rows[0][1], box=None, pad_edge=False)
    for label, times in rows:
        table.add_row(label, *(f"{value:,.1f}" for value in times.values()))
    out.print()
    out.print(table)


def _cpu(found: Mapping[str, Any]) -> None:
    if not (each := found["cpu_ms_per_order"]):
        return
    table = Table("CPU ms an order", "", box=None, pad_edge=False)
    for kind, spent in each.items():
        table.add_row(kind, f"{spent:.3f}")
    table.add_row("all", f"{found['cpu_ms_per_order_total']:.3f}", style="bold")
    table.add_row("load generator", f"{found['load_generator_cpu_ms_per_order']:.3f}", style="dim")
    out.print()
    out.print(table)
    out.print()


def _backlog(name: str, carried: Mapping[str, Any]) -> None:
    floor = carried["floor"]
    out.print(f"\n[bold]backlog, providers {name.replace('_', ' ')}[/bold]: {carried['orders']:,} orders")
    _counts("ended", carried["ended"])
    out.print(f"  {'completed':<14}{carried['completed_per_s']:,}/s")
    out.print(
        f"  {'floor':<14}{floor['completed_per_s']:,}/s: {floor['what']}, {floor['connections']} connections"
    )
    each = ", ".join(
        f"{kind} {spent:.2f}" for kind, spent in carried["cpu_ms_per_order"].items() if spent >= 0.01
    )
    out.print(f"  {'CPU ms/order':<14}{carried['cpu_ms_per_order_total']:.2f}: {each}")


def _facts(label: str, facts: Mapping[str, Any]) -> None:
    """Whatever a run adds, in words: {"p99": 3.1} within a fact reads "p99 3.1"."""
    listed = ", ".join(f"{name.replace('_', ' ')} {_in_words(value)}" for name, value in facts.items())
    out.print(f"  {label.replace('_', ' '):<14}{listed}", markup=False)


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_in_words(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_in_words(inner) for inner in value)
    return f"{value:,}" if isinstance(value, int | float) else str(value)
