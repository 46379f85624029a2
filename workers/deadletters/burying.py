"""Writing a dead letter, and what becomes of its order: it stops, or goes on without a side dish."""

import traceback
from collections.abc import Mapping

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
# Of a message that could not be read, so many characters are kept.
_PAYLOAD = 100_000


def bury(step: Step, errors: Mapping[int, BaseException], *, stops: bool = False) -> None:
    """Write a dead letter for each order's failed step; stop the order, or let it go on without a side dish.

    `stops`: the order is not to go on in any case, it is poison.
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
    """Write a dead letter for each order whose invoice could not be printed, and try no more; nobody waits for it."""
    with transaction.atomic():
        DeadLetter.objects.bulk_create(
            _letter(DOCUMENTS, error, order_id=order_id, stops_order=False)
            for order_id, error in errors.items()
        )
        printing.leave(errors)


def bury_printout(printout: Printout, error: BaseException) -> None:
    """Write a dead letter for a printout that could not be made; the desk has it tried again from its own page."""
    letter = _letter(PRINTOUTS, error, stops_order=False)
    letter.subject = f"{printout}: {printout.get_kind_display()} for {printout.by}"[:200]
    letter.save()


def bury_message(task: str, queue: str, payload: str, error: BaseException) -> None:
    """Write a dead letter for a message that no task can be made of, or for a task that belongs to no order.

    The orders it may have spoken of need no replay: the relay drives them again by itself.
    """
    letter = _letter(_storable(task)[:200], error, stops_order=False)
    letter.subject = _storable(f"A message in the queue {queue}")[:200]
    letter.payload = _storable(payload[:_PAYLOAD])
    letter.save()


def bury_video(task: str, video_id: int, error: BaseException) -> None:
    """Write a dead letter for what could not be done with a video; what becomes of it is for whoever calls."""
    letter = _letter(task, error, stops_order=False)
    letter.video_id, letter.subject = video_id, f"V-{video_id}"
    letter.save()


def note_attempts(step: Step, errors: Mapping[int, BaseException]) -> None:
    """Write down failed tries that will be repeated; a dead letter that comes of them shows them with their times."""
    FailedAttempt.objects.bulk_create(
        FailedAttempt(
            order_id=order_id, task=step.value, error_class=name_of(error), message=_words(error)[:300]
        )
        for order_id, error in errors.items()
    )


def _letter(task: str, error: BaseException, *, stops_order: bool, order_id: int | None = None) -> DeadLetter:
    return DeadLetter(
        order_id=order_id,
        task=task,
        error_class=name_of(error),
        message=_words(error),
        traceback=_storable("".join(traceback.format_exception(error))),
        fingerprint=fingerprint(task, error),
        code_version=CODE_VERSION,
        stops_order=stops_order,
    )


def _words(error: BaseException) -> str:
    return _storable(str(error))


def _storable(text: str) -> str:
    """The text without what PostgreSQL refuses: what cannot be written down must not hide that something failed."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
