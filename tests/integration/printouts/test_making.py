"""Printouts: complete, made once and shared by who asks for the same, dropped when cancelled, survived by others."""

import csv
import io
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from django.utils import timezone
from pytest_django import Settings

from orders import files, scheduling
from orders.lease import Lease
from orders.models import Order, Printout, Shipment
from orders.placing import LineDraft, place
from orders.printouts import asking, making, recipes
from orders.printouts.asking import NotPrintable, ask
from orders.states import OrderStatus
from shop.catalogue.models import Category, Product
from stack.layout import ROOT
from tests.chaos.dying import environment
from tests.making import draft, place_order
from tests.waiting import wait_for
from workers import documents
from workers.documents import RECIPES
from workers.models import DeadLetter
from workers.queues import QueueName
from workers.retry import POLICIES

pytestmark = pytest.mark.django_db(transaction=True)
Kind = Printout.Kind


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    return tmp_path


def packed(*orders: tuple[tuple[str, int], ...]) -> list[Order]:
    """Orders that are paid and whose parcels were asked for today."""
    placed = [place_order(lines) for lines in orders]
    ids = [order.pk for order in placed]
    scheduling.advance(ids, [OrderStatus.PLACED], OrderStatus.RESERVED)
    scheduling.advance(ids, [OrderStatus.RESERVED], OrderStatus.PAID)
    for order in placed:
        Shipment.objects.create(order=order)
    return placed


def today(kind: Kind) -> Printout:
    day = datetime.now(UTC).date()
    return ask(kind, by="ada", since=day, until=day)


def made(printout: Printout) -> Printout:
    documents.make_printout(printout.pk)
    printout.refresh_from_db()
    assert (printout.state, printout.problem) == (Printout.State.DONE, "")
    return printout


def text(printout: Printout) -> str:
    with pypdfium2.PdfDocument(files.path_of(printout.file)) as pdf:
        return "\n".join(page.get_textpage().get_text_bounded() for page in pdf)


def test_every_kind_has_a_recipe() -> None:
    assert set(RECIPES) == set(Kind)


def test_a_packing_slip_is_a_page_for_each_order_that_leaves_that_day() -> None:
    first, second = packed((("KETTLE", 2), ("MUG", 1)), (("MUG", 3),))
    place_order()  # nobody packs it yet
    found = made(today(Kind.PACKING_SLIPS))
    assert (found.pages, found.rows_total, found.rows_done) == (2, 2, 2)
    said = text(found)
    for order in (first, second):
        assert order.number in said
    assert "12 St James's Square" in said
    assert "3 pieces in all" in said
    assert "£" not in said


def test_a_cancelled_order_is_not_packed_and_chosen_orders_have_no_day() -> None:
    kept, gone = packed((("KETTLE", 1),), (("MUG", 1),))
    Order.objects.filter(pk=gone.pk).update(status=OrderStatus.CANCELLED)
    found = made(ask(Kind.PACKING_SLIPS, by="ada", orders=[gone.pk, kept.pk]))
    assert found.pages == 1
    assert gone.number not in text(found)


def test_the_pick_list_sums_each_sku_and_says_which_orders_it_is_for() -> None:
    first, second = packed((("KETTLE", 2), ("MUG", 1)), (("MUG", 3),))
    found = made(today(Kind.PICK_LIST))
    said = " ".join(text(found).split())
    assert (found.pages, found.rows_total) == (1, 2)
    assert f"{first.number} × 2" in said
    assert f"MUG A mug 4 {first.number} × 1 {second.number} × 3" in said


def test_the_report_has_every_order_and_adds_them_up() -> None:
    packed((("KETTLE", 2),))
    place_order((("MUG", 3),))
    said = " ".join(text(made(today(Kind.ORDERS_PDF))).split())
    assert "Paid 1 £25.00 £4.17 £0.00" in said
    assert "Placed 1 £37.50 £6.25 £0.00" in said
    assert "All in GBP 2 £62.50 £10.42 £0.00" in said


