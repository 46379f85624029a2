"""What stands around every page of the operator's desk (the admin, made with Unfold): its name, menu and
colours."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy


def unfold(*, flower_url: str, mailbox_url: str) -> dict[str, Any]:
    """The setting UNFOLD; a page that runs nowhere is not in the menu."""
    outside = [
        {"title": title, "icon": icon, "link": link, "permission": _is_staff}
        for title, icon, link in (
            ("Workers (Flower)", "monitoring", flower_url),
            ("Mailbox", "mail", mailbox_url),
        )
        if link
    ]
    menu = [
        {
            "title": "Orders",
            "items": [
                _item("Overview", "dashboard", "index", _is_staff),
                _item("Orders", "receipt_long", "orders_order_changelist", _may("orders.view_order")),
                _item("Dead letters", "report", "workers_deadletter_groups", _may("workers.view_deadletter")),
                _item("Printouts", "print", "orders_printout_changelist", _may("orders.view_printout")),
                _item("Breakers", "power", "workers_breaker_changelist", _may("workers.view_breaker")),
            ],
        },
        {
            "title": "Payments",
            "separator": True,
            "items": [
                _item("Findings", "balance", "orders_finding_changelist", _may("orders.view_finding")),
                _item(
                    "Provider's reports",
                    "inbox",
                    "orders_providerevent_changelist",
                    _may("orders.view_providerevent"),
                ),
            ],
        },
        {
            "title": "Goods",
            "separator": True,
            "items": [
                _item("Products", "sell", "catalogue_product_changelist", _may("catalogue.view_product")),
                _item(
                    "Categories", "category", "catalogue_category_changelist", _may("catalogue.view_category")
                ),
                _item("Videos", "movie", "videos_video_changelist", _may("videos.view_video")),
                _item("Stock", "inventory_2", "orders_stockitem_changelist", _may("orders.view_stockitem")),
                _item(
                    "Stock ledger",
                    "swap_vert",
                    "orders_stockmovement_changelist",
                    _may("orders.view_stockmovement"),
                ),
            ],
        },
        {
            "title": "House",
            "separator": True,
            "items": [
                *outside,
                _item("Staff", "group", "auth_user_changelist", _may("auth.view_user")),
                _item(
                    "API tokens", "key", "authtoken_tokenproxy_changelist", _may("authtoken.view_tokenproxy")
                ),
            ],
        },
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


def _item(title: str, icon: str, route: str, permission: Any) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{route}"), "permission": permission}


def _is_staff(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_staff", False))


def _may(permission: str) -> Any:
    return lambda request: request.user.has_perm(permission)
