"""Writing a dead letter, and what becomes of its order: it stops, or goes on without the step that failed."""

import traceback
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from orders import scheduling
from orders.invoices import printing
from orders.models import Printout
from orders.notifications.messages import give_up
from orders.workflow import STEPS, Step
from shop.version import CODE_VERSION
from workers.deadletters.fingerprints import fingerprint, name_of
from workers.models import DeadLetter, FailedAttempt

DOCUMENTS = "documents.render"
CLEAR_VIDEO = "bulk.clear_video"
PRINTOUTS = "documents.printout"
_PAYLOAD = 100_000  # characters that are kept of a message that could not be read


def bury(step: Step, errors: Mapping[int, BaseException], *, stops: bool = False) -> None:
    """Write a dead letter for each order's failed step. The order stops, unless it can do without that step.

    `stops`: it stops in any case, because it is poison.
    """
    channel = None if stops else STEPS[step].channel
    with transaction.atomic():
        DeadLetter.objects.bulk_create(
            _letter(step.value, error, order_id=order_id, stops_order=channel is None)
            for order_id, error in errors.items()
        )
        for order_id in sorted(errors):
            if channel is None:
                scheduling.set_aside([order_id], f"{step.value}: {_words(errors[order_id])}")
            else:
                give_up(order_id, channel)
        if channel is not None:
            scheduling.make_due(errors)


def bury_documents(errors: Mapping[int, BaseException]) -> None:
    """Write a dead letter for each order whose PDF could not be made, and try no more; the order does not wait."""
    with transaction.atomic():
        DeadLetter.objects.bulk_create(
            _letter(DOCUMENTS, error, order_id=order_id) for order_id, error in errors.items()
        )
        printing.leave(errors)


def bury_printout(printout: Printout, error: BaseException) -> None:
    """Write a dead letter for a printout that could not be made; the printout's own admin page tries it again."""
    _letter(PRINTOUTS, error, f"{printout}: {printout.get_kind_display()} for {printout.by}").save()


def bury_message(task: str, queue: str, payload: str, error: BaseException) -> None:
    """Write a dead letter for a message that no task can be made of, or for a task that belongs to no order.

    Orders that the message may have named need no replay: the relay dispatches them again.
    """
    payload = _storable(payload[:_PAYLOAD])
    _letter(_storable(task)[:200], error, f"A message in the queue {queue}", payload=payload).save()


def bury_video(task: str, video_id: int, error: BaseException) -> None:
    """Write a dead letter for what could not be done with a video; the video itself is left to the caller."""
    _letter(task, error, f"V-{video_id}", video_id=video_id).save()


def note_attempts(step: Step, errors: Mapping[int, BaseException]) -> None:
    """Write down failed attempts that will be repeated; if they end in a dead letter, it shows them."""
    FailedAttempt.objects.bulk_create(
        FailedAttempt(
            order_id=order_id, task=step.value, error_class=name_of(error), message=_words(error)[:300]
        )
        for order_id, error in errors.items()
    )


def _letter(task: str, error: BaseException, subject: str = "", **columns: Any) -> DeadLetter:
    return DeadLetter(
        task=task,
        subject=_storable(subject)[:200],
        error_class=name_of(error),
        message=_words(error),
        traceback=_storable("".join(traceback.format_exception(error))),
        fingerprint=fingerprint(task, error),
        code_version=CODE_VERSION,
        **{"stops_order": False, **columns},
    )


def _words(error: BaseException) -> str:
    return _storable(str(error))


def _storable(text: str) -> str:
    """The text without what PostgreSQL refuses, so that every failure can be written down."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
