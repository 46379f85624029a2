"""Nobody gets at more than their own rights: not by an order's page, not by editing users, not by API tokens."""

import string
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.authtoken.models import Token

from orders import scheduling
from orders.invoices import issuing
from orders.models import Document, Order
from orders.states import OrderStatus
from shop.api import tokens
from tests.making import place_order

pytestmark = pytest.mark.django_db


def staff(name: str, *rights: str) -> User:
    """Somebody of staff with these rights; the password is the name."""
    user = User.objects.create_user(name, password=name, is_staff=True)
    found = Permission.objects.filter(codename__in=rights)
    assert found.count() == len(rights)
    user.user_permissions.set(found)
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def invoiced_order() -> Order:
    order = place_order()
    scheduling.advance([order.pk], [OrderStatus.PLACED], OrderStatus.RESERVED)
    scheduling.advance([order.pk], [OrderStatus.RESERVED], OrderStatus.PAID)
    issuing.issue([order.pk])
    return order


def order_page(order: Order) -> str:
    return reverse("admin:orders_order_change", args=[order.pk])


class TestTheCustomersLink:
    def test_whoever_may_only_look_at_orders_does_not_get_it(self) -> None:
        order = invoiced_order()
        looks = signed_in(staff("looks", "view_order"))
        assert order.token not in looks.get(order_page(order)).content.decode()
        opens = signed_in(staff("opens", "view_order", "open_customer_page"))
        assert order.get_absolute_url() in opens.get(order_page(order)).content.decode()

    def test_nor_by_a_document(self, tmp_path: Path, settings: Settings) -> None:
        settings.MEDIA_ROOT = str(tmp_path)
        order = invoiced_order()
        number = Document.objects.get().number
        address = reverse("admin:orders_order_document", args=[order.pk, number])
        looks = signed_in(staff("looks", "view_order"))
        assert address in looks.get(order_page(order)).content.decode()
        answer = looks.get(address)
        assert answer.status_code == 302
        assert order.token not in answer["Location"]
        pdf = looks.get(answer["Location"])
        assert pdf.getvalue().startswith(b"%PDF")
        assert pdf["Content-Type"] == "application/pdf"
        assert looks.get(address.replace(number, "INV-9999999")).status_code == 404
        assert signed_in(staff("nobody")).get(address).status_code == 403

    def test_nor_by_the_way_from_a_row_to_its_page(self, admin_client: Client) -> None:
        order = place_order()
        kind = ContentType.objects.get_for_model(Order)
        for client in (signed_in(staff("nobody")), admin_client):
            answer = client.get(f"/admin/r/{kind.pk}/{order.pk}/")
            assert answer.status_code == 404

    @pytest.mark.parametrize("secret", ["token", "idempotency_key", "payment__token"])
    def test_nor_letter_by_letter(self, secret: str) -> None:
        place_order()
        looks = signed_in(staff("looks", "view_order"))
        for letter in string.ascii_letters[:3]:
            answer = looks.get(reverse("admin:orders_order_changelist"), {f"{secret}__startswith": letter})
            assert answer.status_code == 400

    def test_what_staff_cancel_there_is_the_shops_deed(self) -> None:
        order = place_order()
        signed_in(staff("cancels", "change_order")).post(f"{order.get_absolute_url()}cancel/")
        order.refresh_from_db()
        assert order.status == OrderStatus.CANCELLED
        assert order.events.get(kind="order.cancelled").detail == "Cancelled by the shop."
        [entry] = LogEntry.objects.all()
        assert (entry.user.username, entry.object_id) == ("cancels", str(order.pk))

    def test_and_needs_their_right(self) -> None:
        order = place_order()
        looks = signed_in(staff("looks", "view_order", "open_customer_page"))
        page = looks.post(f"{order.get_absolute_url()}cancel/", follow=True).content.decode()
        assert "signed in as looks" in page
        order.refresh_from_db()
        assert order.status == OrderStatus.PLACED

    def test_a_customer_cancels_as_before(self, client: Client) -> None:
        order = place_order()
        client.post(f"{order.get_absolute_url()}cancel/")
        assert order.events.get(kind="order.cancelled").detail == "Cancelled by the customer."
        assert not LogEntry.objects.exists()


def test_the_cards_token_is_shown_to_those_who_may_see_it() -> None:
    order = place_order()
    assert order.payment.token
    looks, sees = staff("looks", "view_order"), staff("sees", "view_order", "view_card_token")
    assert order.payment.token not in signed_in(looks).get(order_page(order)).content.decode()
    assert order.payment.token in signed_in(sees).get(order_page(order)).content.decode()


def user_form(user: User, **more: object) -> dict[str, object]:
    """What the form of a user sends, with changes."""
    return {
        "username": user.username,
        "is_active": "on",
        "is_staff": "on",
        "date_joined_0": "2026-11-27",
        "date_joined_1": "08:00",
        "user_permissions": list(user.user_permissions.values_list("pk", flat=True)),
        "groups": list(user.groups.values_list("pk", flat=True)),
        **more,
    }


def user_page(user: User) -> str:
    return reverse("admin:auth_user_change", args=[user.pk])


