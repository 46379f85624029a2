"""All web processes are gone: nginx says so by itself, to programs and to people, and then all goes on."""

import http.client
import uuid
from contextlib import closing
from urllib.parse import urlsplit

from tests.conftest import House
from tests.whole.crowding import all_complete, place


def test_nginx_tells_everybody_to_come_again(stack: House) -> None:
    key = str(uuid.uuid4())
    with stack.without("web"):
        refused = place(stack, key)
        with closing(http.client.HTTPConnection(urlsplit(stack.shop_url).netloc, timeout=60)) as connection:
            connection.request("GET", "/cart/", headers={"Cookie": "cart=what-is-in-it"})
            page = connection.getresponse()
            said = page.read().decode()
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert refused.body["type"] == "/api/problems/temporarily-unavailable/"
    assert (page.status, page.headers["Retry-After"]) == (503, "5")
    assert page.headers["Set-Cookie"] is None
    assert "Your cart is safe" in said
    all_complete(stack, [place(stack, key)])
