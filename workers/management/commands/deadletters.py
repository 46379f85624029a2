"""`manage.py deadletters`: look at what was given up, and replay, dry-run or discard it."""

import getpass
import json
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from rich.console import RenderableType

from orders.models import Order
from orders.models.order import id_of
from workers.deadletters import canary, console, note, replay
from workers.deadletters.choosing import RUNNING, Choice, groups, open_letters
from workers.deadletters.discarding import discard
from workers.deadletters.dry_run import NotNow, dry_run
from workers.models import DeadLetter, Replay

Row = TypeVar("Row", bound=Model)

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST = 300  # characters of a sentence in the history
_POLL = 0.5  # seconds between looks at a replay that is waited for


class Command(BaseCommand):
    help = "Dead letters: what was given up and waits for a person."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

        def command(
            name: str, work: Callable[..., None], what: str, *arguments: Callable[[CommandParser], None]
        ) -> CommandParser:
            added: CommandParser = parsers.add_parser(name, help=what, description=what)
            added.set_defaults(work=work)
            added.add_argument("--json", action="store_true", help="as JSON, for programs")
            for add in arguments:
                add(added)
            return added

        one = command("list", self._list, "The letters, newest first.", _filters)
        one.add_argument("--resolved", action="store_true", help="also those that are resolved")
        one.add_argument("--limit", type=_at_least_one, default=50, help="so many at most (50)")
        command("groups", self._groups, "The open letters by failure: one line, one bug.", _filters)
        command("show", self._show, "All that is known of one letter.", _letter)
        command("dry-run", self._dry_run, "Run its step against the present code, and roll it back.", _letter)
        what = "Make the orders of these letters due again, all at once."
        command("replay", self._replay, what, _filters, _person)
        what = "Replay one letter, then the rest at a rate, halting when one fails again."
        one = command("canary", self._canary, what, _filters, _person)
        one.add_argument(
            "--rate", type=float, default=canary.DEFAULT_RATE, help="letters a second after the canary (10)"
        )
        one.add_argument("--wait", action="store_true", help="until it has ended; exit 1 if it halted")
        one = command("replays", self._replays, "The canary replays, newest first.")
        one.add_argument("--limit", type=_at_least_one, default=20, help="so many at most (20)")
        what = "Stop a canary replay; letters still to come stay open."
        one = command("stop", self._stop, what, _person)
        one.add_argument("replay", type=int, help="its number, as `replays` shows it")
        what = "Write a sentence into the history of letters: give it with --why."
        command("note", self._note, what, _filters, _person)
        one = command("discard", self._discard, "Close letters for a reason.", _filters, _person)
        help_text = "also cancel the orders that wait for them"
        one.add_argument("--cancel-orders", action="store_true", help=help_text)

    def handle(self, *args: Any, **options: Any) -> None:
        options["work"](options)

    def _list(self, options: dict[str, Any]) -> None:
        letters = DeadLetter.objects.all() if options["resolved"] else open_letters()
        found = self._up_to(options["limit"], _choice(options).among(letters).select_related("order"))
        self._say(options, [console.as_dict(letter) for letter in found], console.letters_table(found))

    def _up_to(self, limit: int, rows: QuerySet[Row]) -> list[Row]:
        """The first of them; that there are more is said where it does not disturb a program."""
        found = list(rows[:limit])
        if len(found) == limit and (count := rows.count()) > limit:
            self.stderr.write(f"These are {limit:,} of {count:,}; --limit shows more.")
        return found

    def _groups(self, options: dict[str, Any]) -> None:
        found = groups(_choice(options).among(open_letters()))
        self._say(options, [asdict(group) for group in found], console.groups_table(found))

    def _show(self, options: dict[str, Any]) -> None:
        letter = _one(options["letter"])
        self._say(options, console.whole(letter), console.letter_page(letter))

    def _dry_run(self, options: dict[str, Any]) -> None:
        try:
            result = dry_run(_one(options["letter"]))
        except NotNow as reason:
            raise CommandError(str(reason)) from reason
        changes = list(map(str, result.changes))
        plain = {**asdict(result), "verdict": result.verdict, "changes": changes}
        self._say(options, plain, console.dry_run_page(result))
        if result.failed:
            sys.exit(1)

    def _replay(self, options: dict[str, Any]) -> None:
        count = replay(_chosen(options), options["by"], why=options["why"])
        said = f"Replayed {count:,}; their orders are due now." if count else _NOTHING
        self._say(options, {"replayed": count}, said)

    def _canary(self, options: dict[str, Any]) -> None:
        choice = _choice(options)
        try:
            begun = canary.begin(
                _chosen(options),
                chosen=f"{choice}: {options['why']}" if options["why"] else str(choice),
                by=options["by"],
                rate=options["rate"],
            )
        except ValueError as problem:
            raise CommandError(str(problem)) from problem
        if begun is None:
            said = f"{_NOTHING} Or a running replay has them: see `replays`."
            return self._say(options, {"total": 0}, said)
        while options["wait"] and begun.state in RUNNING:
            time.sleep(_POLL)
            begun.refresh_from_db()
        self._say(options, console.replay_dict(begun), console.replays_table([begun]))
        if begun.state == Replay.State.HALTED:
            sys.exit(1)
        return None

    def _replays(self, options: dict[str, Any]) -> None:
        found = self._up_to(options["limit"], Replay.objects.all())
        self._say(options, [console.replay_dict(one) for one in found], console.replays_table(found))

    def _stop(self, options: dict[str, Any]) -> None:
        if not Replay.objects.filter(pk=options["replay"]).exists():
            raise CommandError(f"There is no replay {options['replay']}. `deadletters replays` shows them.")
        stopped = canary.stop(options["replay"], options["by"])
        said = "Stopped; letters still to come stay open." if stopped else "It had ended already."
        self._say(options, {"stopped": stopped}, said)

    def _discard(self, options: dict[str, Any]) -> None:
        try:
            result = discard(
                _chosen(options), options["by"], options["why"], cancel_orders=options["cancel_orders"]
            )
        except ValueError as problem:
            raise CommandError(f"{problem} Give it with --why.") from problem
        said = [f"Discarded {result.letters:,}."] if result.letters or not result.kept else []
        if result.cancelled:
            said.append(f"Cancelled with them: {', '.join(result.cancelled)}.")
        self._say(options, asdict(result), "\n".join([*said, *result.kept]))
        if result.kept:
            sys.exit(1)

    def _note(self, options: dict[str, Any]) -> None:
        try:
            count = note(_chosen(options), options["by"], options["why"])
        except ValueError as problem:
            raise CommandError(f"{problem} Give them with --why.") from problem
        self._say(options, {"noted": count}, f"Noted in the history of {count:,}.")

    def _say(self, options: dict[str, Any], plain: Any, shown: RenderableType) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(plain, cls=DjangoJSONEncoder, indent=2))
        elif shown:
            console.console(self.stdout).print(shown)


