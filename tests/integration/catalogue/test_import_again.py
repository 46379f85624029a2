"""Importing a catalogue again takes back nothing that has changed since by another way."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from orders import inventory
from orders.models import StockItem, StockMovement
from shop.catalogue.importing.importer import FileRefused, Options, import_file
from shop.catalogue.models import Product
from tests.integration.catalogue.conftest import Written
from tests.making import at_once, place_order

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _plain_static(settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


def row(stock: object, sku: str = "KE-1") -> str:
    return f"{sku},Kettle,Boils.,Kitchen,38.00,20,{stock},\n"


def item(sku: str = "KE-1") -> tuple[int, int, int]:
    found = StockItem.objects.get(sku=sku)
    return found.stocked, found.on_hand, found.reserved


def test_what_a_refund_put_on_the_shelf_stays_there(products_csv: Written) -> None:
    file = products_csv(row(5))
    import_file(file, Options())
    inventory.take_in({"KE-1": 2})
    report = import_file(file, Options())
    assert report.stock_changed == 0
    assert item() == (7, 7, 0)


def test_what_came_back_and_was_sold_again_does_not_keep_the_file_out(products_csv: Written) -> None:
    file = products_csv(row(5))
    import_file(file, Options())
    inventory.take_in({"KE-1": 2})
    inventory.reserve([place_order((("KE-1", 7),)).pk])
    import_file(file, Options())
    assert item() == (7, 0, 7)


def test_what_a_person_booked_stays_and_the_difference_is_added(products_csv: Written) -> None:
    import_file(products_csv(row(5)), Options())
    inventory.change_by({"KE-1": -2})
    import_file(products_csv(row(15)), Options())
    assert item() == (13, 13, 0)
    assert list(StockMovement.objects.values_list("quantity", flat=True)) == [5, -2, 10]


def test_a_file_takes_away_no_more_than_is_left(products_csv: Written) -> None:
    import_file(products_csv(row(5)), Options())
    inventory.reserve([place_order((("KE-1", 4),)).pk])
    with pytest.raises(FileRefused) as refused:
        import_file(products_csv(row(3)), Options())
    assert (
        "it takes 2 away, but all but 1 are already reserved or sold"
        in refused.value.report.refused[0].reason
    )
    assert item() == (5, 1, 4)


def test_a_file_does_not_count_again_what_was_stocked_without_one(products_csv: Written) -> None:
    inventory.change_by({"KE-1": 12})
    with pytest.raises(FileRefused) as refused:
        import_file(products_csv(row(10)), Options())
    assert "12 came in without a file" in refused.value.report.refused[0].reason
    assert "say 12 to count on from there" in refused.value.report.refused[0].reason
    import_file(products_csv(row(12)), Options())
    import_file(products_csv(row(15)), Options())
    assert item() == (15, 15, 0)


def test_a_product_without_stock_gets_its_first_pieces_from_a_later_file(products_csv: Written) -> None:
    import_file(products_csv(row("")), Options())
    import_file(products_csv(row(4)), Options())
    import_file(products_csv(row("")), Options())
    assert item() == (4, 4, 0)


@pytest.mark.django_db(transaction=True)
def test_a_file_and_people_who_stock_at_once_all_count(products_csv: Written) -> None:
    import_file(products_csv(row(5)), Options())
    file: Path = products_csv(row(15))

    def act(number: int) -> None:
        if number == 0:
            import_file(file, Options())
        else:
            inventory.change_by({"KE-1": number, "NEW-1": 1})

    assert at_once(act, 6) == [None] * 6
    assert item() == (30, 30, 0)
    assert item("NEW-1") == (5, 5, 0)


def edit(name: str, price: str) -> None:
    """As a person does it, in the admin."""
    kettle = Product.objects.get(sku="KE-1")
    client = Client(SERVER_NAME="testserver")
    client.force_login(
        User.objects.filter(username="staff").first() or User.objects.create_superuser("staff")
    )
    form = {
        "name": name,
        "description": kettle.description,
        "category": kettle.category_id,
        "picture": kettle.picture,
        "price": price,
        "tax_rate_bp": kettle.tax_rate_bp,
        "active": "on",
    }
    answer = client.post(reverse("admin:catalogue_product_change", args=[kettle.pk]), form)
    assert answer.status_code == 302


def kettle() -> tuple[str, int]:
    return Product.objects.values_list("name", "price_minor").get(sku="KE-1")


def test_the_same_file_does_not_undo_what_a_person_has_changed(products_csv: Written) -> None:
    file = products_csv(row(5))
    import_file(file, Options())
    edit("Copper kettle", "45.00")
    report = import_file(file, Options())
    assert (report.updated, report.unchanged) == (0, 1)
    assert kettle() == ("Copper kettle", 4500)


def test_another_file_asks_before_it_undoes_that(products_csv: Written) -> None:
    import_file(products_csv(row(5)), Options())
    edit("Copper kettle", "38.00")
    file = products_csv(row(6).replace("38.00", "39.00"))
    with pytest.raises(FileRefused) as refused:
        import_file(file, Options())
    reason = refused.value.report.refused[0].reason
    assert "somebody has changed this product on" in reason
    assert "its name, price would be another" in reason
    assert kettle() == ("Copper kettle", 3800)
    assert import_file(file, Options(partial=True)).refused[0].reason == reason
    assert item() == (5, 5, 0), "of a row that is refused nothing is taken"

    import_file(file, Options(overwrite=True))
    assert kettle() == ("Kettle", 3900)
    assert item() == (6, 6, 0)
    import_file(products_csv(row(6)), Options())
    assert kettle() == ("Kettle", 3800), "the person's change is gone, and files go on"


def test_a_file_that_says_what_the_person_said_is_taken(products_csv: Written) -> None:
    import_file(products_csv(row(5)), Options())
    edit("Copper kettle", "45.00")
    file = products_csv(row(5).replace("Kettle", "Copper kettle").replace("38.00", "45.00"))
    assert import_file(file, Options()).unchanged == 1
    assert import_file(products_csv(row(5)), Options()).updated == 1


def test_overwriting_brings_the_file_back(products_csv: Written) -> None:
    file = products_csv(row(5))
    import_file(file, Options())
    edit("Copper kettle", "45.00")
    assert import_file(file, Options(overwrite=True)).updated == 1
    assert kettle() == ("Kettle", 3800)
