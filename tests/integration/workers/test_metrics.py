"""The figures for Prometheus: true to tables and queues, cheap to ask for, and served whatever else is the matter."""

import logging
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from orders import scheduling
from orders.models import Claim, Document, Order
from orders.scheduling import claim
from orders.states import Provider
from orders.workflow import Step
from shop.catalogue.models import Category, Product
from shop.version import CODE_VERSION
from shop.videos.models import Segment, Upload, Video
from stack.layout import ROOT
from stack.ports import HOST, Ports
from tests.freezing import frozen
from tests.making import place_order
from tests.servers import Servers
from tests.waiting import wait_for
from workers import deadletters
from workers.metrics import collecting, figures
from workers.metrics.collecting import Collector
from workers.metrics.serving import serve
from workers.models import Breaker

pytestmark = pytest.mark.django_db(transaction=True)

# Figures of the kind that grows with the years: none may be asked for by reading a table whole.
LARGE = (
    "orders_order",
    "orders_orderevent",
    "orders_document",
    "workers_deadletter",
    "videos_video",
    "videos_segment",
)


def shown(collector: Collector | None = None) -> dict[tuple[str, ...], float]:
    """(name, label's value) -> number, of a look that was not kept from an earlier one."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in (collector or Collector()).collect()
        for sample in family.samples
    }


@pytest.fixture
def product() -> Product:
    category = Category.objects.create(name="Kitchen", slug="kitchen")
    return Product.objects.create(
        sku="KETTLE", name="A kettle", category=category, price_minor=1_250, currency="GBP"
    )


def video(product: Product, state: Video.State = Video.State.ENCODING) -> Video:
    return Video.objects.create(product=product, filename="a.mp4", size=10, by="ada", state=state)


def test_how_the_orders_stand(broker: redis.Redis) -> None:
    orders = [place_order() for _ in range(6)]
    now = timezone.now()
    Order.objects.filter(pk=orders[0].pk).update(due_at=now - timedelta(seconds=90))
    assert len(claim(2)) == 2
    scheduling.schedule({orders[2].pk: now + timedelta(hours=1)})
    scheduling.set_aside([orders[3].pk], "for a person")
    Order.objects.filter(pk=orders[4].pk).update(status="completed", due_at=None, ended_at=now)

    found = shown()
    scheduled = {
        label: found["stampede_orders_scheduled", label]
        for label in ("due", "under_way", "waiting", "set_aside")
    }
    assert scheduled == {"due": 1, "under_way": 2, "waiting": 1, "set_aside": 1}
    assert found["stampede_orders", "placed"] == 5
    assert found["stampede_orders", "paid"] == 0
    assert ("stampede_orders", "completed") not in found
    assert found["stampede_claims_undispatched",] == 1
    assert found["stampede_order_events_unpublished",] >= 6


def test_how_long_the_oldest_has_been_due() -> None:
    Order.objects.filter(pk=place_order().pk).update(due_at=timezone.now() - timedelta(seconds=90))
    place_order()
    assert 90 <= shown()["stampede_oldest_due_order_age_seconds",] < 150


def test_counting_ends_where_it_would_be_dear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST", 2)
    for _ in range(4):
        place_order()
    found = shown()
    assert found["stampede_orders", "placed"] == 2
    assert found["stampede_orders_scheduled", "due"] == 2


def test_nothing_that_grows_for_years_is_read_whole() -> None:
    with collecting.connect() as own:
        rows = own.execute("EXPLAIN " + figures.STATEMENT, figures.parameters(0, 1)).fetchall()
    plan = "\n".join(line for (line,) in rows)
    assert "Index" in plan
    assert [table for table in LARGE if f"Seq Scan on {table}" in plan] == []


def test_a_look_is_not_taken_for_the_relay_by_its_health_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGAPPNAME", "relay")
    with collecting.connect() as own:
        assert own.execute("SHOW application_name").fetchone() == ("metrics",)


def test_messages_letters_breakers_and_findings(broker: redis.Redis) -> None:
    broker.lpush("payment", *[b"{}"] * 3)
    order = place_order()
    deadletters.bury(Step.EMAIL, {order.pk: ConnectionError("no mail server")})
    until = timezone.now() + timedelta(minutes=15)
    Breaker.objects.create(
        provider=Provider.SMS, state=Breaker.State.OPEN, times_opened=3, parked_until=until
    )
    Breaker.objects.create(provider=Provider.CARRIER, state=Breaker.State.HALF_OPEN)
    Order.objects.update(due_at=until)
    found = shown()
    assert {queue: found["stampede_queue_messages", queue] for queue in ("payment", "media")} == {
        "payment": 3,
        "media": 0,
    }
    assert found["stampede_dead_letters_open", "email.send"] == 1
    assert found["stampede_dead_letters_open", "payment.charge"] == 0
    assert [found["stampede_breaker_state", name] for name in ("sms", "carrier", "mail")] == [2, 1, 0]
    assert found["stampede_breaker_opened_total", "sms"] == 3
    assert found["stampede_orders_parked", "sms"] == 1
    assert found["stampede_findings_open", "unknown_charge"] == 0


def test_a_flood_of_names_makes_no_flood_of_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a task may come from a message that somebody made up."""
    monkeypatch.setattr(figures, "MOST_TASKS", 3)
    for number in range(10):
        deadletters.bury_message(f"made.up.{number}", "payment", "", ValueError("no task"))
    found = shown()
    assert len([key for key in found if key[0] == "stampede_dead_letters_open" and "made.up" in key[1]]) == 3


