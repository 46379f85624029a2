"""The templates of e-mails: Jinja2, because Django's own take most of the time of an e-mail when a crowd orders."""

from typing import Any

from jinja2 import Environment, select_autoescape

from orders import money


def environment(**options: Any) -> Environment:
    """The environment of Django's Jinja2 backend. Only HTML is escaped."""
    del options["autoescape"]  # Django sets it, for every template
    made = Environment(autoescape=select_autoescape(["html"]), **options)
    made.filters["amount"] = money.format
    return made
