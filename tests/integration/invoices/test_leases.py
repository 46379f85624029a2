"""Who makes a PDF holds it under a short lease: nobody else makes it meanwhile, and what a dead renderer held is due
again within half a minute."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from orders.invoices import printing
from orders.lease import MAX_ATTEMPTS, Lease, LeaseLost
from orders.models import Document
from tests.integration.invoices.test_printing import invoices
from workers.queues import QueueName
from workers.retry import POLICIES
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
    Lease(printing.DOCUMENTS, ids).take()
    return ids


def later(seconds: float) -> None:
    """So much time passes for all leases."""
    for document in Document.objects.exclude(due_at=None):
        assert document.due_at
        Document.objects.filter(pk=document.pk).update(due_at=document.due_at - timedelta(seconds=seconds))


def test_a_dead_renderer_and_a_lost_message_cost_less_than_half_a_minute() -> None:
    assert printing.DOCUMENTS.lease < DEAD_FOR_SURE
    assert printing.DOCUMENTS.dispatch < DEAD_FOR_SURE


def test_what_somebody_holds_is_made_by_nobody_else(media: Path) -> None:
    ids = begun_and_died()
    render_documents(ids)
    assert not list(media.rglob("*.pdf"))
    assert printing.DOCUMENTS.claim(10) == {}


def test_what_a_dead_renderer_held_is_claimed_and_made_when_its_lease_ran_out(media: Path) -> None:
    ids = begun_and_died(2)
    later(60)
    assert printing.DOCUMENTS.claim(10) == {ids[0]: 1, ids[1]: 1}
    render_documents(ids)
    assert len(list(media.rglob("*.pdf"))) == 2
    assert set(Document.objects.values_list("due_at", "attempts", "holder")) == {(None, 0, None)}


def test_a_message_that_waits_long_counts_as_no_drive(media: Path) -> None:
    [document] = invoices()
    for _ in range(2 * MAX_ATTEMPTS):
        later(60)
        assert printing.DOCUMENTS.claim(10) == {document.pk: 0}
    render_documents([document.pk])
    render_documents([document.pk])  # the same message again
    document.refresh_from_db()
    assert (document.file != "", document.attempts_total) == (True, 1)


def test_while_it_works_the_renderer_renews_its_lease() -> None:
    documents = invoices(3)
    ids = [document.pk for document in documents]
    lease = Lease(printing.DOCUMENTS, ids)
    lease.take()
    later(19)
    Document.objects.filter(pk=ids[0]).update(holder=None)  # it is made by now
    lease.renew_in_time()  # it has only just taken them
    assert Document.objects.filter(due_at__lt=timezone.now() + timedelta(seconds=2)).count() == 3
    lease.valid_until -= 10
    lease.renew_in_time()
    first, second, third = (Document.objects.get(pk=document_id).due_at for document_id in ids)
    assert first
    assert second
    assert second == third
    assert second > first + timedelta(seconds=15)


def test_a_late_renderer_takes_nothing_from_its_successor() -> None:
    ids = begun_and_died()
    late = Lease(printing.DOCUMENTS, ids)
    before = Document.objects.get(pk=ids[0])
    with pytest.raises(LeaseLost):
        late.renew()
    late.release()
    assert late.fail({ids[0]: RuntimeError()}, POLICIES[QueueName.DOCUMENTS]) == {}
    after = Document.objects.get(pk=ids[0])
    assert (after.due_at, after.holder) == (before.due_at, before.holder)
    assert after.due_at
    assert after.due_at > timezone.now()