def test_what_a_relay_died_over() -> None:
    Claim.objects.create(order_ids=[1], lease_until=timezone.now())
    Claim.objects.update(claimed_at=timezone.now() - timedelta(seconds=30))
    found = shown()
    assert found["stampede_claims_undispatched",] == 1
    assert 30 <= found["stampede_oldest_undispatched_claim_age_seconds",] < 90


def test_documents_videos_and_uploads(product: Product) -> None:
    for serial, due in ((1, timezone.now()), (2, timezone.now() + timedelta(hours=1)), (3, None)):
        Document.objects.create(order=place_order(), kind="invoice", serial=serial, seller="Us", due_at=due)
    encoding = video(product)
    video(product, Video.State.WAITING)
    video(product, Video.State.FAILED)
    later = timezone.now() + timedelta(minutes=1)
    spans = [(0, 60_000), (0, 8_000), (8_000, 16_000), (16_000, 20_000)]
    for number, (start, end) in enumerate(spans):
        Segment.objects.create(video=encoding, number=number, start_ms=start, end_ms=end)
    Segment.objects.filter(number=1).update(holder=uuid4(), due_at=later, attempts=1, encoded_ms=3_000)
    Segment.objects.filter(number=2).update(due_at=later)
    for size, offset in ((100, 30), (1_000, 500)):
        Upload.objects.create(
            product=product, filename="b.mp4", size=size, offset=offset, by="ada", expires_at=later
        )
    found = shown()
    assert [found["stampede_documents", name] for name in ("due", "under_way", "waiting")] == [1, 0, 1]
    assert [found["stampede_videos", name] for name in ("waiting", "encoding", "joining")] == [1, 1, 0]
    assert [found["stampede_video_segments", name] for name in ("due", "under_way", "waiting")] == [2, 1, 1]
    assert found["stampede_video_backlog_seconds",] == 5 + 8 + 4
    assert found["stampede_uploads",] == 2
    assert found["stampede_uploads_received_bytes",] == 530
    assert found["stampede_uploads_announced_bytes",] == 1_100


