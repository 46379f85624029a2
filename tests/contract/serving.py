"""`python serving.py HOST PORT`: runs localstripe, with what it lacks of Stripe's API and our adapter speaks of.

Run with localstripe alone on the path, and never imported. What is added here is only the form of requests and answers:

- it refuses `return_url`, which Stripe wants of every payment that may have to be confirmed, and
  `allowed_payment_method_types`, which took the place of another name in September 2026;
- it leaves out `amount_received`;
- it lists the oldest first, Stripe the newest;
- it knows no disputes, and so has none to list;
- it writes all it knows to /tmp after each change, which whoever else runs it would read.

What it does otherwise than Stripe stays as it is, and stands in test_gateways.py by name.
"""

import sys
from typing import Any

from aiohttp import web
from localstripe import resources, server

NOT_KNOWN = {"return_url", "allowed_payment_method_types"}

resources.Store.dump_to_disk = lambda _: None

_create = resources.PaymentIntent._api_create.__func__
_list = resources.PaymentIntent._api_list_all.__func__


def create(kind: Any, /, **data: Any) -> Any:
    known = {name: value for name, value in data.items() if name not in NOT_KNOWN}
    return _create(kind, **known)


def newest_first(kind: Any, /, url: str, **data: Any) -> Any:
    found = _list(kind, url, **data)
    found._list.reverse()
    return found


def amount_received(intent: Any) -> int:
    charge = intent.latest_charge
    return charge.amount if charge is not None and charge.status == "succeeded" and charge.captured else 0


resources.PaymentIntent._api_create = classmethod(create)
resources.PaymentIntent._api_list_all = classmethod(newest_first)
resources.PaymentIntent.amount_received = property(amount_received)


async def no_disputes(_: web.Request) -> web.Response:
    return web.json_response({"object": "list", "url": "/v1/disputes", "data": [], "has_more": False})


server.app.router.add_get("/v1/disputes", no_disputes)

if __name__ == "__main__":
    web.run_app(server.app, host=sys.argv[1], port=int(sys.argv[2]), print=None)
