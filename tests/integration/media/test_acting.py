"""Cancelling at any moment, trying again, replacing without a gap."""

import threading
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from django.utils import timezone

from shop.videos import actions
from shop.videos.models import Segment, Video
from shop.videos.progress import progress_of
from tests.filming import clip, product, uploaded
from tests.integration.media.conftest import drive, files_under, published_folder
from tests.making import at_once
from tests.waiting import wait_for
from workers.deadletters import replay
from workers.media import runner
from workers.media.leases import PROBES, MediaLease, SegmentLease
from workers.models import DeadLetter

pytestmark = pytest.mark.django_db(transaction=True)

STATES = {
    "waiting": lambda video: video.state == Video.State.WAITING,
    "encoding": lambda video: video.state == Video.State.ENCODING,
    "half encoded": lambda video: video.segments.filter(done_at__isnull=False).exists(),
    "joining": lambda video: video.state == Video.State.JOINING,
}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return clip(tmp_path / "clip.mp4", 4)


@pytest.mark.parametrize("moment", STATES)
def test_a_cancelled_video_leaves_nothing(moment: str, film: Path, media_root: Path) -> None:
    video = drive(uploaded(film), until=STATES[moment])
    assert actions.cancel(video, "ada")
    assert not actions.cancel(video, "ada")
    drive(video)
    assert (video.state, video.problem) == (Video.State.CANCELLED, "Cancelled by ada.")
    assert video.due_at is None
    assert files_under(media_root) == set()
    assert not Segment.objects.filter(video=video).exists()
    assert not actions.retry(video, "ada")  # its file is gone


def test_a_removed_video_leaves_nothing(film: Path, tmp_path: Path, media_root: Path) -> None:
    video = drive(uploaded(film))
    assert actions.remove(video, "ada")
    assert not actions.remove(video, "ada")
    drive(video)
    assert (video.state, video.problem) == (Video.State.REMOVED, "Removed by ada.")
    assert video.due_at is None
    assert files_under(media_root) == set()
    assert not actions.retry(video, "ada")
    # Another takes its place.
    assert drive(uploaded(film, video.product)).state == Video.State.PUBLISHED


def test_one_that_was_replaced_is_removed_before_its_hour_is_over(film: Path, media_root: Path) -> None:
    first = drive(uploaded(film))
    second = drive(uploaded(film, first.product))
    first.refresh_from_db()
    assert published_folder(first).exists()
    assert actions.remove(first, "ada")
    drive(first)
    assert not published_folder(first).exists()
    assert published_folder(second).exists()
    assert not actions.remove(first, "ada")


@pytest.mark.parametrize("state", [Video.State.WAITING, Video.State.FAILED, Video.State.CANCELLED])
def test_what_is_not_shown_is_not_removed(film: Path, state: Video.State) -> None:
    video = uploaded(film)
    Video.objects.filter(pk=video.pk).update(state=state)
    assert not actions.remove(video, "ada")


def test_what_is_over_is_not_cancelled(film: Path) -> None:
    video = drive(uploaded(film))
    assert not actions.cancel(video, "ada")
    video.refresh_from_db()
    assert video.state == Video.State.PUBLISHED


def test_a_cancel_stops_what_is_being_encoded(tmp_path: Path, media_root: Path) -> None:
    """ffmpeg is gone within two seconds, and what it wrote is cleared by the next look."""
    heavy = clip(tmp_path / "heavy.mp4", 30, size="1280x720")
    video = drive(uploaded(heavy), until=STATES["encoding"])
    segment = Segment.objects.filter(video=video).latest("number")
    Segment.objects.filter(pk=segment.pk).update(start_ms=0, end_ms=30_000)
    begun = threading.Event()
    ended: list[float] = []

    def work(number: int) -> None:
        if number == 0:
            runner.encode(segment.pk)
            ended.append(monotonic())
        else:
            wait_for(lambda: Segment.objects.get(pk=segment.pk).encodes or None, "the encoder to begin")
            begun.set()
            assert actions.cancel(video, "ada")
            ended.append(monotonic())

    assert at_once(work, 2) == [None, None]
    assert begun.is_set()
    cancelled, stopped = ended
    assert stopped - cancelled < 2.5  # seconds: a beat, and a kill
    drive(video)
    assert files_under(media_root) == set()


def test_it_is_not_cleared_while_somebody_is_at_it(film: Path, media_root: Path) -> None:
    video = drive(uploaded(film), until=STATES["encoding"])
    lease = SegmentLease(Segment.objects.filter(video=video).latest("number").pk)
    assert lease.take()
    actions.cancel(video, "ada")
    runner.clear(video.pk)
    video.refresh_from_db()
    assert video.source
    assert video.due_at
    lease.release()
    Video.objects.update(due_at=timezone.now())
    drive(video)
    assert files_under(media_root) == set()


def test_a_holder_of_the_video_itself_lets_go_first(film: Path) -> None:
    video = uploaded(film)
    lease = MediaLease(PROBES, video.pk)
    assert lease.take()
    actions.cancel(video, "ada")
    runner.clear(video.pk)
    video.refresh_from_db()
    assert video.source
    lease.release()
    drive(video)
    assert not video.source


