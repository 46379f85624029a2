"""Named points at which a process can be made to die, so that a test can crash it between two lines.

The kill matrix (`./dev chaos`) must hit the moment between a commit and the call that follows it. In production this is
off: `reached` does nothing. It is on when STAMPEDE_CRASHPOINTS names a folder:

    folder/charge.after_call    a token: the first process that reaches the point takes it and does what it says
    folder/hits.jsonl           a line for each token that was taken, on the disk before anything is done

A token says `kill` (this process, SIGKILL), `kill-parent` (the main process of a worker pool or of the web, while this
one goes on), `stall SECONDS` or `raise`. Taking it is one rename, so of many processes exactly one is hit.

In a step that calls a provider, `before_row` and `after_row` are the two sides of the commit that says "asked",
`after_call` is between the answer and the commit that writes it, `before_commit` and `after_commit` are its two sides.
"""

import json
import os
import signal
import time
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Protocol

VARIABLE = "STAMPEDE_CRASHPOINTS"
HITS = "hits.jsonl"


class Point(StrEnum):
    PLACE_BEFORE_COMMIT = "place.before_commit"
    PLACE_AFTER_COMMIT = "place.after_commit"

    WEBHOOK_BEFORE_COMMIT = "webhook.before_commit"
    WEBHOOK_AFTER_COMMIT = "webhook.after_commit"

    RELAY_BEFORE_CLAIM = "relay.before_claim"
    RELAY_AFTER_CLAIM = "relay.after_claim"
    RELAY_BEFORE_PUBLISH = "relay.before_publish"
    RELAY_AFTER_PUBLISH = "relay.after_publish"
    OUTBOX_BEFORE_PUBLISH = "outbox.before_publish"
    OUTBOX_AFTER_PUBLISH = "outbox.after_publish"
    OUTBOX_AFTER_MARK = "outbox.after_mark"

    TASK_BEGINS = "task.begins"
    TASK_BEFORE_PUBLISH = "task.before_publish"
    TASK_AFTER_PUBLISH = "task.after_publish"
    TASK_BEFORE_ACK = "task.before_ack"
    TASK_AFTER_ACK = "task.after_ack"

    RESERVE_BEFORE_COMMIT = "reserve.before_commit"
    RESERVE_AFTER_COMMIT = "reserve.after_commit"

    CHARGE_BEFORE_ROW = "charge.before_row"
    CHARGE_AFTER_ROW = "charge.after_row"
    CHARGE_AFTER_CALL = "charge.after_call"
    CHARGE_BEFORE_COMMIT = "charge.before_commit"
    CHARGE_AFTER_COMMIT = "charge.after_commit"

    EMAIL_BEFORE_ROW = "email.before_row"
    EMAIL_AFTER_ROW = "email.after_row"
    EMAIL_AFTER_CALL = "email.after_call"
    EMAIL_AFTER_COMMIT = "email.after_commit"

    SMS_BEFORE_ROW = "sms.before_row"
    SMS_AFTER_ROW = "sms.after_row"
    SMS_AFTER_CALL = "sms.after_call"
    SMS_AFTER_COMMIT = "sms.after_commit"

    INVOICE_BEFORE_COMMIT = "invoice.before_commit"
    INVOICE_AFTER_COMMIT = "invoice.after_commit"

    SHIP_BEFORE_ROW = "ship.before_row"
    SHIP_AFTER_ROW = "ship.after_row"
    SHIP_AFTER_CALL = "ship.after_call"
    SHIP_BEFORE_COMMIT = "ship.before_commit"
    SHIP_AFTER_COMMIT = "ship.after_commit"

    COMPLETE_BEFORE_COMMIT = "complete.before_commit"
    COMPLETE_AFTER_COMMIT = "complete.after_commit"

    RELEASE_BEFORE_COMMIT = "release.before_commit"
    RELEASE_AFTER_COMMIT = "release.after_commit"

    REFUND_BEFORE_ROW = "refund.before_row"
    REFUND_AFTER_ROW = "refund.after_row"
    REFUND_AFTER_CALL = "refund.after_call"
    REFUND_BEFORE_COMMIT = "refund.before_commit"
    REFUND_AFTER_COMMIT = "refund.after_commit"

    CLOSE_BEFORE_COMMIT = "close.before_commit"
    CLOSE_AFTER_COMMIT = "close.after_commit"

    DOCUMENTS_BEFORE_FILE = "documents.before_file"
    DOCUMENTS_AFTER_FILE = "documents.after_file"
    DOCUMENTS_AFTER_COMMIT = "documents.after_commit"


class Crash(Exception):
    """Raised for a token that says `raise`, as a bug would be."""


class Reached(Protocol):
    def __call__(self, point: Point, orders: Collection[int] = ()) -> None:
        """The point is reached, with these orders in hand."""


def _off(point: Point, orders: Collection[int] = ()) -> None:
    """Every point in production."""


class Armed:
    """The points of a process that may be made to die; `folder` holds the tokens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, point: Point, orders: Collection[int] = ()) -> None:
        token = self._folder / point.value
        mine = self._folder / f".{point.value}.{os.getpid()}"
        try:
            token.rename(mine)
        except FileNotFoundError:
            return
        what = mine.read_text().strip()
        mine.unlink()
        self._note(point, what, orders)
        _do(point, what)

    def _note(self, point: Point, what: str, orders: Collection[int]) -> None:
        line = {
            "point": point.value,
            "does": what,
            "pid": os.getpid(),
            "parent": os.getppid(),
            "process": os.environ.get("PGAPPNAME", ""),
            "orders": list(orders),
            "at": time.time(),
        }
        with (self._folder / HITS).open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _do(point: Point, what: str) -> None:
    action, _, argument = what.partition(" ")
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "kill-parent":
        os.kill(os.getppid(), signal.SIGKILL)
    elif action == "stall":
        time.sleep(float(argument))
    else:
        raise Crash(f"a token at {point.value} said {what!r}")


_folder = os.environ.get(VARIABLE)
reached: Reached = Armed(Path(_folder)) if _folder else _off
