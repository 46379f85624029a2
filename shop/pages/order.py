"""An order's own pages. Whoever has its unguessable address may see it, so the address must not travel: the
pages are not indexed, not cached, and send no referrer to other sites."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from orders import invoices
from orders.cancelling import NotCancellable, cancel, cancellable
from orders.models import Document, Order, Payment, Shipment
from orders.models.delivery import delivered_to
from orders.models.successor import successor_of
from orders.reading import read
from orders.states import FAILED_STATES, OrderStatus
from shop import downloads
from shop.cart import cookie, keeping
from shop.checkout import testcards
from shop.checkout.rules import COUNTRIES
from shop.downloads import Download
from shop.pages.checkout import already_retried
from shop.pages.progress import Progress, progress_of
from shop.pages.redirects import see_other
from shop.pages.request import ShopRequest

View = Callable[..., HttpResponseBase]


def private(view: View) -> View:
    @never_cache
    @wraps(view)
    def kept(request: ShopRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        response = view(request, *arguments, **named)
        response["X-Robots-Tag"] = "noindex, nofollow"
        # Not "no-referrer": with it browsers hide the origin of our own forms too, and the CSRF check refuses them.
        response["Referrer-Policy"] = "same-origin"
        return response

    return kept


@dataclass(frozen=True, slots=True)
class Status:
    """What the part of the page that changes needs to know."""

    order: Order
    progress: Progress
    payment: Payment | None
    shipment: Shipment | None
    invoice: Document | None
    credit_notes: list[Document]
    cancellable: bool
    successor: Order | None  # what stands in the place of an order that failed and was tried again

    @property
    def bank_page(self) -> str:
        """Where the buyer confirms the payment; empty unless that is what is waited for."""
        waiting = self.order.status == OrderStatus.AWAITING_PAYMENT
        return self.payment.action_url if waiting and self.payment else ""

    @property
    def failed(self) -> bool:
        return self.order.status in FAILED_STATES

    @property
    def declined(self) -> bool:
        return self.order.status == OrderStatus.PAYMENT_DECLINED


@private
@require_safe
def order(request: ShopRequest, token: str) -> HttpResponse:
    status = _status(token)
    delivery = delivered_to(status.order)
    context = {
        "status": status,
        "lines": status.order.lines.all(),
        "delivery": delivery,
        "country": COUNTRIES.get(delivery.country, delivery.country),
        "card": testcards.name_of(status.payment.token) if status.payment else "",
        "mailbox_url": settings.MAILBOX_URL,
    }
    return render(request, "shop/order.html", context)


@private
@require_safe
def order_progress(request: ShopRequest, token: str) -> HttpResponse:
    """The part that changes. 204 when the page shows it already, so that nothing moves under a reader's eyes."""
    status = _status(token)
    if request.GET.get("seen") == status.progress.version:
        return HttpResponse(status=204)
    return render(request, "shop/_progress.html", {"status": status, "swapped": True})


@private
@require_POST
def order_cancel(request: ShopRequest, token: str) -> HttpResponse:
    """The customer's deed, unless somebody of staff is signed in: then it is theirs, and needs their right."""
    staff = request.user if request.user.is_staff else None
    if staff and not staff.has_perm("orders.change_order"):
        messages.warning(
            request, f"You are signed in as {staff}, who may not change orders. Nothing was cancelled."
        )
        return see_other("order", token)
    try:
        if staff:
            cancelled = cancel(token, detail="Cancelled by the shop.")
            LogEntry.objects.log_actions(staff.pk, [cancelled], CHANGE, "Cancelled on the customer's page.")
        else:
            cancel(token)
    except Order.DoesNotExist:
        raise Http404("There is no such order.") from None
    except NotCancellable as reason:
        messages.warning(request, str(reason))
    return see_other("order", token)


@private
@require_POST
def order_again(request: ShopRequest, token: str) -> HttpResponse:
    """Put the goods of an order that failed back into the cart; after a declined card straight on to the checkout. One
    that was tried again already leads to its successor, so that nobody pays twice."""
    failed = get_object_or_404(Order.objects.filter(status__in=FAILED_STATES), token=token)
    if successor := successor_of(failed):
        messages.info(request, already_retried(failed, successor))
        return see_other("order", successor.token)
    cart, lines = cookie.token_for(request), list(failed.lines.all())
    left_out = keeping.refill(cart, token, [(line.sku, line.quantity) for line in lines])
    if left_out:
        goods = ", ".join(f"{line.quantity} × {line.name}" for line in lines if line.sku in left_out)
        messages.warning(request, f"Not everything fits into one cart. This is not in it: {goods}.")
    response = see_other("checkout" if failed.status == OrderStatus.PAYMENT_DECLINED else "cart")
    cookie.hand_out(response, cart)
    return response


@private
@require_safe
def invoice(_request: ShopRequest, token: str) -> HttpResponse:
    """To the invoice as PDF, made now if nobody has asked for it before. The address in e-mails, which lasts."""
    return _to(get_object_or_404(_documents(token), kind=Document.Kind.INVOICE))


@private
@require_safe
def order_document(_request: ShopRequest, token: str, number: str) -> HttpResponse:
    """To any document of the order, by its number."""
    found = next((document for document in _documents(token) if document.number == number), None)
    if found is None:
        raise Http404(f"This order has no document {number}.")
    return _to(found)


def _documents(token: str) -> QuerySet[Document]:
    return Document.objects.select_related("order", "refund").filter(order__token=token)


def _to(document: Document) -> HttpResponse:
    invoices.pdf(document)
    name, back = f"{document.number}.pdf", document.order.get_absolute_url()
    sealed = downloads.link(Download(invoices.file_of(document), name, "application/pdf", back=back))
    return HttpResponseRedirect(sealed)


def _status(token: str) -> Status:
    try:
        found = read(token)
    except Order.DoesNotExist:
        raise Http404("There is no order with this address.") from None
    order, documents = found.order, found.documents
    successor = successor_of(order) if order.status in FAILED_STATES else None
    return Status(
        order=order,
        progress=progress_of(order, found.events, found.payment, found.shipment, len(documents), successor),
        payment=found.payment,
        shipment=found.shipment,
        invoice=next((document for document in documents if document.kind == Document.Kind.INVOICE), None),
        credit_notes=[document for document in documents if document.kind == Document.Kind.CREDIT_NOTE],
        cancellable=cancellable(order),
        successor=successor,
    )
