"""The templates of e-mails: Jinja2, because Django's own take most of what an e-mail costs when a crowd orders."""

from typing import Any

from jinja2 import Environment, select_autoescape

from orders import money


def environment(**options: Any) -> Environment:
    """What Django's Jinja2 backend makes its templates with; only HTML is escaped."""
    made = Environment(**{**options, "autoescape": select_autoescape(["html"])})  # noqa: S701 (it is, where it is HTML)
    made.filters["amount"] = money.format
    return made
