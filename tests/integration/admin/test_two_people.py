"""Two people have the same form of the admin open: the second to save is told, and undoes nothing unknowingly."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.forms import ModelForm, MultiWidget
from django.test import Client
from django.urls import reverse

from orders.admin import guarded
from orders.inventory import reserve, take_in
from orders.models import StockItem
from shop.catalogue.models import Category, Product
from tests.making import at_once, place_order, stock

pytestmark = pytest.mark.django_db

Posted = dict[str, str | list[str]]


def opened(client: Client, address: str) -> Posted:
    """What the browser would send if nobody typed anything."""
    response = client.get(address)
    sent: Posted = {"opened": word_in(response)}
    for field in response.context["adminform"].form:
        value, widget = field.value(), field.field.widget
        if isinstance(widget, MultiWidget):
            sent |= {
                f"{field.html_name}_{at}": str(part)
                for at, part in enumerate(widget.decompress(value) or [])
                if part
            }
        elif isinstance(value, list | tuple):
            sent[field.html_name] = [str(getattr(one, "pk", one)) for one in value]
        elif value is not None and value is not False:
            sent[field.html_name] = "on" if value is True else str(value)
    return sent


def word_in(response: Any) -> str:
    found = re.search(r'<input type="hidden" name="opened" value="([^"]+)">', response.content.decode())
    assert found
    return found[1]


@pytest.fixture
def kettle() -> Product:
    kitchen = Category.objects.create(name="Kitchen", slug="kitchen")
    return Product.objects.create(
        sku="KE-1", name="Kettle", category=kitchen, price_minor=3850, currency="GBP"
    )


def test_what_changed_since_a_form_was_opened_is_not_undone(operator: Client, kettle: Product) -> None:
    address = reverse("admin:catalogue_product_change", args=[kettle.pk])
    form = {**opened(operator, address), "name": "Pot"}
    Product.objects.filter(pk=kettle.pk).update(price_minor=100, description="Boils.")
    page = operator.post(address, form)
    assert (
        "This has changed since you opened it (Description, Price), so nothing was saved"
        in page.content.decode()
    )
    kettle.refresh_from_db()
    assert (kettle.name, kettle.price_minor, kettle.description) == ("Kettle", 100, "Boils.")

    seen = {**form, "opened": word_in(page)}
    assert operator.post(address, seen).status_code == 302, "having been told, one may save"
    kettle.refresh_from_db()
    assert (kettle.name, kettle.price_minor) == ("Pot", 3850)


@pytest.mark.parametrize("kind", ["catalogue_category", "auth_group", "auth_user"])
def test_every_form_that_two_may_have_open_is_guarded(operator: Client, kettle: Product, kind: str) -> None:
    group = Group.objects.create(name="Desk")
    user = User.objects.create_user("grace", password="irrelevant")
    row = {"catalogue_category": kettle.category, "auth_group": group, "auth_user": user}[kind]
    field = "username" if kind == "auth_user" else "name"
    address = reverse(f"admin:{kind}_change", args=[row.pk])
    form = opened(operator, address)
    type(row)._default_manager.filter(pk=row.pk).update(**{field: "another"})
    assert "This has changed since you opened it" in operator.post(address, form).content.decode()
    row.refresh_from_db()
    assert getattr(row, field) == "another"

    form = opened(operator, address)
    assert operator.post(address, {**form, field: "mine"}).status_code == 302
    row.refresh_from_db()
    assert getattr(row, field) == "mine"


def test_rights_that_were_given_meanwhile_are_not_taken_away(operator: Client) -> None:
    user = User.objects.create_user("grace", password="irrelevant")
    address = reverse("admin:auth_user_change", args=[user.pk])
    form = opened(operator, address)
    user.groups.add(Group.objects.create(name="Desk"))
    assert "opened it (Groups)" in operator.post(address, {**form, "first_name": "Grace"}).content.decode()
    assert user.groups.count() == 1


def test_a_word_that_was_tampered_with_counts_as_changed(operator: Client, kettle: Product) -> None:
    address = reverse("admin:catalogue_product_change", args=[kettle.pk])
    answer = operator.post(address, {**opened(operator, address), "opened": "x"})
    assert "This has changed since you opened it" in answer.content.decode()


def test_two_people_who_stock_at_once_both_count(operator: Client) -> None:
    """The second is asked, because the same form may also have been sent twice; then both are booked."""
    stock(KETTLE=3)
    address = reverse("admin:orders_stockitem_change", args=["KETTLE"])
    first, second = ({**opened(operator, address), "came_in": pieces} for pieces in ("10", "20"))
    assert operator.post(address, first).status_code == 302
    told = operator.post(address, second)
    assert "This has changed since you opened it (Stocked)" in told.content.decode()
    operator.post(address, {**second, "opened": word_in(told)})
    assert StockItem.objects.get().on_hand == 33


def test_what_a_refund_put_on_the_shelf_stays_there(operator: Client) -> None:
    stock(KETTLE=3)
    address = reverse("admin:orders_stockitem_change", args=["KETTLE"])
    form = {**opened(operator, address), "came_in": "10"}
    take_in({"KETTLE": 2})
    told = operator.post(address, form)
    assert StockItem.objects.get().on_hand == 5
    operator.post(address, {**form, "opened": word_in(told)})
    assert StockItem.objects.get().on_hand == 15


def test_what_is_sold_while_the_form_is_open_does_not_matter(operator: Client) -> None:
    stock(KETTLE=3)
    address = reverse("admin:orders_stockitem_change", args=["KETTLE"])
    form = {**opened(operator, address), "came_in": "10"}
    reserve([place_order((("KETTLE", 2),)).pk])
    assert operator.post(address, form).status_code == 302
    assert StockItem.objects.get().on_hand == 11


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_save_at_the_same_moment_one_is_first() -> None:
    assert saved_at_once() == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_look_under_the_lock_all_ten_would_save(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded._GuardedForm, "clean", ModelForm.clean)
    assert saved_at_once() == 10


def saved_at_once() -> int:
    """The same form, opened ten times and sent ten times at once; returns how many were saved."""
    kitchen = Category.objects.create(name="Kitchen", slug="kitchen")
    User.objects.create_superuser("staff", password="irrelevant")
    clients = [Client() for _ in range(10)]
    for client in clients:
        client.force_login(User.objects.get())
    address = reverse("admin:catalogue_category_change", args=[kitchen.pk])
    form = opened(clients[0], address)

    def save(number: int) -> int:
        return clients[number].post(address, {**form, "name": f"Kitchen {number}"}).status_code

    answers = at_once(save, 10)
    assert answers.count(302) + answers.count(200) == 10
    return answers.count(302)