class TestUsers:
    @pytest.fixture
    def keeper(self) -> User:
        """Somebody who looks after staff."""
        return staff("keeper", "add_user", "change_user", "view_user", "delete_user", "view_order")

    @pytest.fixture
    def keeping(self, keeper: User) -> Client:
        return signed_in(keeper)

    def test_nobody_makes_themselves_a_superuser(self, keeper: User, keeping: Client) -> None:
        assert keeping.post(user_page(keeper), user_form(keeper, is_superuser="on")).status_code == 302
        keeper.refresh_from_db()
        assert not keeper.is_superuser

    def test_nobody_gives_rights_that_they_do_not_have(self, keeper: User, keeping: Client) -> None:
        lacking = Permission.objects.get(codename="change_order")
        other = staff("other")
        for user in (keeper, other):
            page = keeping.post(user_page(user), user_form(user, user_permissions=[lacking.pk]))
            assert page.status_code == 200
            assert f'<option value="{lacking.pk}"' not in page.content.decode()
            assert lacking not in user.user_permissions.all()
        own = Permission.objects.get(codename="view_order")
        assert keeping.post(user_page(other), user_form(other, user_permissions=[own.pk])).status_code == 302
        assert other.user_permissions.get() == own

    def test_nor_by_a_group(self, keeper: User, keeping: Client) -> None:
        group = Group.objects.create(name="operators")
        group.permissions.add(Permission.objects.get(codename="change_order"))
        assert keeping.post(user_page(keeper), user_form(keeper, groups=[group.pk])).status_code == 200
        assert not keeper.groups.exists()
        group.permissions.set(Permission.objects.filter(codename="view_order"))
        assert keeping.post(user_page(keeper), user_form(keeper, groups=[group.pk])).status_code == 302
        assert keeper.groups.get() == group

    @pytest.mark.parametrize("above", ["superuser", "by right", "by group", "inactive"])
    def test_who_has_more_rights_is_not_touched(self, keeping: Client, above: str) -> None:
        chief = User.objects.create_user("chief", password="secret", is_staff=True)
        right = Permission.objects.get(codename="change_order")
        if above == "superuser":
            chief.is_superuser = True
        elif above == "by group":
            group = Group.objects.create(name="operators")
            group.permissions.add(right)
            chief.groups.add(group)
        else:
            chief.user_permissions.add(right)
            chief.is_active = above != "inactive"
        chief.save()
        before = User.objects.values().get(pk=chief.pk)
        password = reverse("admin:auth_user_password_change", args=[chief.pk])
        asked = {"password1": "Ohn3-Not-Guessed", "password2": "Ohn3-Not-Guessed", "usable_password": "true"}
        assert keeping.post(password, asked).status_code == 403
        assert keeping.post(user_page(chief), user_form(chief, email="mine@example.com")).status_code == 403
        assert (
            keeping.post(reverse("admin:auth_user_delete", args=[chief.pk]), {"post": "yes"}).status_code
            == 403
        )
        many = {"action": "delete_selected", "_selected_action": [chief.pk], "post": "yes"}
        keeping.post(reverse("admin:auth_user_changelist"), many)
        assert User.objects.values().get(pk=chief.pk) == before
        page = keeping.get(user_page(chief))
        assert page.status_code == 200
        assert chief.password not in page.content.decode()

    def test_groups_give_no_more_than_their_keepers_have(self) -> None:
        keeper = staff("keeper", "add_group", "change_group", "view_group", "delete_group", "view_order")
        keeping = signed_in(keeper)
        mine = Group.objects.create(name="mine")
        keeper.groups.add(mine)
        page = reverse("admin:auth_group_change", args=[mine.pk])
        lacking = Permission.objects.get(codename="change_order")
        assert keeping.post(page, {"name": "mine", "permissions": [lacking.pk]}).status_code == 200
        assert not mine.permissions.exists()
        more = Group.objects.create(name="more")
        more.permissions.add(lacking)
        page = reverse("admin:auth_group_change", args=[more.pk])
        assert keeping.post(page, {"name": "less", "permissions": []}).status_code == 403
        assert (
            keeping.post(reverse("admin:auth_group_delete", args=[more.pk]), {"post": "yes"}).status_code
            == 403
        )

    def test_a_superuser_does_all_of_it(self, admin_client: Client, keeper: User) -> None:
        right = Permission.objects.get(codename="change_order")
        asked = user_form(keeper, is_superuser="on", user_permissions=[right.pk])
        assert admin_client.post(user_page(keeper), asked).status_code == 302
        keeper.refresh_from_db()
        assert keeper.is_superuser
        assert keeper.user_permissions.get() == right


class TestTokens:
    LIST = "admin:authtoken_tokenproxy_changelist"

    def test_nobody_reads_them(self, admin_user: User) -> None:
        token = tokens.draw(admin_user)
        looks = signed_in(staff("looks", "view_tokenproxy"))
        found = looks.get(reverse(self.LIST)).content.decode()
        found += looks.get(
            reverse("admin:authtoken_tokenproxy_change", args=[admin_user.pk])
        ).content.decode()
        assert token not in found
        assert looks.get(reverse(self.LIST), {"key__startswith": "a"}).status_code == 400

    def test_nobody_draws_one_for_somebody_with_more_rights(self, admin_user: User) -> None:
        drawing = signed_in(staff("draws", "add_tokenproxy", "view_tokenproxy", "delete_tokenproxy"))
        other, more = staff("other"), staff("more", "add_video")
        address = reverse("admin:authtoken_tokenproxy_add")
        for user in (admin_user, more):
            assert drawing.post(address, {"user": user.pk}).status_code == 200
        assert not Token.objects.exists()
        assert drawing.post(address, {"user": other.pk}).status_code == 302
        assert Token.objects.get().user == other

    def test_nobody_hands_one_on(self, admin_user: User) -> None:
        mine = staff("mine", "change_tokenproxy", "view_tokenproxy")
        tokens.draw(mine)
        page = reverse("admin:authtoken_tokenproxy_change", args=[mine.pk])
        assert signed_in(mine).post(page, {"user": admin_user.pk}).status_code == 403
        assert Token.objects.get().user == mine
