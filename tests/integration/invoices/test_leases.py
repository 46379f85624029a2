"""Who makes a PDF holds it under a short lease: nobody else makes it meanwhile, and what a dead renderer held is due
again within half a minute."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import Settings

from orders import sql
from orders.invoices import printing
from orders.models import Document
from tests.integration.invoices.test_printing import invoices
from workers.relay.claiming import claim_documents
from workers.relay.dispatcher import DOCUMENT_LEASE
from workers.tasks import render_documents

pytestmark = pytest.mark.django_db

DEAD_FOR_SURE = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    return tmp_path


def begun_and_died(count: int = 1) -> list[int]:
    """Documents that a renderer took, and was not heard of since."""
    ids = [document.pk for document in invoices(count)]
    sql.rows(printing._TAKE, {"ids": ids, "holder": uuid4(), "lease": printing.LEASE})
    return ids


def later(seconds: float) -> None:
    """So much time passes for all leases."""
    for document in Document.objects.exclude(due_at=None):
        assert document.due_at
        Document.objects.filter(pk=document.pk).update(due_at=document.due_at - timedelta(seconds=seconds))


def test_a_dead_renderer_and_a_lost_message_cost_less_than_half_a_minute() -> None:
    assert printing.LEASE < DEAD_FOR_SURE
    assert DOCUMENT_LEASE < DEAD_FOR_SURE


def test_what_somebody_holds_is_made_by_nobody_else(media: Path) -> None:
    ids = begun_and_died()
    render_documents(ids)
    assert not list(media.rglob("*.pdf"))
    assert claim_documents(10, DOCUMENT_LEASE) == []


def test_what_a_dead_renderer_held_is_claimed_and_made_when_its_lease_ran_out(media: Path) -> None:
    ids = begun_and_died(2)
    later(60)
    assert sorted(claim_documents(10, DOCUMENT_LEASE)) == [(ids[0], 1), (ids[1], 1)]
    render_documents(ids)
    assert len(list(media.rglob("*.pdf"))) == 2
    assert set(Document.objects.values_list("due_at", "attempts", "holder")) == {(None, 0, None)}


def test_a_message_that_waits_long_counts_as_no_drive(media: Path) -> None:
    [document] = invoices()
    for _ in range(2 * printing.MAX_ATTEMPTS):
        later(60)
        assert claim_documents(10, DOCUMENT_LEASE) == [(document.pk, 0)]
    render_documents([document.pk])
    render_documents([document.pk])  # the same message again
    document.refresh_from_db()
    assert (document.file != "", document.attempts_total) == (True, 1)


def test_while_it_works_the_renderer_moves_its_lease_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "_SIGN_OF_LIFE", 0.0)
    documents = invoices(3)
    holder, ids = uuid4(), [document.pk for document in documents]
    sql.rows(printing._TAKE, {"ids": ids, "holder": holder, "lease": timedelta(seconds=1)})
    lease = printing._Lease(holder)
    lease.hold(ids[1:])
    first, second, third = (Document.objects.get(pk=document_id).due_at for document_id in ids)
    assert first
    assert second
    assert second == third
    assert second > first + timedelta(seconds=15)


def test_a_late_renderer_takes_nothing_from_its_successor() -> None:
    [document_id] = begun_and_died()
    late = printing._Lease(uuid4())
    late._renewed = 0.0
    before = Document.objects.get(pk=document_id)
    late.hold([document_id])
    assert sql.count(printing._FAILED, {"ids": [document_id], "holder": late.holder}) == 0
    after = Document.objects.get(pk=document_id)
    assert (after.due_at, after.holder) == (before.due_at, before.holder)
    assert after.due_at
    assert after.due_at > timezone.now()
