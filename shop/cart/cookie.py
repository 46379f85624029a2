"""Which cart is the visitor's: a cookie with the cart's token, which nobody can guess.

A cookie that is damaged or of another shape names no cart and is never an error: the visitor can go on shopping.
"""

import re
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

NAME = "cart"
VISITOR = "visitor"  # drawn by nginx for whoever comes without one
MAX_AGE = 30 * 24 * 3600  # seconds since the last change
_TOKEN = re.compile(r"[0-9a-f]{32}")


def token_of(request: HttpRequest) -> str:
    """The token of the visitor's cart; "" if there is none yet."""
    token = request.COOKIES.get(NAME, "")
    return token if _TOKEN.fullmatch(token) else ""


def token_for(request: HttpRequest) -> str:
    """The token of the visitor's cart, or the one that a first cart gets.

    A visitor may press two buttons before the first answer brings the cookie. Both have the cookie that nginx gave
    out with the page that they came from; so a token made of that leads both to one cart.
    """
    if token := token_of(request):
        return token
    visitor = request.COOKIES.get(VISITOR, "")
    if not _TOKEN.fullmatch(visitor):
        visitor = secrets.token_hex()
    return salted_hmac("shop.cart", visitor, algorithm="sha256").hexdigest()[:32]


def hand_out(response: HttpResponse, token: str) -> None:
    """Tell the browser which cart is its own, for another month."""
    response.set_cookie(
        NAME, token, max_age=MAX_AGE, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )
