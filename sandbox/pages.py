"""The pages that providers show to people: templates, one stylesheet, and a policy that allows nothing else.

No page needs JavaScript, and none loads anything from another host. What comes from outside (names, mails, addresses)
reaches a page only through the escaping of the templates.
"""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; base-uri 'none';"
    " frame-ancestors 'self'; form-action {form_action}"
)
# Currencies without a minor unit, as Stripe lists them.
WHOLE_CURRENCIES = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF"
SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥"}


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(ago=ago, moment=moment)
    return environment


def page(template: str, *, status: int = 200, form_action: str = "'self'", **values: Any) -> web.Response:
    """A page made from a template. `form_action` says where its forms may go."""
    text = _templates().get_template(template).render(**values)
    headers = {
        "Content-Security-Policy": POLICY.format(form_action=form_action),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def problem(status: int, title: str, message: str) -> web.Response:
    """A page that says what went wrong."""
    return page("problem.html", status=status, title=title, message=message)


def serve_assets(app: web.Application) -> None:
    """Serve the stylesheet that all pages share."""

    async def stylesheet(_request: web.Request) -> web.StreamResponse:
        return web.FileResponse(HERE / "templates/sandbox.css", headers={"Cache-Control": "max-age=300"})

    app.router.add_get("/sandbox.css", stylesheet)


def money(amount: int, currency: str) -> str:
    """An amount of minor units as people write it."""
    code = currency.upper()
    figure = f"{amount:,}" if code in WHOLE_CURRENCIES.split() else f"{amount / 100:,.2f}"
    return f"{SYMBOLS[code]}{figure}" if code in SYMBOLS else f"{figure} {code}"


def moment(at: float) -> str:
    """A moment in full, in UTC, the only zone that the server knows."""
    return f"{datetime.fromtimestamp(at, UTC):%-d %B %Y, %H:%M:%S} UTC"


def ago(at: float, now: float) -> str:
    """How long ago, in the unit that fits."""
    seconds = max(0, int(now - at))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now" if seconds < 5 else f"{seconds} s ago"