def test_segments_are_counted_once_from_look_to_look(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were done before the first look are not of this process, and none is counted twice."""
    monkeypatch.setattr(collecting, "KEPT", 0.0)
    monkeypatch.setattr(figures, "SETTLED_SECONDS", 0.0)
    encoding = video(product)

    def done(number: int, ago: float = 0.0) -> None:
        Segment.objects.create(
            video=encoding,
            number=number,
            start_ms=0,
            end_ms=8_000,
            due_at=None,
            done_at=timezone.now() - timedelta(seconds=ago),
        )

    done(1, ago=60)
    collector = Collector()
    names = ("stampede_video_segments_encoded_total", "stampede_video_encoded_seconds_total")
    assert [shown(collector)[name,] for name in names] == [0, 0]
    done(0)
    done(2)
    assert [shown(collector)[name,] for name in names] == [2, 8]
    done(3)
    assert [shown(collector)[name,] for name in names] == [3, 16]
    assert [shown(collector)[name,] for name in names] == [3, 16]


def test_who_asks_again_at_once_gets_the_same_answer() -> None:
    collector = Collector()
    before = shown(collector)["stampede_orders", "placed"]
    place_order()
    assert shown(collector)["stampede_orders", "placed"] == before
    assert wait_for(
        lambda: shown(collector)["stampede_orders", "placed"] == before + 1 or None, "the next look"
    )


def test_a_database_that_hangs_costs_a_scrape_seconds_and_leaves_out_its_figures(
    servers: Servers, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "PATIENCE", 0.3)
    monkeypatch.setattr(collecting, "KEPT", 0.0)
    collector = Collector()
    assert shown(collector)["stampede_database_up",] == 1
    with frozen(servers.pid("postgres")):
        found = shown(collector)
    assert found["stampede_database_up",] == 0
    assert not [key for key in found if key[0] == "stampede_orders"]
    assert ("stampede_queue_messages", "payment") in found
    assert shown(collector)["stampede_database_up",] == 1
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2
    assert said[0].startswith("The database has no figures")


def test_a_broker_that_hangs_leaves_out_its_queues(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "PATIENCE", 0.3)
    collector = Collector()
    with frozen(servers.pid("valkey")):
        found = shown(collector)
    assert found["stampede_broker_up",] == 0
    assert ("stampede_queue_messages", "payment") not in found
    assert found["stampede_database_up",] == 1


def test_no_name_is_there_twice_and_all_have_their_help() -> None:
    registry = CollectorRegistry()
    registry.register(Collector())
    families = list(registry.collect())
    assert all(family.documentation for family in families)
    assert len({family.name for family in families}) == len(families)


def test_an_address_that_is_taken_costs_the_figures_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    taken = settings.DATABASES["default"]["PORT"]
    assert serve(f"{HOST}:{taken}") is False
    assert "METRICS_LISTEN" in caplog.text
    assert serve("") is False


@contextmanager
def relay(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    database = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
    with (folder / "relay.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "manage.py", "relay"],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "DATABASE_URL": database,
                "METRICS_LISTEN": f"{HOST}:{port}",
                "STAMPEDE_VERSION": CODE_VERSION,
            },
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def scrape(port: int) -> dict[tuple[str, ...], float] | None:
    """What Prometheus would see, read by its own parser; None while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_relay_serves_them_and_goes_on_while_its_database_hangs(
    servers: Servers, broker: redis.Redis, tmp_path: Path
) -> None:
    place_order()
    port = Ports.free().metrics
    with relay(tmp_path, port) as process:

        def told() -> dict[tuple[str, ...], float] | None:
            found = scrape(port)
            return found if found and found["stampede_order_events_total", "order.placed"] else None

        found = wait_for(told, "the figures of an order that was told of")
        assert found["stampede_build_info", CODE_VERSION] == 1
        assert found["stampede_database_up",] == 1
        assert found["process_resident_memory_bytes",] > 0
        with frozen(servers.pid("postgres")):
            wait_for(
                lambda: (scrape(port) or {}).get(("stampede_database_up",)) == 0.0 or None,
                "the figures that say so",
            )
        wait_for(
            lambda: (scrape(port) or {}).get(("stampede_database_up",)) == 1.0 or None,
            "the database's figures",
        )
        assert process.poll() is None
