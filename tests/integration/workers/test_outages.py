"""Our own database is killed or frozen while something is in work: no attempt counts, and all ends by itself."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from orders import inventory, scheduling
from orders.models import Document, Order, Payment, Printout
from orders.printouts.asking import ask
from orders.providers.http import close_client
from orders.states import OrderStatus
from orders.workflow import Step, work_of
from shop.catalogue.models import Category, Product
from shop.videos.models import Segment, Video
from tests.filming import clip, uploaded
from tests.freezing import frozen
from tests.integration.invoices.test_printing import invoices
from tests.integration.media.conftest import drive
from tests.making import place_order, stock
from tests.media import keep_media_in
from tests.servers import Servers
from tests.waiting import wait_for
from workers.media.tasks import encode
from workers.models import DeadLetter
from workers.retry import INFRASTRUCTURE_DOWN
from workers.steps import perform
from workers.tasks import STEP_TASKS, make_printout, render_documents

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    return keep_media_in(tmp_path / "media", settings)


@dataclass
class Job:
    """Something that takes a while; each is looked at while the database is there."""

    work: Callable[[], object]
    begun: Callable[[], object]  # whether it is in the middle of it
    counted: Callable[[], set[int]]  # what its rows have counted: attempts without an answer, and failures
    ended: Callable[[], bool]


def pdfs(media: Path) -> Job:
    ids = [document.pk for document in invoices(150)]
    return Job(
        lambda: render_documents(ids),
        lambda: next(iter(media.rglob("*.pdf")), None),
        lambda: {n for one in Document.objects.all() for n in (one.attempts, one.failures)},
        lambda: not Document.objects.exclude(due_at=None).exists(),
    )


def printout(media: Path) -> Job:
    kitchen = Category.objects.create(name="Kitchen", slug="kitchen")
    Product.objects.bulk_create(
        Product(sku=f"K-{number}", name=f"Kettle {number}", category=kitchen, price_minor=1, currency="GBP")
        for number in range(3_000)
    )
    wanted = ask(Printout.Kind.CATALOGUE, by="ada")
    return Job(
        lambda: make_printout(wanted.pk),
        lambda: next(iter(media.rglob("000001.pdf")), None),
        lambda: {n for one in Printout.objects.all() for n in (one.attempts, one.failures)},
        lambda: Printout.objects.get().state == Printout.State.DONE,
    )


def segment(media: Path) -> Job:
    film = clip(media.parent / "film.mp4", 12, size="1280x720", sound=False)
    drive(uploaded(film), until=lambda video: video.state == Video.State.ENCODING)
    chosen = Segment.objects.filter(pk=Segment.objects.latest("number").pk)
    chosen.update(start_ms=0, end_ms=12_000)
    return Job(
        lambda: encode(chosen.get().pk),
        lambda: chosen.get().encodes or None,
        lambda: {n for one in chosen for n in (one.attempts, one.failures)},
        lambda: chosen.get().done_at is not None,
    )


def order(media: Path) -> Job:
    """Its payment provider takes two seconds for an answer."""
    stock(KETTLE=1)
    placed = place_order(card="pm_sandbox_slow")
    scheduling.claim(10)
    inventory.reserve([placed.pk])
    task, charge = STEP_TASKS[Step.CHARGE], work_of(Step.CHARGE)
    return Job(
        lambda: perform(task, Step.CHARGE, charge, [placed.pk]),
        lambda: Payment.objects.filter(status=Payment.Status.REQUESTED).exists() or None,
        # Once it is paid, a first attempt at its next step is under way.
        lambda: (
            {one.attempts for one in Order.objects.filter(status=OrderStatus.RESERVED)}
            | {one.failures for one in Payment.objects.all()}
        ),
        lambda: Order.objects.get().status == OrderStatus.PAID,
    )


@contextmanager
def killed(servers: Servers, stuck: Callable[[], bool]) -> Iterator[None]:
    servers.kill("postgres")
    yield
    servers.start("postgres")


@contextmanager
def hanging(servers: Servers, stuck: Callable[[], bool]) -> Iterator[None]:
    with frozen(servers.pid("postgres")):
        wait_for(lambda: stuck() or None, "the work to ask the database for something")
        yield


def waits_for_the_database(thread: threading.Thread) -> bool:
    """Whether the thread is inside of psycopg at this moment."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if "psycopg" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


@pytest.mark.parametrize("outage", [killed, hanging])
@pytest.mark.parametrize("prepared", [pdfs, printout, segment, order])
def test_no_attempt_counts_and_all_ends_by_itself(
    prepared: Callable[[Path], Job],
    outage: Callable[..., AbstractContextManager[None]],
    media: Path,
    servers: Servers,
) -> None:
    job = prepared(media)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            job.work()
        except INFRASTRUCTURE_DOWN as error:
            errors.append(error)
        finally:
            connection.close()
            close_client()

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(job.begun, "the work to be under way")
    connection.close()
    with outage(servers, lambda: waits_for_the_database(thread)):
        pass
    thread.join(60)
    assert not thread.is_alive()
    assert bool(errors) == (outage is killed)
    assert job.counted() <= {0}
    if errors:
        Order.objects.exclude(due_at=None).update(due_at=timezone.now())  # seconds pass
        job.work()  # as the relay dispatches what is due
    assert job.ended()
    assert job.counted() <= {0}
    assert not DeadLetter.objects.exists()
