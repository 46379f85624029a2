"""What stands around every page of the operator's desk (the admin, made with Unfold): name, menu and colours."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy


def unfold(*, flower_url: str, mailbox_url: str) -> dict[str, Any]:
    """The setting UNFOLD; a page that runs nowhere is not in the menu."""
    elsewhere = [
        {"title": title, "icon": icon, "link": link}
        for title, icon, link in (
            ("Workers (Flower)", "monitoring", flower_url),
            ("Mailbox", "mail", mailbox_url),
        )
        if link
    ]
    menu = [
        _section(
            "Orders",
            {"title": "Overview", "icon": "dashboard", "link": reverse_lazy("admin:index")},
            _item("Orders", "receipt_long", "orders.order"),
            _item("Dead letters", "report", "workers.deadletter", page="groups"),
            _item("Printouts", "print", "orders.printout"),
            _item("Breakers", "power", "workers.breaker"),
            separator=False,
        ),
        _section(
            "Payments",
            _item("Findings", "balance", "orders.finding"),
            _item("Disputes and refunds by hand", "undo", "orders.reversal"),
            _item("Provider's reports", "inbox", "orders.providerevent"),
        ),
        _section(
            "Goods",
            _item("Products", "sell", "catalogue.product"),
            _item("Categories", "category", "catalogue.category"),
            _item("Videos", "movie", "videos.video"),
            _item("Stock", "inventory_2", "orders.stockitem"),
            _item("Stock ledger", "swap_vert", "orders.stockmovement"),
        ),
        _section(
            "System",
            *elsewhere,
            _item("Staff", "group", "auth.user"),
            _item("API tokens", "key", "authtoken.tokenproxy"),
        ),
    ]
    return {
        "SITE_TITLE": "Stampede",
        "SITE_HEADER": "Stampede",
        "SITE_SUBHEADER": "The operator's desk",
        "SITE_SYMBOL": "storefront",
        "SHOW_VIEW_ON_SITE": False,
        "DASHBOARD_CALLBACK": "workers.dashboard.show",
        "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": menu},
        "COLORS": {
            # The shop's own orange, from light to dark.
            "primary": {
                "50": "oklch(97.5% .015 45)",
                "100": "oklch(94.5% .035 45)",
                "200": "oklch(89% .07 45)",
                "300": "oklch(82% .11 44)",
                "400": "oklch(73% .16 42)",
                "500": "oklch(65% .19 40)",
                "600": "oklch(55% .17 38)",
                "700": "oklch(48% .15 37)",
                "800": "oklch(41% .12 37)",
                "900": "oklch(35% .1 37)",
                "950": "oklch(25% .07 37)",
            }
        },
    }


def _section(title: str, *items: dict[str, Any], separator: bool = True) -> dict[str, Any]:
    return {"title": title, "separator": separator, "items": list(items)}


def _item(title: str, icon: str, model: str, page: str = "changelist") -> dict[str, Any]:
    """A page about a model ("orders.order"), for those who may see its rows."""
    app, _, name = model.partition(".")

    def may_see(request: HttpRequest) -> bool:
        return request.user.has_perm(f"{app}.view_{name}")

    link = reverse_lazy(f"admin:{app}_{name}_{page}")
    return {"title": title, "icon": icon, "link": link, "permission": may_see}
