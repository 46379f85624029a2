"""The page between a button and what it does. Links only lead here; what changes anything is the form's
POST, which carries the CSRF token, so that no link in an e-mail and no prefetching browser cancels an
order."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.template.response import TemplateResponse


def confirming_page(
    admin: "ModelAdmin[Any]",
    request: HttpRequest,
    *,
    title: str,
    question: str,
    button: str,
    back: str,
    fields: Mapping[str, Sequence[str]] | None = None,
) -> TemplateResponse:
    """Ask; `fields` are sent back with the POST, `back` is where "No" leads."""
    hidden = [(name, value) for name, values in (fields or {}).items() for value in values]
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": title,
        "question": question,
        "button": button,
        "back": back,
        "hidden": hidden,
    }
    return TemplateResponse(request, "orders/admin/confirm.html", context)
