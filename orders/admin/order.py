"""The list of orders and an order's page. Nothing of an order is edited or deleted: buttons ask for what may happen to
it (cancel, refund, try again), and each calls the function that everything else calls for it."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.module_loading import import_string

from orders import invoices, scheduling
from orders.admin.action_page import ActionPage
from orders.admin.base import ReadOnlyAdmin
from orders.admin.cancelling import cancel_page
from orders.admin.columns import briefly, column, display
from orders.admin.filters import DeadLetterFilter, ProgressFilter
from orders.admin.page import STATUS_COLOURS, order_page
from orders.admin.printouts import ask_for
from orders.admin.progress import COLOURS, progress_of
from orders.admin.redirecting import redirect_page
from orders.admin.refunding import refund_page
from orders.admin.settling import settle_page
from orders.models import Order, OrderLine, Payment, Printout, StockItem
from orders.models.order import id_of
from orders.money import format


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ("numbered", "state", "customer", "total", "placed", "progress")
    list_display_links = ("numbered",)
    list_filter = ("status", ProgressFilter, DeadLetterFilter, "payment_method", "placed_at")
    ordering = ("-id",)
    search_fields = ("token",)  # shows the box; `found_by` decides what is searched
    search_help_text = "Order number, e-mail, name, SKU, token or the payment's reference"
    actions = ("print_packing_slips", "report_as_pdf", "report_as_csv")
    routes = {
        "cancel": "<int:order_id>/cancel/",
        "refund": "<int:order_id>/refund/",
        "drive": "<int:order_id>/drive/",
        "document": "<int:order_id>/documents/<slug:number>/",
        "redirect": "<int:order_id>/redirect/",
        "settle": "<int:order_id>/settle/",
    }
    numbered = column("Order", lambda order: order.number, ordering="id")
    state = column(
        "Status",
        lambda order: (order.status, order.get_status_display()),
        ordering="status",
        label=STATUS_COLOURS,
    )
    customer = column("Customer", lambda order: (order.name, order.email), header=True)
    total = column("Total", lambda order: format(order.total_minor, order.currency))
    placed = column("Placed", lambda order: briefly(order.placed_at), ordering="id")

    @display("Progress", label=COLOURS)
    def progress(self, order: Order) -> tuple[str, str]:
        progress = progress_of(order)
        return progress, progress.label

    @admin.action(description="Packing slips of these", permissions=["print"])
    def print_packing_slips(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return ask_for(request, Printout.Kind.PACKING_SLIPS, queryset)

    @admin.action(description="Report of these as PDF", permissions=["print"])
    def report_as_pdf(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return ask_for(request, Printout.Kind.ORDERS_PDF, queryset)

    @admin.action(description="Report of these as CSV", permissions=["print"])
    def report_as_csv(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return ask_for(request, Printout.Kind.ORDERS_CSV, queryset)

    def has_print_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.add_printout")

    def found_by(self, orders: QuerySet[Order], term: str) -> QuerySet[Order]:
        """By what the term looks like, so that every search except that for a name can use an index."""
        if "@" in term:
            return orders.annotate(folded_email=Lower("email")).filter(folded_email=term.lower())
        # One by one: three indices answer in no time, an OR across tables would read them all.
        ids = [
            *Order.objects.filter(pk=id_of(term) or 0).values_list("pk", flat=True),
            *Order.objects.filter(token=term).values_list("pk", flat=True),
            *Payment.objects.filter(reference=term).values_list("order_id", flat=True),
        ]
        if ids:
            return orders.filter(pk__in=ids)
        if StockItem.objects.filter(sku=term.upper()).exists():
            return orders.filter(Exists(OrderLine.objects.filter(order=OuterRef("pk"), sku=term.upper())))
        return orders.filter(name__icontains=term)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        _form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The order's page, to read. It has no form, so there is nothing that a POST could change."""
        order = self._order(request, object_id)
        context = {
            **order_page(order),
            "title": f"Order {order.number}",
            **(extra_context or {}),
        }
        return self.page(request, "orders/admin/order.html", context)

    def cancel_view(self, request: HttpRequest, order_id: int) -> HttpResponse:
        return cancel_page(self, request, self._order(request, order_id))

    def refund_view(self, request: HttpRequest, order_id: int) -> HttpResponse:
        return refund_page(self, request, self._order(request, order_id))

    def redirect_view(self, request: HttpRequest, order_id: int) -> HttpResponse:
        return redirect_page(self, request, self._order(request, order_id))

    def settle_view(self, request: HttpRequest, order_id: int) -> HttpResponse:
        return settle_page(self, request, self._order(request, order_id))

    def drive_view(self, request: HttpRequest, order_id: int) -> HttpResponse:
        order = self._order(request, order_id)

        def act(_form: object) -> str:
            scheduling.make_due([order.pk])
            self.log_change(request, order, "Tried again.")
            return f"Order {order.number} is due now."

        return ActionPage(
            permissions=["orders.change_order"],
            title=f"Try order {order.number} again",
            sentence="The relay dispatches the order within a second, and it goes on where it stopped. Nothing is done "
            "twice: steps that are done stay done, and every call to a provider carries its idempotency key.",
            button="Try again now",
            act=act,
            back=reverse("admin:orders_order_change", args=[order.pk]),
        ).respond(self, request)

    def document_view(self, request: HttpRequest, order_id: int, number: str) -> HttpResponse:
        """To the PDF, by a link that does not give away the address of the customer's page."""
        order = self._order(request, order_id)
        documents = order.documents.select_related("order", "refund")
        if (document := next((one for one in documents if one.number == number), None)) is None:
            raise Http404(f"Order {order.number} has no document {number}.")
        invoices.pdf(document)
        link: Callable[..., str] = import_string(settings.FILES_LINKED_BY)
        back = reverse("admin:orders_order_change", args=[order.pk])
        return HttpResponseRedirect(
            link(invoices.file_of(document), f"{document.number}.pdf", "application/pdf", back)
        )

    def _order(self, request: HttpRequest, order_id: str | int) -> Order:
        single = ("payment", "shipment", "delivery", "succession__order", "predecession__failed")
        return self.row_or_404(request, Order.objects.select_related(*single), order_id)
