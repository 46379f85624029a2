"""Dead letters for the command line: as tables for people, as plain dictionaries for programs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from workers.deadletters.choosing import Group as Alike
from workers.deadletters.choosing import attempts
from workers.deadletters.dry_run import DryRun
from workers.models import DeadLetter, FailedAttempt, Replay

_WIDE = 160  # characters, where the output is no terminal
_SHORT = 12  # digits of a fingerprint that are shown; fewer will do to choose a group


def letters_table(letters: Sequence[DeadLetter]) -> RenderableType:
    titles = ("Letter", "Given up", "Task", "About", "Error", "Message", "Resolved")
    rows = [
        (one.pk, one.created_at, one.task, one.about, _error(one), one.message, one.resolution)
        for one in letters
    ]
    return _table(titles, rows)


def groups_table(groups: Sequence[Alike]) -> RenderableType:
    titles = ("Group", "Letters", "Task", "Error", "For example", "First", "Last")
    rows = [
        (one.fingerprint[:_SHORT], one.count, one.task, _error(one), one.message, one.first, one.last)
        for one in groups
    ]
    return _table(titles, rows)


def replays_table(replays: Sequence[Replay]) -> RenderableType:
    titles = ("Replay", "State", "Replayed", "Rate", "Of", "Begun", "By", "")
    rows = []
    for one in replays:
        state, done = one.get_state_display(), f"{one.replayed:,} of {one.total:,}"
        rows.append((one.pk, state, done, f"{one.rate:g}/s", one.chosen, one.created_at, one.by, one.said))
    return _table(titles, rows)


def letter_page(letter: DeadLetter) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(letter):
        facts.add_row(Text(name, style="bold"), Text(value))
    tries = [(one.at, _error(one), one.message) for one in attempts(letter)]
    tries.append((letter.created_at, _error(letter), letter.message))
    history = [(one.at, one.get_kind_display(), one.by, one.why) for one in letter.actions.order_by("id")]
    parts: list[RenderableType] = [facts, *_part("Attempts", _table(("When", "Error", "Message"), tries))]
    if history:
        parts += _part("History", _table(("When", "What", "By", "Why"), history))
    if letter.payload:
        parts += _part("The message as it came", Text(letter.payload))
    return Group(*parts, "", Text(letter.traceback or "No traceback was kept."))


def dry_run_page(result: DryRun) -> RenderableType:
    said = f"A dry run of {result.task} for {result.about}. Nothing was changed and no provider was called."
    parts: list[RenderableType] = [Text(said)]
    for title, lines in (("It would call", result.calls), ("It would change", result.changes)):
        if lines:
            parts += _part(title, *(Text(f"  {line}") for line in lines))
    return Group(*parts, "", Text(result.verdict, style="bold red" if result.failed else "bold green"))


def as_dict(letter: DeadLetter) -> dict[str, Any]:
    return {
        "letter": letter.pk,
        "order": letter.order.number if letter.order else None,
        "error": letter.error_class,
        "group": letter.fingerprint,
        "version": letter.code_version,
        "at": letter.created_at,
        **_named(letter, "task", "about", "message", "stops_order", "resolved_at", "resolution"),
    }


def whole(letter: DeadLetter) -> dict[str, Any]:
    """With all that is known of it."""
    return {
        **as_dict(letter),
        "traceback": letter.traceback,
        "payload": letter.payload,
        "attempts": [
            {"at": one.at, "error": one.error_class, "message": one.message} for one in attempts(letter)
        ],
        "history": [
            {"at": one.at, "what": one.kind, "by": one.by, "why": one.why, "replay": one.replay_id}
            for one in letter.actions.order_by("id")
        ],
    }


def replay_dict(replay: Replay) -> dict[str, Any]:
    return {
        "replay": replay.pk,
        "of": replay.chosen,
        "at": replay.created_at,
        **_named(replay, "state", "rate", "total", "replayed", "failed_again", "said", "by", "ended_at"),
    }


def _named(row: DeadLetter | Replay, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def console(stream: Any) -> Console:
    return Console(file=stream, highlight=False, width=None if stream.isatty() else _WIDE)


def _facts(letter: DeadLetter) -> list[tuple[str, str]]:
    order = letter.order
    return [
        ("Letter", f"{letter.pk}, {letter.resolution or 'open'}"),
        ("Task", letter.task),
        ("About", f"{letter.about}, {order.get_status_display().lower()}" if order else letter.subject),
        ("Order", "waits for this letter" if letter.stops_order else "does not wait for it"),
        ("Error", letter.error_class),
        ("Message", letter.message),
        ("Group", letter.fingerprint[:_SHORT]),
        ("Code", letter.code_version or "not known"),
    ]


def _error(one: DeadLetter | FailedAttempt | Alike) -> str:
    """The name of its class, without the module."""
    return one.error_class.rpartition(".")[2]


def _part(title: str, *content: RenderableType) -> list[RenderableType]:
    return ["", Text(title, style="bold"), *content]


def _table(headers: Sequence[str], rows: Iterable[Iterable[object]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        wide = header in ("Message", "For example", "Why", "Of", "")
        table.add_column(header, no_wrap=not wide, overflow="ellipsis" if wide else "fold")
    for row in rows:
        table.add_row(*(Text(_cell(value).partition("\n")[0]) for value in row))
    return table


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    return f"{value:,}" if isinstance(value, int) else str(value)
