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
    with pytest.raises(CommandError, match="line 3: TEA-2: it was never stocked"):
        stock(file=str(file))
    assert StockItem.objects.get().on_hand == 5
    assert stock(file=str(file), new=True) == "2 products stocked, 1 of them for the first time.\n"
    assert dict(StockItem.objects.values_list("sku", "on_hand")) == {"TEA-1": 8, "TEA-2": 4}


def test_a_count_comes_over_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"sku,on_hand\nTEA-1,8\n")))
    assert stock(file="-") == "1 product stocked.\n"


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {}, "either a SKU"),
        (("TEA-1",), {}, "one of --on-hand N"),
        (("TEA-1",), {"on_hand": -1}, "fewer than none"),
        (("TEA-1",), {"on_hand": 1, "add": 1}, "one of --on-hand N"),
        (("TEA-1",), {"on_hand": 10**19}, "more than 1,000,000,000|not a whole number"),
        (("TEA-1",), {"add": -6}, "already reserved or sold of TEA-1"),
        (("TEA-l",), {"on_hand": 1}, "TEA-L: it was never stocked"),
        (("TEA/1",), {"on_hand": 1, "new": True}, "is no SKU"),
        ((), {"file": "-", "on_hand": 1}, "are columns"),
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
    ("text", "said"),
    [
        ("", "is empty"),
        ("name,count\nTEA-1,8\n", "has the columns name, count"),
        ("sku,on_hand\nTEA-1,many\n", 'line 2: TEA-1: on_hand "many" is not a whole number'),
        ("sku,on_hand\nTEA-1,8.0\n", 'line 2: TEA-1: on_hand "8.0" is not a whole number'),
        ("sku,on_hand\nTEA-1,9999999999\n", "line 2: TEA-1: on_hand 9999999999 is more than"),
        ("sku,on_hand\nTEA-1,-1\n", "line 2: TEA-1: -1 are fewer than none"),
        ("sku,on_hand\nTEA-1\n", "line 2: it has 1 columns instead of 2"),
        ("sku,on_hand\nTEA-1,8\ntea-1,9\n", "line 3: TEA-1: it stands in line 2 already"),
        ('sku,on_hand\n"TEA-1" x,8\n', "line 2: a quotation mark"),
        (
            "sku,on_hand\nTEA-1,8\nKI-1O10,5\n",
            "line 3: KI-1O10: it was never stocked: is it a typing mistake",
        ),
        (
            "sku,was,on_hand\nTEA-1,6,8\n",
            "line 2: TEA-1: 6 were free to sell when this was counted, and now 5 are",
        ),
        ("sku,add\nTEA-1,-6\n", "already reserved or sold of TEA-1"),
    ],
)
def test_a_file_that_is_wrong_is_refused_whole(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "count.csv"
    file.write_text(text)
    with pytest.raises(CommandError, match=r"(?i)nothing was changed") as refused:
        stock(file=str(file))
    assert said in str(refused.value)
    assert StockItem.objects.get().on_hand == 5


def test_every_wrong_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "count.csv"
    file.write_text("sku,on_hand\nTEA-1,many\n\nTEA-2,1\nTEA-3\n")
    with pytest.raises(CommandError) as refused:
        stock(file=str(file))
    assert [line.split(":")[0].strip() for line in str(refused.value).splitlines()[1:]] == [
        "line 5",
        "line 2",
        "line 4",
    ]


@pytest.mark.parametrize(
    "text",
    ["sku,on_hand\n\nTEA-1,8\n\n", "sku;on_hand;;\nTEA-1;8;;\n", "sep=;\nsku;was;on_hand\ntea-1;5;8\n"],
)
def test_what_a_spreadsheet_makes_is_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "count.csv"
    file.write_text(text)
    stock(file=str(file))
    assert StockItem.objects.get().on_hand == 8


def test_what_came_in_is_added(tmp_path: Path) -> None:
    file = tmp_path / "came.csv"
    file.write_text("sku,add\nTEA-1,10\n")
    stock(file=str(file))
    stock("TEA-1", add=-2)
    assert StockItem.objects.get().on_hand == 13
