"""What the admin's pages about dead letters show: all failures, one failure, one letter with its order beside it."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.http import Http404
from django.urls import reverse

from orders.admin import progress
from orders.admin.columns import link, link_to_order, precisely, table
from orders.facts import facts_of
from orders.workflow import remaining, steps
from workers.deadletters.choosing import Group, attempts, groups, open_letters
from workers.models import DeadLetter, Replay

_SHOWN = 20  # letters and replays on one page
_COLOURS = {
    Replay.State.CANARY: "warning",
    Replay.State.ROLLING: "primary",
    Replay.State.HALTED: "danger",
    Replay.State.DONE: "success",
}
_GROUP_ACTIONS = {
    "canary": "Canary replay…",
    "replay": "Replay all at once…",
    "discard": "Discard…",
    "note": "Note…",
}
_LETTER_ACTIONS = {"replay": "Replay…", "discard": "Discard…", "note": "Note…"}


def groups_page() -> dict[str, Any]:
    return {
        "title": "Dead letters",
        "groups": [_group(group) for group in groups(open_letters(), limit=200)],
        "open": open_letters().count(),
        "replays": _replays(Replay.objects.all()[:5]),
    }


def group_page(fingerprint: str) -> dict[str, Any]:
    """Raises Http404 for a failure that never was."""
    letters = DeadLetter.objects.filter(fingerprint=fingerprint)
    still_open = letters.filter(resolved_at=None)
    alike = groups(still_open) or groups(letters)
    if not alike:
        raise Http404("There is no such failure among the dead letters.")
    count = still_open.count()
    group = {**_group(alike[0]), "count": count}
    newest = list((still_open if count else letters).select_related("order")[:_SHOWN])
    rows = (
        (
            link(reverse("admin:workers_deadletter_change", args=[one.pk]), one.pk),
            about(one),
            precisely(one.created_at),
            one.message[:120],
        )
        for one in newest
    )
    return {
        "title": f"{group['task']}: {group['error']}",
        "group": group,
        "actions": group["actions"] if count else [],
        "versions": sorted(set(letters.order_by().values_list("code_version", flat=True))) or ["?"],
        "newest": "The newest ones" if count else "All of them are resolved; the newest ones were",
        "letters": table(("Letter", "About", "Given up", "Message"), rows),
        "all": f"{reverse('admin:workers_deadletter_changelist')}?fingerprint={fingerprint}",
        "traceback": newest[0].traceback,
        "replays": _replays(Replay.objects.filter(fingerprint=fingerprint)[:_SHOWN]),
    }


def letter_page(letter: DeadLetter) -> dict[str, Any]:
    order = letter.order
    tries = [
        *((one.at, one.error_class, one.message) for one in attempts(letter)[:200]),
        (letter.created_at, letter.error_class, letter.message),
    ]
    alike = open_letters().filter(fingerprint=letter.fingerprint).exclude(pk=letter.pk).count()
    plan = steps(remaining(facts_of([order.pk])[0])) if order else ()
    replayable = order or letter.video_id
    return {
        "title": f"{letter.task}: {short(letter.error_class)}",
        "letter": letter,
        "given_up": precisely(letter.created_at),
        "group": group_address(letter.fingerprint),
        "alike": f"{alike:,} more open of the same failure" if alike else "The same failure",
        "actions": [
            (words, reverse("admin:workers_deadletter_act", args=[letter.pk, action]))
            for action, words in _LETTER_ACTIONS.items()
            if letter.resolved_at is None and (replayable or action != "replay")
        ],
        "order": order,
        "order_link": link_to_order(order.pk) if order else "",
        "progress": progress.in_words(order) if order else "",
        "left": ", ".join(step.value for step in plan) or "nothing",
        "tries": table(
            ("When", "Error", "Message"),
            ((precisely(at), short(error), message[:300]) for at, error, message in tries),
        ),
        "history": table(
            ("When", "What", "Who", "Why"),
            (
                (precisely(one.at), one.get_kind_display(), one.by, one.why)
                for one in letter.actions.order_by("id")
            ),
        ),
    }


def about(letter: DeadLetter) -> str:
    return link_to_order(letter.order_id) if letter.order_id else letter.subject


def short(error_class: str) -> str:
    """Without its module."""
    return error_class.rpartition(".")[2]


def group_address(fingerprint: str) -> str:
    return reverse("admin:workers_deadletter_group", args=[fingerprint])


def _group(group: Group) -> dict[str, Any]:
    return {
        **asdict(group),
        "error": short(group.error_class),
        "address": group_address(group.fingerprint),
        "actions": [
            (words, reverse("admin:workers_deadletter_group_act", args=[group.fingerprint, action]))
            for action, words in _GROUP_ACTIONS.items()
        ],
    }


def _replays(replays: Iterable[Replay]) -> list[dict[str, Any]]:
    """The replays, each with its colour and its progress in percent."""
    return [
        {
            "replay": one,
            "colour": _COLOURS.get(Replay.State(one.state), ""),
            "percent": 100 * one.replayed // max(one.total, 1),
        }
        for one in replays
    ]