_NOTHING = "There is nothing to replay: no open dead letter of an order matches."


def _filters(parser: CommandParser) -> None:
    parser.add_argument("letters", nargs="*", type=int, metavar="LETTER", help="by number")
    parser.add_argument("--group", default="", help="by fingerprint, or its first digits")
    parser.add_argument("--task", default="", help="such as payment.charge")
    parser.add_argument("--error", default="", help="the error's class, such as IntegrityError")
    parser.add_argument("--order", type=_order, help="such as S-100017")
    parser.add_argument("--since", type=_time, help="such as 2h, 3d, 2026-11-21 or 2026-11-21T09:30")
    parser.add_argument("--until", type=_time, help="likewise")
    parser.add_argument("--all", action="store_true", help="all open letters, if no other filter is given")


def _letter(parser: CommandParser) -> None:
    parser.add_argument("letter", type=int, help="its number")


def _person(parser: CommandParser) -> None:
    parser.add_argument("--by", default=getpass.getuser(), help="who, for the letter's history (you)")
    parser.add_argument("--why", type=_sentence, default="", help="for the letter's history")


def _choice(options: dict[str, Any]) -> Choice:
    return Choice(
        **{name: options[name] for name in ("letters", "group", "task", "error", "order", "since", "until")}
    )


def _chosen(options: dict[str, Any]) -> QuerySet[DeadLetter]:
    """No filter at all does not mean all letters: that must be said."""
    choice = _choice(options)
    if choice == Choice(letters=[]) and not options["all"]:
        raise CommandError(
            "Which letters? Name them, or give --group, --task, --error, --order, --since or --all."
        )
    return choice.among(open_letters())


def _one(letter: int) -> DeadLetter:
    found = DeadLetter.objects.select_related("order").filter(pk=letter).first()
    if found is None:
        raise CommandError(f"There is no dead letter {letter}. `deadletters list --resolved` shows them all.")
    return found


def _at_least_one(said: str) -> int:
    if not said.isdecimal() or int(said) < 1:
        raise ArgumentTypeError(f"“{said}” is not a number from 1")
    return int(said)


def _sentence(said: str) -> str:
    if len(said) > _LONGEST:
        raise ArgumentTypeError(f"it has {len(said)} characters, and the history takes {_LONGEST}")
    return said


def _order(said: str) -> int:
    found = id_of(said)
    if found is None or not Order.objects.filter(pk=found).exists():
        raise ArgumentTypeError(f"there is no order {said}")
    return found


def _time(said: str) -> datetime:
    """A moment, a day, or how long ago."""
    if said[:-1].isdigit() and said[-1:] in _UNITS:
        return timezone.now() - timedelta(**{_UNITS[said[-1]]: int(said[:-1])})
    try:
        if found := parse_datetime(said):
            return found if timezone.is_aware(found) else timezone.make_aware(found)
        if day := parse_date(said):
            return timezone.make_aware(datetime(day.year, day.month, day.day))
    except ValueError as problem:
        raise ArgumentTypeError(str(problem)) from problem
    raise ArgumentTypeError(f"{said} is no time; give 2h, 3d, 2026-11-21 or 2026-11-21T09:30")
