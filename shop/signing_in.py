"""Signing in to the admin: whom wrong passwords are counted against, and how many are checked at once.

django-axes counts and locks (the settings AXES_…). Checking a password is meant to be slow, some 0.3 s of a processor,
so a flood of them would take every thread of the shop. One at a time is checked in each process; whoever comes beside
it is told to try again, and the threads are left to shoppers.
"""

from collections.abc import Callable
from functools import wraps
from ipaddress import IPv6Address, ip_address, ip_network
from threading import BoundedSemaphore

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

RETRY_AFTER = 3  # seconds

_checking = BoundedSemaphore(1)


def visitor(request: HttpRequest) -> str | None:
    """Where a request comes from, as nginx saw it. Of an IPv6 address the network, for one subscriber has all of it."""
    said = request.META.get("HTTP_X_REAL_IP") or request.META.get("REMOTE_ADDR", "")
    try:
        address = ip_address(said)
    except ValueError:
        return None  # a socket has none: all who come through it are one visitor
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address.packed, 64), strict=False).network_address)
    return str(address)


def one_at_a_time(sign_in: Callable[[HttpRequest], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The view that checks passwords, for one POST at a time in this process; the others are answered 503 at once."""

    @wraps(sign_in)
    def bounded(request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST":
            return sign_in(request)
        if not _checking.acquire(blocking=False):
            return _busy(request)
        try:
            return sign_in(request)
        finally:
            _checking.release()

    return bounded


def locked_out(
    request: HttpRequest, _answered: HttpResponseBase | None, credentials: dict[str, str] | None
) -> HttpResponse:
    """What axes answers after too many wrong passwords."""
    name = (credentials or {}).get("username", "")
    return render(request, "shop/errors/429.html", {"name": name}, status=429)


def _busy(request: HttpRequest) -> HttpResponse:
    response = render(request, "shop/errors/signing_in.html", status=503)
    response["Retry-After"], response["Cache-Control"] = str(RETRY_AFTER), "no-store"
    return response