def test_the_csv_has_every_order_in_plain_figures() -> None:
    [order] = packed((("KETTLE", 2),))
    found = made(today(Kind.ORDERS_CSV))
    rows = list(csv.DictReader(io.StringIO(files.path_of(found.file).read_text("utf-8-sig"))))
    assert found.filename == f"orders-{found.since}.csv"
    assert [(row["order"], row["total"], row["tax"], row["pieces"], row["status"]) for row in rows] == [
        (order.number, "25.00", "4.17", "2", "paid")
    ]


def test_nobodys_name_is_a_formula_in_a_spreadsheet() -> None:
    wanted = draft()
    evil = {name: getattr(wanted, name) for name in wanted.__slots__}
    evil["address"] = type(wanted.address)("=HYPERLINK(1)", "a", "", "b", "c", "GB")
    place(type(wanted)(**evil), wait=False)
    content = files.path_of(made(today(Kind.ORDERS_CSV)).file).read_text("utf-8-sig")
    assert ",'=HYPERLINK(1)," in content


def test_the_catalogue_has_every_product_on_sale_with_its_price() -> None:
    kitchen = Category.objects.create(name="Kitchen", slug="kitchen")
    for number in range(500):
        Product.objects.create(
            sku=f"K-{number}", name=f"Kettle {number:03d}", category=kitchen, price_minor=4_900 + number,
            currency="GBP", active=number != 7, picture="shop/pictures/duck.svg" if number % 2 else "",
        )  # fmt: skip
    found = made(ask(Kind.CATALOGUE, by="ada"))
    said = text(found)
    assert found.rows_done == found.rows_total == 499
    assert found.pages > 30
    assert "K-499" in said
    assert "£53.99" in said
    assert "K-7\n" not in said
    assert f"page {found.pages}" in said
    with pikepdf.open(files.path_of(found.file)) as pdf:
        assert pdf.check_pdf_syntax() == []


def test_the_same_again_is_the_same_file_and_not_made_again() -> None:
    packed((("KETTLE", 2),))
    first = made(today(Kind.PICK_LIST))
    path = files.path_of(first.file)
    before = path.stat().st_mtime_ns
    again = made(today(Kind.PICK_LIST))
    assert (again.file, again.pages, again.size) == (first.file, 1, path.stat().st_size)
    assert path.stat().st_mtime_ns == before
    packed((("MUG", 1),))
    assert made(today(Kind.PICK_LIST)).content_hash != first.content_hash
    path.unlink()  # lost: then it is made again
    again = made(today(Kind.PICK_LIST))
    assert files.path_of(again.file).is_file()


def test_of_nothing_there_is_a_list_of_nothing() -> None:
    for kind in (Kind.PACKING_SLIPS, Kind.PICK_LIST, Kind.ORDERS_PDF, Kind.CATALOGUE):
        found = made(today(kind))
        assert "Nothing" in text(found)
    assert made(today(Kind.ORDERS_CSV)).rows_total == 0


def test_one_that_is_cancelled_stops_at_the_next_piece(monkeypatch: pytest.MonkeyPatch, media: Path) -> None:
    packed((("KETTLE", 2),), (("MUG", 2),))
    wanted = today(Kind.PACKING_SLIPS)
    recipe = RECIPES[Kind.PACKING_SLIPS]

    def cancelled_meanwhile(printout: Printout, rows: Iterable[recipes.Row]) -> Iterator[recipes.Piece]:
        yield from recipe.pieces(printout, rows)
        assert asking.cancel(wanted)
        assert not asking.cancel(wanted)

    monkeypatch.setitem(RECIPES, Kind.PACKING_SLIPS, replace(recipe, pieces=cancelled_meanwhile))
    documents.make_printout(wanted.pk)
    wanted.refresh_from_db()
    assert (wanted.state, wanted.due_at, wanted.file) == (Printout.State.CANCELLED, None, "")
    assert not list(media.rglob("*.pdf"))
    monkeypatch.undo()
    assert asking.again(wanted)
    assert not asking.again(wanted)


