"""Where a form leads once it was acted on."""

from django.http import HttpResponseRedirect
from django.shortcuts import resolve_url


def see_other(to: str, *arguments: str) -> HttpResponseRedirect:
    """303 to a route of our own: the browser fetches it with GET, and a reload sends no form again."""
    response = HttpResponseRedirect(resolve_url(to, *arguments))
    response.status_code = 303
    return response
