"""What the desk's pages about dead letters show: the failures, one failure, one letter with its order beside it."""

from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils.html import format_html

from orders.admin import standing
from orders.admin.desk import link_to_order, precisely
from orders.facts import facts_of
from orders.workflow import remaining, steps
from workers.deadletters.choosing import RUNNING, Group, attempts, groups, open_letters
from workers.models import DeadLetter, Replay

_SHOWN = 20  # letters, replays and groups on one page
_COLOURS = {
    Replay.State.CANARY: "warning",
    Replay.State.ROLLING: "primary",
    Replay.State.HALTED: "danger",
    Replay.State.DONE: "success",
}
_NAMES = {"canary": "Canary replay…", "replay": "Replay all at once…", "discard": "Discard…", "note": "Note…"}
_ONE = {"replay": "Replay…"}

Links = list[tuple[str, str]]


def groups_page(*, may_do: bool) -> dict[str, Any]:
    found = groups(open_letters(), limit=200)
    return {
        "groups": [_group(group, may_do=may_do) for group in found],
        "open": open_letters().count(),
        "replays": _replays(Replay.objects.all()[:5]),
        "may_do": may_do,
    }


def group_page(fingerprint: str, *, may_do: bool) -> dict[str, Any]:
    """Raises Http404 for a failure that never was."""
    letters = DeadLetter.objects.filter(fingerprint=fingerprint)
    still_open = letters.filter(resolved_at=None)
    alike = groups(still_open) or groups(letters)
    if not alike:
        raise Http404("There is no such failure among the dead letters.")
    [group] = alike
    count = still_open.count()
    newest = list((still_open if count else letters).select_related("order")[:_SHOWN])
    rows = [
        (_link_to_letter(letter), _about(letter), precisely(letter.created_at), letter.message[:120])
        for letter in newest
    ]
    return {
        "title": f"{group.task}: {_short(group.error_class)}",
        "group": {**asdict(group), "count": count},
        "deeds": _group_deeds(fingerprint) if may_do and count else [],
        "versions": sorted(set(letters.order_by().values_list("code_version", flat=True).distinct()))
        or ["?"],
        "newest": "The newest ones" if count else "All of them are resolved; the newest ones were",
        "letters": {"headers": ("Letter", "About", "Given up", "Message"), "rows": rows},
        "all": f"{reverse('admin:workers_deadletter_changelist')}?fingerprint={fingerprint}",
        "traceback": newest[0].traceback,
        "replays": _replays(Replay.objects.filter(fingerprint=fingerprint)[:_SHOWN]),
        "may_do": may_do,
    }


def letter_page(letter: DeadLetter, *, may_do: bool) -> dict[str, Any]:
    order = letter.order
    tries = [
        *((one.at, one.error_class, one.message) for one in attempts(letter)[:200]),
        (letter.created_at, letter.error_class, letter.message),
    ]
    alike = (
        DeadLetter.objects.filter(fingerprint=letter.fingerprint, resolved_at=None)
        .exclude(pk=letter.pk)
        .count()
    )
    plan = steps(remaining(facts_of([order.pk])[0])) if order else ()
    deeds = (
        (["replay"] if order or letter.video_id else []) + ["discard", "note"]
        if may_do and letter.resolved_at is None
        else []
    )
    return {
        "title": f"{letter.task}: {_short(letter.error_class)}",
        "letter": letter,
        "given_up": precisely(letter.created_at),
        "group": reverse("admin:workers_deadletter_group", args=[letter.fingerprint]),
        "alike": f"{alike:,} more open of the same failure" if alike else "The same failure",
        "deeds": [
            (_ONE.get(deed, _NAMES[deed]), reverse("admin:workers_deadletter_deed", args=[letter.pk, deed]))
            for deed in deeds
        ],
        "order": order,
        "order_link": link_to_order(order.pk) if order else "",
        "standing": standing.told(order) if order else "",
        "left": ", ".join(step.value for step in plan) or "nothing",
        "tries": {
            "headers": ("When", "Error", "Message"),
            "rows": [(precisely(at), _short(error), said[:300]) for at, error, said in tries],
        },
        "history": {
            "headers": ("When", "What", "Who", "Why"),
            "rows": [
                (precisely(one.at), one.get_kind_display(), one.by, one.why)
                for one in letter.actions.order_by("id")
            ],
        },
    }


def _group(group: Group, *, may_do: bool) -> dict[str, Any]:
    return {
        **asdict(group),
        "error": _short(group.error_class),
        "address": reverse("admin:workers_deadletter_group", args=[group.fingerprint]),
        "deeds": _group_deeds(group.fingerprint) if may_do else [],
    }


def _group_deeds(fingerprint: str) -> Links:
    return [
        (name, reverse("admin:workers_deadletter_group_deed", args=[fingerprint, deed]))
        for deed, name in _NAMES.items()
    ]


def _replays(replays: QuerySet[Replay]) -> list[Replay]:
    """The replays, each with its colour and how far it got in percent."""
    found = list(replays)
    for one in found:
        one.colour = _COLOURS.get(Replay.State(one.state), "")  # type: ignore[attr-defined]
        one.percent = 100 * one.replayed // max(one.total, 1)  # type: ignore[attr-defined]
    return found


def running(replay_id: int) -> Replay:
    """A replay that can be stopped. Raises Http404."""
    found = Replay.objects.filter(pk=replay_id, state__in=RUNNING).first()
    if found is None:
        raise Http404(f"There is no running replay {replay_id}; perhaps it has ended.")
    return found


def _about(letter: DeadLetter) -> str:
    return link_to_order(letter.order_id) if letter.order_id else letter.subject


def _link_to_letter(letter: DeadLetter) -> str:
    address = reverse("admin:workers_deadletter_change", args=[letter.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', address, letter.pk)


def _short(error_class: str) -> str:
    return error_class.rpartition(".")[2]
