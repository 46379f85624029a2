"""Holding a row: never two at once, nothing written by who is late, nothing done twice, nothing forgotten."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from orders.lease import LeaseLost
from orders.models import Order
from shop.videos.models import Segment, Video
from tests.filming import clip, uploaded
from tests.integration.media.conftest import drive
from tests.making import at_once, place_order
from workers.media import leases, runner
from workers.media.leases import JOINS, PROBES, MediaLease, SegmentLease
from workers.media.store import store_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def segments(tmp_path: Path) -> list[Segment]:
    """The segments of a video that is to be encoded, sound first."""
    video = drive(
        uploaded(clip(tmp_path / "clip.mp4", 5)), until=lambda one: one.state == Video.State.ENCODING
    )
    return list(video.segments.all())


def run_out(segment: Segment) -> None:
    Segment.objects.filter(pk=segment.pk).update(due_at=timezone.now() - timedelta(seconds=1))


def test_of_many_who_take_it_one_has_it(segments: list[Segment]) -> None:
    taken = at_once(lambda _: SegmentLease(segments[1].pk).take(), 8)
    assert sorted(map(str, taken)) == [f"[{segments[1].pk}]", *["[]"] * 7]


def test_a_second_message_finds_it_held(segments: list[Segment]) -> None:
    first = SegmentLease(segments[1].pk)
    assert first.take()
    runner.encode(segments[1].pk)
    segments[1].refresh_from_db()
    assert (segments[1].encodes, segments[1].done_at, segments[1].attempts) == (0, None, 1)
    assert segments[1].holder == first.holder


def test_who_lost_its_lease_changes_nothing(segments: list[Segment]) -> None:
    late, heir = SegmentLease(segments[1].pk), SegmentLease(segments[1].pk)
    assert late.take()
    run_out(segments[1])
    assert heir.take()
    for write in (late.beat, late.begin_encoding, lambda: late.finish(segments[1])):
        with pytest.raises(LeaseLost):
            write()
    late.release()
    segments[1].refresh_from_db()
    assert segments[1].holder == heir.holder
    assert segments[1].done_at is None


def test_a_beat_extends_the_lease_and_tells_how_far_it_is(segments: list[Segment]) -> None:
    lease = SegmentLease(segments[1].pk)
    assert lease.take()
    run_out(segments[1])
    lease.done_ms = 700
    lease.beat()
    segments[1].refresh_from_db()
    assert segments[1].encoded_ms == 700
    assert segments[1].due_at is not None
    assert segments[1].due_at > timezone.now()


def test_a_beat_says_whether_orders_wait(segments: list[Segment]) -> None:
    lease = SegmentLease(segments[1].pk)
    assert lease.take()
    order = place_order()
    assert not lease.beat()
    Order.objects.filter(pk=order.pk).update(due_at=timezone.now() - timedelta(seconds=2))
    assert lease.beat()


def test_what_is_whole_is_only_marked(segments: list[Segment]) -> None:
    """Its worker was killed between putting the files in their place and marking them."""
    segment = segments[1]
    lease = SegmentLease(segment.pk)
    assert lease.take()
    lease.begin_encoding()
    store = store_of(segment.video, lease)
    with store.workspace("00001") as desk:
        (desk / "96p.mp4").write_bytes(b"whole")
        store.save(segment.number, desk)
    run_out(segment)
    runner.encode(segment.pk)
    segment.refresh_from_db()
    assert segment.done_at
    assert segment.encodes == 1
    assert store.segment_file(segment.number, "96p.mp4", Path()).read_bytes() == b"whole"


def test_a_done_segment_is_not_taken(segments: list[Segment]) -> None:
    runner.encode(segments[1].pk)
    assert not SegmentLease(segments[1].pk).take()
    runner.encode(segments[1].pk)
    segments[1].refresh_from_db()
    assert segments[1].encodes == 1


def test_what_is_given_back_is_not_counted(segments: list[Segment]) -> None:
    lease = SegmentLease(segments[1].pk)
    assert lease.take()
    lease.release()
    segments[1].refresh_from_db()
    assert (segments[1].attempts, segments[1].attempts_total, segments[1].holder) == (0, 0, None)


def finish_the_last_two(segments: list[Segment]) -> str:
    """The state of a video whose last two segments are finished at the same moment."""
    last = segments[-2:]
    Segment.objects.exclude(pk__in=[one.pk for one in last]).update(done_at=timezone.now(), due_at=None)
    held = [SegmentLease(segment.pk) for segment in last]
    assert all(lease.take() for lease in held)
    assert at_once(lambda number: held[number].finish(last[number]), 2) == [None, None]
    return Video.objects.get(pk=segments[0].video_id).state


def test_the_last_of_two_at_once_has_it_joined(segments: list[Segment]) -> None:
    assert finish_the_last_two(segments) == Video.State.JOINING


def test_without_the_lock_neither_sees_that_it_is_the_last(
    segments: list[Segment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits a moment before it commits, and the other, which looks whether all is done, does not see it."""
    monkeypatch.setattr(leases, "_LOCK_VIDEO", "SELECT %(video)s")
    looked = leases._JOIN_IF_ALL_DONE + " RETURNING id"
    slow = f"WITH looked AS ({looked}) SELECT count(*), pg_sleep(1) FROM looked"  # noqa: S608 (a statement of ours)
    monkeypatch.setattr(leases, "_JOIN_IF_ALL_DONE", slow)
    assert finish_the_last_two(segments) == Video.State.ENCODING


def test_a_video_is_taken_in_its_state_alone(segments: list[Segment]) -> None:
    assert not MediaLease(PROBES, segments[0].video_id).take()
    assert not MediaLease(JOINS, segments[0].video_id).take()
