"""`manage.py stock`: counting the shelves changes what is free to sell, and nothing else."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from orders.models import StockItem, StockMovement

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shelf() -> None:
    StockItem.objects.create(sku="TEA-1", stocked=10, on_hand=5, reserved=2, sold=3)


def stock(*arguments: object, **options: object) -> str:
    said = io.StringIO()
    call_command("stock", *arguments, stdout=said, **options)
    return said.getvalue()


@pytest.mark.parametrize("on_hand", [0, 5, 700])
def test_what_is_reserved_and_sold_stays(on_hand: int) -> None:
    stock("tea-1", on_hand=on_hand)
    item = StockItem.objects.get(sku="TEA-1")
    assert (item.on_hand, item.reserved, item.sold, item.stocked) == (on_hand, 2, 3, on_hand + 5)


def test_the_difference_is_in_the_ledger_and_a_repeat_is_not() -> None:
    stock("TEA-1", on_hand=1)
    stock("TEA-1", on_hand=1)
    assert list(StockMovement.objects.values_list("kind", "quantity")) == [("stocked", -4)]


def test_a_count_of_the_shelves_takes_new_products_too(tmp_path: Path) -> None:
    file = tmp_path / "count.csv"
    file.write_text("sku,on_hand\nTEA-1,8\nTEA-2,4\n")
    assert stock(file=str(file)) == "2 products stocked, 1 of them for the first time.\n"
    assert dict(StockItem.objects.values_list("sku", "on_hand")) == {"TEA-1": 8, "TEA-2": 4}


def test_a_count_comes_over_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("sku,on_hand\nTEA-1,8\n"))
    assert stock(file="-") == "1 product stocked.\n"


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {}, "either a SKU"),
        (("TEA-1",), {}, "--on-hand N is missing"),
        (("TEA-1",), {"on_hand": -1}, "Fewer than none"),
        ((), {"file": "/nowhere/count.csv"}, "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    arguments: tuple[str, ...], options: dict[str, object], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        stock(*arguments, **options)
    assert StockItem.objects.get(sku="TEA-1").on_hand == 5


@pytest.mark.parametrize(
    "text", ["", "name,count\nTEA-1,8\n", "sku,on_hand\nTEA-1,many\n", "sku,on_hand\nTEA-1\n"]
)
def test_a_file_that_is_no_count_is_refused_whole(tmp_path: Path, text: str) -> None:
    file = tmp_path / "count.csv"
    file.write_text(text)
    with pytest.raises(CommandError, match=r"count\.csv"):
        stock(file=str(file))
    assert StockItem.objects.get(sku="TEA-1").on_hand == 5