def test_a_cancelled_video_may_be_taken_up_while_its_file_is_there(film: Path) -> None:
    video = drive(uploaded(film), until=STATES["half encoded"])
    done = dict(Segment.objects.filter(video=video, done_at__isnull=False).values_list("number", "encodes"))
    assert actions.cancel(video, "ada")
    assert actions.retry(video, "ada")
    drive(video)
    assert video.state == Video.State.PUBLISHED
    assert done.items() <= dict(Segment.objects.filter(video=video).values_list("number", "encodes")).items()


def test_a_replacement_leaves_no_gap(film: Path, tmp_path: Path, media_root: Path) -> None:
    of = product()
    first = drive(uploaded(film, of))
    second = drive(uploaded(clip(tmp_path / "other.mp4", 2), of), until=STATES["joining"])
    assert Video.objects.get(product=of, state=Video.State.PUBLISHED) == first
    drive(second)
    first.refresh_from_db()
    assert (first.state, second.state) == (Video.State.REPLACED, Video.State.PUBLISHED)
    assert (published_folder(first) / "master.m3u8").exists()  # for whoever watches it still
    assert first.due_at is not None
    assert first.due_at > timezone.now()
    Video.objects.filter(pk=first.pk).update(due_at=timezone.now())
    drive(first)
    assert all(str(second.token) in name for name in files_under(media_root))


def test_the_one_sent_later_wins(film: Path, media_root: Path) -> None:
    of = product()
    earlier, later = uploaded(film, of), uploaded(film, of)
    drive(later)
    drive(earlier)
    later.refresh_from_db()
    assert (earlier.state, later.state) == (Video.State.REPLACED, Video.State.PUBLISHED)
    assert all(str(later.token) in name for name in files_under(media_root))


def test_of_two_at_once_one_is_published(film: Path) -> None:
    of = product()
    both = [drive(uploaded(film, of), until=STATES["joining"]) for _ in range(2)]
    assert at_once(lambda number: runner.join(both[number].pk), 2) == [None, None]
    for video in both:
        video.refresh_from_db()
    assert [video.state for video in both] == [Video.State.REPLACED, Video.State.PUBLISHED]


def test_a_video_that_fails_has_a_letter_and_is_replayed(film: Path, media_root: Path) -> None:
    video = drive(uploaded(film), until=STATES["joining"])
    segment = Segment.objects.filter(video=video).latest("number")
    part = media_root / "videos" / str(video.token) / "work" / f"{segment.number:05d}" / "96p.mp4"
    whole = part.read_bytes()
    part.write_bytes(whole[:-100])
    drive(video)
    assert video.state == Video.State.FAILED
    letter = DeadLetter.objects.get()
    assert (letter.about, letter.video, letter.task) == (f"V-{video.pk}", video, "media.join")
    part.write_bytes(whole)
    assert replay(DeadLetter.objects.all(), "ada") == 1
    drive(video)
    assert video.state == Video.State.PUBLISHED
    assert set(Segment.objects.filter(video=video).values_list("encodes", flat=True)) == {1}
    letter.refresh_from_db()
    assert letter.resolved_at


def test_a_retry_that_succeeds_settles_the_letter(film: Path) -> None:
    video = drive(uploaded(film), until=STATES["encoding"])
    runner.give_up("media.encode", video.pk, RuntimeError("boom"))
    assert actions.retry(video, "ada")
    drive(video)
    assert video.state == Video.State.PUBLISHED
    assert DeadLetter.objects.get().resolution == "the video was made after all"


def test_a_video_that_failed_may_be_given_up(film: Path, media_root: Path) -> None:
    video = drive(uploaded(film), until=STATES["half encoded"])
    runner.give_up("media.encode", video.pk, RuntimeError("boom"))
    drive(video)
    assert files_under(media_root)  # kept, for it may be tried again
    assert actions.cancel(video, "ada")
    drive(video)
    assert video.state == Video.State.CANCELLED
    assert not files_under(media_root)


def test_a_full_disk_is_waited_for(film: Path, media_root: Path) -> None:
    """The work's folder is a file: as with a full disk, nothing can be written for now."""
    video = drive(uploaded(film), until=STATES["encoding"])
    work = media_root / "videos" / str(video.token) / "work"
    work.write_text("")
    drive(video)
    segment = Segment.objects.filter(video=video).latest("number")
    assert (video.state, segment.attempts, segment.holder) == (Video.State.ENCODING, 0, None)
    assert segment.due_at is not None
    assert segment.due_at > timezone.now()
    work.unlink()
    Segment.objects.filter(video=video, done_at=None).update(due_at=timezone.now())
    drive(video)
    assert video.state == Video.State.PUBLISHED


def test_progress_is_told_to_the_second(film: Path) -> None:
    video = uploaded(film)
    assert progress_of(video).words == "Uploaded, waiting to be looked at"
    drive(video, until=STATES["encoding"])
    assert progress_of(video).words == "Encoding, 0 of 4 s"
    Segment.objects.filter(video=video, number=1).update(encoded_ms=1_400)
    Video.objects.update(started_at=timezone.now() - timedelta(seconds=14))
    told = progress_of(video)
    assert (told.done, told.total, told.estimate) == (1, 4, 26)
    assert told.words == "Encoding, 1 of 4 s, about 25 s left"
    drive(video, until=STATES["joining"])
    assert progress_of(video).words == "Encoded, being put together"
    drive(video)
    assert (progress_of(video).percent, progress_of(video).words) == (100, "Published")
