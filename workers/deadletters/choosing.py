"""Choosing among dead letters: by group, task, error, order and time, as the admin and the command line do."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, QuerySet

from orders.models.order import number_of
from workers.models import DeadLetter, FailedAttempt, Replay

RUNNING = (Replay.State.CANARY, Replay.State.ROLLING)


@dataclass(frozen=True, slots=True)
class Choice:
    """What to look for; fields left empty do not matter. `group` may be the beginning of a fingerprint."""

    letters: Collection[int] = ()
    group: str = ""
    task: str = ""
    error: str = ""
    order: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def among(self, letters: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        """Those of the letters that match."""
        wanted = {
            "pk__in": list(self.letters),
            "fingerprint__startswith": self.group,
            "task": self.task,
            "error_class__iendswith": self.error,
            "order": self.order,
            "created_at__gte": self.since,
            "created_at__lt": self.until,
        }
        return letters.filter(**{name: value for name, value in wanted.items() if value})

    def __str__(self) -> str:
        """For people, and for the row of a replay."""
        parts = [
            f"letters {', '.join(map(str, self.letters))}" if self.letters else "",
            f"group {self.group[:12]}" if self.group else "",
            f"task {self.task}" if self.task else "",
            f"error {self.error}" if self.error else "",
            f"order {number_of(self.order)}" if self.order else "",
            f"since {self.since:%Y-%m-%d %H:%M}" if self.since else "",
            f"until {self.until:%Y-%m-%d %H:%M}" if self.until else "",
        ]
        return ", ".join(part for part in parts if part) or "every open letter"


@dataclass(frozen=True, slots=True)
class Group:
    """Letters of the same failure; `sample` is the id of the newest, `message` what it says."""

    fingerprint: str
    task: str
    error_class: str
    count: int
    first: datetime
    last: datetime
    sample: int
    message: str


def open_letters() -> QuerySet[DeadLetter]:
    return DeadLetter.objects.filter(resolved_at=None)


def groups(letters: QuerySet[DeadLetter], limit: int | None = None) -> list[Group]:
    """The letters by failure, the most frequent first; two statements, however many there are."""
    found = list(
        letters.order_by()
        .values("fingerprint", "task", "error_class")
        .annotate(count=Count("pk"), first=Min("created_at"), last=Max("created_at"), sample=Max("pk"))
        .order_by("-count", "fingerprint")[:limit]
    )
    messages = dict(
        DeadLetter.objects.filter(pk__in=[group["sample"] for group in found]).values_list("pk", "message")
    )
    return [Group(**group, message=messages[group["sample"]]) for group in found]


def attempts(letter: DeadLetter) -> QuerySet[FailedAttempt]:
    """The failed attempts that led to this letter, oldest first; the last one is the letter itself."""
    earlier = DeadLetter.objects.filter(order=letter.order_id, task=letter.task, pk__lt=letter.pk)
    found = FailedAttempt.objects.filter(order=letter.order_id, task=letter.task, at__lte=letter.created_at)
    return _after(earlier, found)


def attempts_since(order_id: int, tasks: Collection[str]) -> QuerySet[FailedAttempt]:
    """The failed attempts at these tasks since the order's last dead letter, oldest first."""
    letters = DeadLetter.objects.filter(order=order_id)
    return _after(letters, FailedAttempt.objects.filter(order=order_id, task__in=tasks))


def _after(letters: QuerySet[DeadLetter], found: QuerySet[FailedAttempt]) -> QuerySet[FailedAttempt]:
    last = letters.aggregate(last=Max("created_at"))["last"]
    return (found.filter(at__gt=last) if last else found).order_by("id")
