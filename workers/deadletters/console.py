"""Dead letters for the command line: as tables for people, as plain dictionaries for programs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from workers.deadletters.choosing import Group as Alike
from workers.deadletters.choosing import attempts
from workers.deadletters.dry_run import DryRun
from workers.models import DeadLetter, Replay

_WIDE = 160  # characters, where nobody says how wide the paper is
_SHORT = 12  # digits of a fingerprint that people see; they may type fewer


def moment(at: datetime) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S")


def letters_table(letters: Sequence[DeadLetter]) -> RenderableType:
    rows = [
        (
            str(one.pk),
            moment(one.created_at),
            one.task,
            one.about,
            _short_error(one.error_class),
            one.message,
            one.resolution,
        )
        for one in letters
    ]
    return _table(("Letter", "Given up", "Task", "About", "Error", "Message", "Resolved"), rows)


def groups_table(groups: Sequence[Alike]) -> RenderableType:
    rows = [
        (
            one.fingerprint[:_SHORT],
            f"{one.count:,}",
            one.task,
            _short_error(one.error_class),
            one.message,
            moment(one.first),
            moment(one.last),
        )
        for one in groups
    ]
    return _table(("Group", "Letters", "Task", "Error", "For example", "First", "Last"), rows)


def replays_table(replays: Sequence[Replay]) -> RenderableType:
    rows = [
        (
            str(one.pk),
            one.get_state_display(),
            f"{one.replayed:,} of {one.total:,}",
            f"{one.rate:g}/s",
            one.chosen,
            f"{moment(one.created_at)} by {one.by}",
            one.said,
        )
        for one in replays
    ]
    return _table(("Replay", "State", "Replayed", "Rate", "Of", "Begun", ""), rows)


def letter_page(letter: DeadLetter) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(letter):
        facts.add_row(Text(name, style="bold"), Text(value))
    tries = [(moment(one.at), _short_error(one.error_class), one.message) for one in attempts(letter)]
    tries.append((moment(letter.created_at), _short_error(letter.error_class), letter.message))
    history = [
        (moment(one.at), one.get_kind_display(), one.by, one.why) for one in letter.actions.order_by("id")
    ]
    parts: list[RenderableType] = [
        facts,
        "",
        Text("Tries", style="bold"),
        _table(("When", "Error", "Message"), tries),
    ]
    if history:
        parts += ["", Text("History", style="bold"), _table(("When", "What", "By", "Why"), history)]
    if letter.payload:
        parts += ["", Text("The message as it came", style="bold"), Text(letter.payload)]
    return Group(*parts, "", Text(letter.traceback or "No traceback was kept."))


def dry_run_page(result: DryRun) -> RenderableType:
    parts: list[RenderableType] = [
        Text(f"{result.task} for {result.about}, rehearsed. Nothing was changed and nobody was called.")
    ]
    for title, lines in (("It would call", result.calls), ("It would change", result.changes)):
        if lines:
            parts += ["", Text(title, style="bold"), *(Text(f"  {line}") for line in lines)]
    return Group(*parts, "", Text(result.verdict, style="bold red" if result.failed else "bold green"))


def as_dict(letter: DeadLetter) -> dict[str, Any]:
    return {
        "letter": letter.pk,
        "task": letter.task,
        "order": letter.order.number if letter.order else None,
        "about": letter.about,
        "error": letter.error_class,
        "message": letter.message,
        "group": letter.fingerprint,
        "version": letter.code_version,
        "stops_order": letter.stops_order,
        "at": letter.created_at,
        "resolved_at": letter.resolved_at,
        "resolution": letter.resolution,
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
        "state": replay.state,
        "of": replay.chosen,
        "rate": replay.rate,
        "total": replay.total,
        "replayed": replay.replayed,
        "failed_again": replay.failed_again,
        "said": replay.said,
        "by": replay.by,
        "at": replay.created_at,
        "ended_at": replay.ended_at,
    }


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


def _short_error(error_class: str) -> str:
    return error_class.rpartition(".")[2]


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        wide = header in ("Message", "For example", "Why", "Of", "")
        table.add_column(header, no_wrap=not wide, overflow="ellipsis" if wide else "fold")
    for row in rows:
        table.add_row(*(Text(cell.partition("\n")[0]) for cell in row))
    return table
