"""What the relay rings for videos: what is due, a few at a time, the shortest first; and what it sets apart."""

import uuid
from datetime import timedelta

import orjson
import pytest
import redis
from django.utils import timezone

from orders.lease import MAX_ATTEMPTS
from shop.catalogue.models import Product
from shop.videos.models import Segment, Video
from tests.filming import product
from tests.making import place_order
from tests.servers import Servers
from workers.broker import Broker
from workers.models import DeadLetter
from workers.queues import QueueName
from workers.relay.duties import Relay
from workers.relay.leased import INTERVAL, MEDIA_WAITING, dispatch_videos

pytestmark = pytest.mark.django_db(transaction=True)


def video(state: str = "encoding", seconds: int = 0, of: Product | None = None, **more: object) -> Video:
    """A video with so many segments of a second each."""
    made = Video.objects.create(
        **{
            "product": of or product(),
            "filename": "a",
            "source": "a",
            "size": 1,
            "by": "ada",
            "state": state,
            **more,
        }
    )
    if state == "encoding":
        Video.objects.filter(pk=made.pk).update(due_at=None)
    Segment.objects.bulk_create(
        Segment(video=made, number=number, start_ms=number * 1_000, end_ms=(number + 1) * 1_000)
        for number in range(1, seconds + 1)
    )
    return made


def look() -> None:
    dispatch_videos(Broker())


def rung(broker: redis.Redis, queue: QueueName = QueueName.MEDIA) -> list[tuple[str, int]]:
    """(task, id) of each message that waits, the first to be taken first."""
    found = []
    for message in reversed(broker.lrange(queue.value, 0, -1)):
        headers = orjson.loads(message)["headers"]
        found.append((headers["task"], int(headers["argsrepr"].strip("(,)"))))
    return found


def segments_of(*videos: Video) -> list[tuple[str, int]]:
    return [
        ("media.encode", one.pk)
        for of in videos
        for one in Segment.objects.filter(video=of).order_by("number")
    ]


@pytest.mark.parametrize(
    ("state", "task", "queue"),
    [
        ("waiting", "media.probe", QueueName.MEDIA),
        ("joining", "media.join", QueueName.MEDIA),
        *(
            (state, "bulk.clear_video", QueueName.BULK)
            for state in ("cancelled", "refused", "replaced", "published")
        ),
    ],
)
def test_what_is_due_is_rung_once(state: str, task: str, queue: QueueName, broker: redis.Redis) -> None:
    due = video(state)
    look()
    look()
    assert rung(broker, queue) == [(task, due.pk)]


def test_only_so_many_wait_in_the_queue(broker: redis.Redis) -> None:
    video(seconds=20)
    look()
    look()
    assert broker.llen(QueueName.MEDIA.value) == MEDIA_WAITING
    broker.ltrim(QueueName.MEDIA.value, 0, 1)
    look()
    assert broker.llen(QueueName.MEDIA.value) == MEDIA_WAITING


def test_clearing_does_not_wait_for_encoding(broker: redis.Redis) -> None:
    video(seconds=20)
    look()
    video("cancelled")
    look()
    assert broker.llen(QueueName.BULK.value) == 1


def test_the_one_with_the_least_left_goes_first(broker: redis.Redis) -> None:
    long, short = video(seconds=9), video(seconds=3)
    look()
    assert rung(broker) == [*segments_of(short), segments_of(long)[0]]


def test_what_is_lost_is_rung_again_and_not_counted(broker: redis.Redis) -> None:
    due = video(seconds=1)
    look()
    broker.delete(QueueName.MEDIA.value)
    look()
    assert not rung(broker)
    Segment.objects.update(due_at=timezone.now())
    look()
    assert rung(broker) == segments_of(due)
    assert Segment.objects.get().attempts == 0


def test_a_dead_holder_is_followed_by_another(broker: redis.Redis) -> None:
    due = video(seconds=1)
    Segment.objects.update(holder=uuid.uuid4(), due_at=timezone.now() + timedelta(seconds=9), attempts=1)
    look()
    assert not rung(broker)
    Segment.objects.update(due_at=timezone.now())
    look()
    assert rung(broker) == segments_of(due)
    assert Segment.objects.get().holder is None


def test_what_kills_its_workers_is_set_apart(broker: redis.Redis) -> None:
    due = video(seconds=2)
    Segment.objects.filter(number=1).update(attempts=MAX_ATTEMPTS)
    look()
    due.refresh_from_db()
    assert (due.state, due.due_at) == ("failed", None)
    assert DeadLetter.objects.get().video == due


def test_a_broker_that_is_away_leaves_it_due(servers: Servers, broker: redis.Redis) -> None:
    due = video(seconds=1)
    relay = Relay()
    servers.stop("valkey")
    try:
        relay.run_once()
        assert Segment.objects.filter(due_at__lte=timezone.now()).exists()
    finally:
        servers.start("valkey")
    Relay().run_once()
    assert rung(broker) == segments_of(due)


def test_orders_are_rung_beside_it(broker: redis.Redis) -> None:
    video(seconds=9)
    place_order()
    Relay().run_once()
    assert broker.llen(QueueName.INVENTORY.value) == 1
    assert broker.llen(QueueName.MEDIA.value) == MEDIA_WAITING


def test_it_looks_a_few_times_a_second(broker: redis.Redis) -> None:
    [duty] = [duty for duty in Relay().duties if duty.name == "dispatching videos"]
    assert duty.interval == INTERVAL >= 0.2
