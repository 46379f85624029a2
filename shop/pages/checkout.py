"""The checkout: a cart becomes an order, once, however often its form is sent.

The ticket in the form (shop.checkout.ticket) holds the idempotency key and what the shopper saw. Whatever
else is wrong with a form that is sent again, when its key has placed an order, that order is the answer.
"""

from dataclasses import replace

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from orders import inventory, unpaid
from orders.models import Order, OrderLine
from orders.models.successor import successor_of
from orders.placing import AlreadyRetried, KeyReused, OrderDraft, Placed
from shop.cart import contents, cookie, keeping
from shop.checkout import ticket as tickets
from shop.checkout.forms import CheckoutForm
from shop.checkout.quoting import Quote, QuoteError, check_payment, fingerprint, quote
from shop.checkout.ticket import Ticket
from shop.pages.redirects import see_other
from shop.pages.request import ShopRequest

_TOO_OLD = (
    "This page had been open for too long. Nothing was ordered yet: please look it over and place it again."
)
_CHANGED = (
    "Your cart or a price has changed since this page was shown. Please look it over and place it again."
)
_SHORT = "Some of it has just been sold to others. Nothing was ordered yet: please change your cart."


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: ShopRequest) -> HttpResponse:
    return _submitted(request) if request.method == "POST" else _begun(request)


def _begun(request: ShopRequest) -> HttpResponse:
    held = keeping.held_by(request)
    # A cart that was placed still has its goods when whoever placed it died before they were taken out. When only the
    # answer was lost it is empty, and this is the checkout page loaded again.
    if (key := held.key if held.items else held.ordered_key) and (order := _placed_under(Ticket(key, ""))):
        return _to_order(request, order, key, again=True)
    failed = _refilled_from(held)
    if failed and (successor := successor_of(failed)):
        return _to_successor(request, failed, successor, held.key)
    return _page(request, held, CheckoutForm(initial=_details_of(failed)))


def _submitted(request: ShopRequest) -> HttpResponse:
    """1. Read ticket, cart and form. 2. Price the cart. 3. Place the order, or show what stands in the way."""
    held = keeping.held_by(request)
    form = CheckoutForm(request.POST)
    try:
        ticket = tickets.read(request.POST.get("ticket", ""))
    except tickets.BadTicket:
        return _page(request, held, form, _TOO_OLD)
    of_this_cart = held.key in ("", ticket.key)
    if not of_this_cart:
        # The cart was ordered, or filled again, since this page was shown: this form is done, or belongs to that one.
        if order := _placed_under(ticket):
            return _to_order(request, order, ticket.key, again=True)
        ticket = replace(ticket, key=held.key)

    problem = ""
    if form.is_valid():
        try:
            quoted = quote(list(held.items.items()))
            check_payment(quoted, form.payment_method)
        except QuoteError as error:
            problem = error.reason or _CHANGED
        else:
            if tickets.summary_of_quote(quoted) != ticket.seen:
                problem = _CHANGED
            elif _is_short(quoted):
                problem = _SHORT
            else:
                return _place(request, form, quoted, ticket, _refilled_from(held))
    if order := _placed_under(ticket):
        return _to_order(request, order, ticket.key, again=True)
    return _page(request, held, form, problem)


def _place(
    request: ShopRequest, form: CheckoutForm, quoted: Quote, ticket: Ticket, failed: Order | None
) -> HttpResponse:
    said = form.cleaned_data
    draft = OrderDraft(
        key=ticket.idempotency_key,
        fingerprint=fingerprint({"form": said, "summary": ticket.seen}),
        email=said["email"],
        phone=said["phone"],
        address=form.address(),
        currency=quoted.currency,
        lines=quoted.lines,
        payment_method=form.payment_method,
        payment_token=form.payment_token,
        retries=failed.pk if failed else None,
    )
    try:
        return _to_order(request, unpaid.place(draft, wait=True), ticket.key)
    except unpaid.TooManyUnpaid as reason:
        return _page(request, keeping.held_by(request), form, str(reason))
    except KeyReused as reused:
        return _to_order(request, reused.placed, ticket.key, again=True)
    except AlreadyRetried:
        if failed is None or (successor := successor_of(failed)) is None:
            raise
        return _to_successor(request, failed, successor, ticket.key)


def _page(request: ShopRequest, held: keeping.Held, form: CheckoutForm, problem: str = "") -> HttpResponse:
    shown = contents.look_up(held)
    if not shown.lines:
        messages.info(request, "Your cart is empty, so there is nothing to check out.")
        response: HttpResponse = see_other("cart")
    else:
        if shown.gone:
            problem = problem or _CHANGED
            keeping.take_out(cookie.token_of(request), shown.gone)
        ticket = Ticket(held.key, tickets.summary_of_contents(shown))
        context = {"form": form, "cart": shown, "ticket": ticket.packed(), "problem": problem}
        response = render(request, "shop/checkout.html", context, status=422 if form.is_bound else 200)
    return response


def _to_order(request: ShopRequest, order: Order | Placed, key: str, *, again: bool = False) -> HttpResponse:
    """303 to the order's page. Its goods are taken out of the cart, if that is still at the checkout with this key."""
    if token := cookie.token_of(request):
        ordered = OrderLine.objects.filter(order_id=order.id).values_list("sku", "quantity")
        keeping.became_order(token, key, ordered)
    if again:
        note = (
            f"This checkout had already placed order {order.number}. Here it is; nothing was ordered twice."
        )
        messages.info(request, note)
    return see_other("order", order.token)


def _to_successor(request: ShopRequest, failed: Order, successor: Order, key: str) -> HttpResponse:
    """The failed order was tried again from another screen: its goods are taken out of this cart too, and not charged a
    second time."""
    messages.info(request, already_retried(failed, successor))
    return _to_order(request, successor, key)


def already_retried(failed: Order, successor: Order) -> str:
    return (
        f"Order {failed.number} was tried again already, as order {successor.number}. Here it is; nothing was ordered "
        "twice."
    )


def _placed_under(ticket: Ticket) -> Order | None:
    return Order.objects.filter(idempotency_key=ticket.idempotency_key).first()


def _is_short(quoted: Quote) -> bool:
    """Less is left than is wanted. Only a courtesy: what is promised is decided when stock is reserved."""
    on_hand = inventory.on_hand([line.sku for line in quoted.lines])
    return any(line.quantity > on_hand.get(line.sku, 0) for line in quoted.lines)


def _refilled_from(held: keeping.Held) -> Order | None:
    """The order that failed, and whose goods were put back into the cart."""
    return Order.objects.filter(token=held.refilled_from).first() if held.refilled_from else None


def _details_of(failed: Order | None) -> dict[str, str]:
    """Its contact and address, so that nobody types them twice."""
    names = ("email", "phone", "name", "line1", "line2", "city", "postcode", "country")
    return {name: getattr(failed, name) for name in names} if failed else {}