def test_one_that_fails_is_tried_again_and_then_left_to_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    packed((("KETTLE", 2),))
    wanted = today(Kind.PICK_LIST)
    broken = recipes.Recipe(
        "SELECT 1", "SELECT 1/0", lambda _, rows: iter([recipes.Piece({}, len(list(rows)))])
    )
    monkeypatch.setitem(RECIPES, Kind.PICK_LIST, broken)
    for _ in range(POLICIES[QueueName.DOCUMENTS].failures):
        documents.make_printout(wanted.pk)
    wanted.refresh_from_db()
    assert (wanted.state, wanted.due_at) == (Printout.State.FAILED, None)
    assert "division by zero" in wanted.problem
    letter = DeadLetter.objects.get()
    assert (letter.order_id, letter.subject) == (None, f"P-{wanted.pk}: Pick list for ada")
    monkeypatch.undo()
    assert asking.again(wanted)


def test_what_somebody_makes_is_made_by_nobody_else_until_the_lease_ran_out() -> None:
    packed((("KETTLE", 2),))
    wanted = today(Kind.PICK_LIST)
    Lease(making.PRINTOUTS, [wanted.pk]).take()
    documents.make_printout(wanted.pk)
    assert making.PRINTOUTS.claim(10) == {}
    wanted.refresh_from_db()
    assert wanted.state == Printout.State.MAKING
    Printout.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert making.PRINTOUTS.claim(10) == {wanted.pk: 1}
    made(wanted)


def test_a_process_that_is_killed_leaves_no_file_and_its_successor_makes_it(
    media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kitchen = Category.objects.create(name="Kitchen", slug="kitchen")
    Product.objects.bulk_create(
        Product(sku=f"K-{number}", name=f"Kettle {number}", category=kitchen, price_minor=1, currency="GBP")
        for number in range(4_000)
    )
    monkeypatch.setenv("MEDIA_ROOT", str(media))
    wanted = ask(Kind.CATALOGUE, by="ada")
    process = subprocess.Popen(
        [
            *(sys.executable, "-P", "-c"),
            f"import django; django.setup()\nfrom workers import documents; documents.make_printout({wanted.pk})",
        ],
        env=environment(tmp_path),
        cwd=ROOT,
    )
    wait_for(lambda: next(iter(media.rglob("000001.pdf")), None), "its second piece")
    process.kill()
    process.wait(timeout=30)
    assert not [path for path in media.rglob("*.pdf") if "work" not in path.parts]
    Printout.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    making.PRINTOUTS.claim(1)
    found = made(wanted)
    assert found.rows_done == 4_000
    assert list((media / "printouts/work").iterdir()) == []


def test_what_cannot_be_asked_for_is_said() -> None:
    day = date(2026, 11, 21)
    with pytest.raises(NotPrintable, match="from which day to which"):
        ask(Kind.PICK_LIST, by="ada")
    with pytest.raises(NotPrintable, match="earlier day first"):
        ask(Kind.PICK_LIST, by="ada", since=day, until=day - timedelta(days=1))
    with pytest.raises(NotPrintable, match="too many"):
        ask(Kind.PACKING_SLIPS, by="ada", orders=range(asking.MOST_ORDERS + 1))


def test_lines_of_the_same_order_stay_together_over_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders.printouts.slips._LINES_A_PIECE", 1)
    lines = [LineDraft(f"SKU-{number}", "It", 1, 100, 0) for number in range(3)]
    wanted = draft()
    place(
        type(wanted)(**{**{name: getattr(wanted, name) for name in wanted.__slots__}, "lines": lines}),
        wait=False,
    )
    Order.objects.update(status=OrderStatus.PAID)
    found = made(ask(Kind.PACKING_SLIPS, by="ada", orders=list(Order.objects.values_list("pk", flat=True))))
    assert found.pages == 1
