"""The list of orders and an order's page. Nothing of an order is edited or deleted: buttons ask for what may
happen to it, cancelling, refunding and another look, and each goes the way that shoppers and relay go."""

# ruff: noqa: ARG002 (the signatures are Django's)
# Unfold has no types.
# mypy: disable-error-code="misc, untyped-decorator"

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import action, display

from orders import scheduling
from orders.admin import standing
from orders.admin.confirming import confirming_page
from orders.admin.desk import DeskAdmin, briefly
from orders.admin.filters import DeadLetterFilter, StandingFilter
from orders.admin.page import STATUS_COLOURS, order_page
from orders.admin.printouts import ask_for
from orders.admin.refunding import refund_view
from orders.cancelling import NotCancellable, cancel
from orders.models import Order, OrderLine, Payment, Printout, StockItem
from orders.models.order import id_of
from orders.money import format


@admin.register(Order)
class OrderAdmin(DeskAdmin):
    list_display = ("numbered", "state", "customer", "total", "placed", "stands")
    list_display_links = ("numbered",)
    list_filter = ("status", StandingFilter, DeadLetterFilter, "payment_method", "placed_at")
    ordering = ("-id",)
    search_fields = ("token",)  # shows the box; what is searched is decided below
    search_help_text = "Order number, e-mail, name, SKU, token or the payment's reference"
    actions = ("print_packing_slips", "report_as_pdf", "report_as_csv")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @display(description="Order", ordering="id")
    def numbered(self, order: Order) -> str:
        return order.number

    @display(description="Status", ordering="status", label=STATUS_COLOURS)
    def state(self, order: Order) -> tuple[str, str]:
        return order.status, order.get_status_display()

    @display(description="Customer", header=True)
    def customer(self, order: Order) -> tuple[str, str]:
        return order.name, order.email

    @display(description="Total")
    def total(self, order: Order) -> str:
        return format(order.total_minor, order.currency)

    @display(description="Placed", ordering="id")
    def placed(self, order: Order) -> str:
        return briefly(order.placed_at)

    @display(description="Where it stands", label=standing.COLOURS)
    def stands(self, order: Order) -> tuple[str, str]:
        now = standing.standing_of(order)
        return now, standing.NAMES[now]

    @action(description="Packing slips of these", permissions=["print"])
    def print_packing_slips(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return ask_for(request, Printout.Kind.PACKING_SLIPS, queryset)

    @action(description="Report of these as PDF", permissions=["print"])
    def report_as_pdf(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return ask_for(request, Printout.Kind.ORDERS_PDF, queryset)

    @action(description="Report of these as CSV", permissions=["print"])
    def report_as_csv(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return ask_for(request, Printout.Kind.ORDERS_CSV, queryset)

    def has_print_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("orders.add_printout")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        """Find by what the term looks like, so that every search but that for a name can use an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            return queryset.filter(email__in={term, term.lower()}), False
        # One by one: three indices answer in no time, an OR across tables would read them all.
        ids = [
            *Order.objects.filter(pk=id_of(term)).values_list("pk", flat=True),
            *Order.objects.filter(token=term).values_list("pk", flat=True),
            *Payment.objects.filter(reference=term).values_list("order_id", flat=True),
        ]
        if ids:
            return queryset.filter(pk__in=ids), False
        if StockItem.objects.filter(sku=term.upper()).exists():
            return queryset.filter(
                Exists(OrderLine.objects.filter(order=OuterRef("pk"), sku=term.upper()))
            ), False
        return queryset.filter(name__icontains=term), False

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<int:order_id>/cancel/", view(self.cancel_view), name="orders_order_cancel"),
            path("<int:order_id>/refund/", view(self.refund_view), name="orders_order_refund"),
            path("<int:order_id>/drive/", view(self.drive_view), name="orders_order_drive"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The order's page, to read. There is no form, so there is nothing that a POST could change."""
        order = self._order(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            **order_page(order),
            "opts": self.opts,
            "title": f"Order {order.number}",
            "may_change": self.has_change_permission(request, order),
            "may_refund": request.user.has_perm("orders.add_refund"),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "orders/admin/order.html", context)

    def cancel_view(self, request: HttpRequest, order_id: int) -> HttpResponseBase:
        order = self._order(request, order_id, to_change=True)
        back = reverse("admin:orders_order_change", args=[order.pk])
        if request.method != "POST":
            return confirming_page(
                self,
                request,
                title=f"Cancel order {order.number}",
                question=(
                    f"The order of {order.name} over {format(order.total_minor, order.currency)} ends for "
                    "good: its stock goes back on the shelf, its money to the customer, and the customer is told."
                ),
                button="Cancel the order",
                back=back,
            )
        try:
            cancel(order.token, detail="Cancelled by the shop.")
        except NotCancellable as reason:
            messages.error(request, str(reason))
        else:
            self.log_change(request, order, "Cancelled.")
            messages.success(request, f"Order {order.number} is cancelled.")
        return HttpResponseRedirect(back)

    def refund_view(self, request: HttpRequest, order_id: int) -> HttpResponseBase:
        order = self._order(request, order_id, to_change=True)
        if not request.user.has_perm("orders.add_refund"):
            raise PermissionDenied
        return refund_view(self, request, order)

    def drive_view(self, request: HttpRequest, order_id: int) -> HttpResponseBase:
        order = self._order(request, order_id, to_change=True)
        back = reverse("admin:orders_order_change", args=[order.pk])
        if request.method != "POST":
            return confirming_page(
                self,
                request,
                title=f"Drive order {order.number} again",
                question=(
                    "The relay takes the order up within a second and goes on where it stands. Nothing is "
                    "done twice: steps that are done stay done, every call to the outside carries its key."
                ),
                button="Drive it again now",
                back=back,
            )
        scheduling.make_due([order.pk])
        self.log_change(request, order, "Driven again.")
        messages.success(request, f"Order {order.number} is due now.")
        return HttpResponseRedirect(back)

    def _order(self, request: HttpRequest, order_id: str | int, *, to_change: bool = False) -> Order:
        try:
            order = Order.objects.select_related("payment", "shipment").get(pk=order_id)
        except (Order.DoesNotExist, ValueError):
            raise Http404(f"There is no order with the id {order_id}.") from None
        allowed = self.has_change_permission if to_change else self.has_view_permission
        if not allowed(request, order):
            raise PermissionDenied
        return order
