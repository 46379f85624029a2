"""Numbers of invoices and credit notes have no gap, wherever the process that issues them is killed; and a renderer
that is killed leaves whole files or none."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from orders import scheduling
from orders.crashpoints import Point
from orders.invoices import issuing, printing
from orders.models import Document, InvoiceCounter, Order, Payment
from orders.refunds import refund
from orders.states import OrderStatus
from stack.layout import ROOT
from tests.chaos.conftest import Dies
from tests.chaos.dying import environment
from tests.invoicing import flaws
from tests.making import place_order
from workers import documents

pytestmark = pytest.mark.django_db(transaction=True)

# Issues one order a transaction for as long as it lives, and says so.
ISSUES = """
import sys, django; django.setup()
from orders.invoices import issuing
from orders.models import Order
for order_id in Order.objects.filter(documents=None).order_by("id").values_list("pk", flat=True):
    issuing.issue([order_id])
    print(order_id, flush=True)
"""
REFUNDS = """
import os, signal
from django.db import transaction
from orders.refunds import refund
with transaction.atomic():
    refund({order}, None, key="form", reason="Broken", by="ada", restock=False)
    {when}
os.kill(os.getpid(), signal.SIGKILL)
"""


def paid(count: int = 1) -> list[int]:
    ids = [place_order().pk for _ in range(count)]
    scheduling.advance(ids, [OrderStatus.PLACED], OrderStatus.RESERVED)
    scheduling.advance(ids, [OrderStatus.RESERVED], OrderStatus.PAID)
    return ids


def serials(kind: str = "invoice") -> list[int]:
    return list(Document.objects.filter(kind=kind).order_by("serial").values_list("serial", flat=True))


def counter(which: int = 1) -> int:
    return InvoiceCounter.objects.get(pk=which).last


@pytest.mark.parametrize("point", [Point.INVOICE_BEFORE_COMMIT, Point.INVOICE_AFTER_COMMIT])
def test_killed_while_it_issues_it_leaves_no_gap(point: Point, dies: Dies) -> None:
    first, killed, last = paid(2), paid(3), paid(2)
    issuing.issue(first)
    dies(point, f"from orders.invoices import issuing\nissuing.issue({killed})")
    assert serials() in ([1, 2], [1, 2, 3, 4, 5])
    for ids in (last, killed):
        issuing.issue(ids)
    assert serials() == [1, 2, 3, 4, 5, 6, 7]
    assert counter() == 7
    assert Document.objects.values("order").distinct().count() == 7


def test_killed_again_and_again_at_any_moment_it_leaves_no_gap(tmp_path: Path) -> None:
    ids = paid(60)
    for kill in range(5):
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", ISSUES], env=environment(tmp_path), cwd=ROOT, stdout=subprocess.PIPE
        )
        assert process.stdout
        for _ in range(3 + kill):  # dies in the midst of the one after these
            process.stdout.readline()
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()
        assert serials() == list(range(1, len(serials()) + 1))
    issuing.issue(ids)
    assert serials() == list(range(1, 61))
    assert counter() == 60


@pytest.mark.parametrize(("when", "issued"), [("os.kill(os.getpid(), signal.SIGKILL)", 0), ("pass", 1)])
def test_a_refund_that_is_killed_has_its_credit_note_or_neither(
    when: str, issued: int, tmp_path: Path
) -> None:
    order_id, other = paid(2)
    issuing.issue([order_id, other])
    for one in (order_id, other):
        Payment.objects.filter(order=one).update(status="captured", captured_minor=1_250, reference="pi")
        scheduling.advance([one], [OrderStatus.PAID], OrderStatus.COMPLETED, then="end")
    killed(REFUNDS.format(order=order_id, when=when), tmp_path)
    order = Order.objects.get(pk=order_id)
    assert order.refunds.count() == issued
    assert serials("credit_note") == [1][:issued]
    refund(order_id, None, key="form", reason="Broken", by="ada", restock=False)  # the form is sent again
    refund(other, None, key="other", reason="Broken", by="ada", restock=False)
    assert serials("credit_note") == [1, 2]
    assert counter(2) == 2


def killed(script: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import django; django.setup()\n{script}"],
        env=environment(folder), cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == -9, done.stdout + done.stderr


@pytest.mark.parametrize(
    "point", [Point.DOCUMENTS_BEFORE_FILE, Point.DOCUMENTS_AFTER_FILE, Point.DOCUMENTS_AFTER_COMMIT]
)
def test_a_renderer_that_is_killed_leaves_whole_files_or_none(
    point: Point, settings: Settings, tmp_path: Path, dies: Dies
) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    issuing.issue(paid(3))
    ids = list(printing.DOCUMENTS.claim(10))
    dies(
        point,
        f"from django.conf import settings\nsettings.MEDIA_ROOT = {settings.MEDIA_ROOT!r}\n"
        f"from workers import documents\ndocuments.render({ids})",
    )
    for path in Path(settings.MEDIA_ROOT).rglob("*.pdf"):
        assert flaws(path.read_bytes()) == []
    if point is not Point.DOCUMENTS_AFTER_COMMIT:
        # Its lease runs out, and the relay hands it to the next.
        with connection.cursor() as cursor:
            cursor.execute("UPDATE orders_document SET due_at = now()")
        assert len(printing.DOCUMENTS.claim(10)) == 3
        documents.render(ids)
    assert sorted(path.name for path in Path(settings.MEDIA_ROOT).rglob("*.pdf")) == [
        f"INV-{serial:07d}.pdf" for serial in (1, 2, 3)
    ]
    assert not Document.objects.exclude(due_at=None).filter(due_at__lt=timezone.now()).exists()
