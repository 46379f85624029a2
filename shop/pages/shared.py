"""Pages that are the same for everybody: made once, and handed to all who ask within a few seconds.

nginx keeps them (deploy/nginx.conf.template), so a crowd that looks costs web a page now and then, and goes on looking
while web is full or away. What belongs to one visitor is not in them: the number of pieces in the cart is remembered
by the browser, and forms carry no token (shop.security.believe_the_browser). Who has a session (staff) or is to be told
something gets a page of their own.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpResponse

from shop.pages.request import ShopRequest

SECONDS = 3  # a page may be as old; then the next visitor has it made anew, and the others get the old one meanwhile
# Whoever brings one of these gets a page of their own; nginx is told the same.
PERSONAL = (settings.SESSION_COOKIE_NAME, "messages")

View = Callable[..., HttpResponse]


def shared(view: View) -> View:
    """Let nginx keep what the view answers to whoever brings none of the PERSONAL cookies."""

    @wraps(view)
    def answered(request: ShopRequest, *arguments: Any, **named: Any) -> HttpResponse:
        request.shared = not any(name in request.COOKIES for name in PERSONAL)
        response = view(request, *arguments, **named)
        if request.shared and response.status_code == 200:
            response["X-Accel-Expires"] = str(SECONDS)  # nginx takes it out
            response["Cache-Control"] = "no-cache"  # browsers ask each time
        return response

    return answered
