"""How processes log: each line an object for programs (json) or words for people (console), with what it is about.

Code logs by the standard library; structlog makes the lines. What a line is about comes from the context in which it
was written (the request of the web, the task of a worker), and from the order numbers that it names.
"""

import re
import sys
import uuid
from collections.abc import Callable
from typing import Any

from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponseBase
from structlog import contextvars, dev, processors, stdlib, typing

REQUEST_ID = "X-Request-Id"
_VALID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ORDER = re.compile(r"\bS-\d{6,}\b")
_SHOWN = 5  # order numbers that a line for people has at most


def configuration(level: str, form: str) -> dict[str, Any]:
    """The setting LOGGING for lines of the form "json" or "console"."""
    console = dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=dev.plain_traceback)
    as_json = (
        _with_orders,
        processors.format_exc_info,
        processors.EventRenamer("message"),
        processors.JSONRenderer(),
    )
    formatter = {
        "()": stdlib.ProcessorFormatter,
        "foreign_pre_chain": [
            contextvars.merge_contextvars,
            stdlib.add_log_level,
            stdlib.add_logger_name,
            processors.TimeStamper(fmt="iso", utc=True),
        ],
        "processors": [
            stdlib.ProcessorFormatter.remove_processors_meta,
            *(as_json if form == "json" else (_abbreviated, console)),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "stripe": {"level": "WARNING"},  # a line for each request and one for its answer
            "axes": {"level": "WARNING"},  # wrong passwords and locks; not every login
            # Servers that have handlers of their own before they load the shop.
            "_granian": {"propagate": True},
            "uvicorn": {"propagate": True, "level": "WARNING"},
            "uvicorn.access": {"propagate": False},
        },
    }


def _with_orders(_logger: Any, _method: str, event: typing.EventDict) -> typing.EventDict:
    """The order numbers that the line names, where its context has none."""
    if named := _ORDER.findall(event["event"]):
        event.setdefault("orders", named)
    return event


def _abbreviated(_logger: Any, _method: str, event: typing.EventDict) -> typing.EventDict:
    if len(orders := event.get("orders", ())) > _SHOWN:
        event["orders"] = [*orders[:_SHOWN], f"and {len(orders) - _SHOWN} more"]
    return event


def request_id(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: the id of the request, in each line that is logged for it and in its response.

    It is what the header X-Request-Id says, if that is no more than a name, or drawn. It holds until the request has
    ended, for Django logs how it answered when all middleware is through.
    """

    def handle(request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(REQUEST_ID, "")
        name = given if _VALID.fullmatch(given) else uuid.uuid4().hex
        contextvars.bind_contextvars(request_id=name)
        response = get_response(request)
        response[REQUEST_ID] = name
        return response

    return handle


request_finished.connect(lambda **_: contextvars.clear_contextvars(), weak=False)
