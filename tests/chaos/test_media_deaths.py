"""Workers that die over a video, at any moment and in any way: it is made all the same, and no piece of it twice.

A real worker and a real ffmpeg die. Leases are let run out by hand where their length is not what is tested.
"""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic

import psutil
import pytest
import redis
from django.core.files.storage import storages
from django.db import connection
from django.utils import timezone

from shop.videos.models import Segment, Video
from stack.layout import ROOT
from tests.chaos.dying import environment
from tests.filming import clip, facts, uploaded
from tests.integration.media.conftest import (  # noqa: F401 (fixtures)
    _nobody_left_behind,
    files_under,
    media_root,
    published_folder,
)
from tests.waiting import wait_for
from workers.models import DeadLetter
from workers.queues import QueueName
from workers.relay.dispatcher import POLL
from workers.relay.duties import Relay

pytestmark = pytest.mark.django_db(transaction=True)


class Worker:
    """A node of the pool, as the stack runs it, that may be killed and started again."""

    def __init__(self, root: Path, crashpoints: Path) -> None:
        self._environment = {**environment(crashpoints), "MEDIA_ROOT": str(root), "LOG_LEVEL": "WARNING"}
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "stack.celery_node", "worker", "-Q", "media,bulk"),
                *("-n", "media@test", "-c", "1", "--pool", "prefork", "--loglevel", "WARNING"),
                *("--without-mingle", "--without-gossip", "--", "worker.soft_shutdown_timeout=1"),
            ],
            env=self._environment,
            cwd=ROOT,
            start_new_session=True,
        )

    def child(self) -> psutil.Process | None:
        """The process that does the work."""
        children = psutil.Process(self.process.pid).children() if self.process.poll() is None else []
        return children[0] if children else None

    def encoders(self) -> list[psutil.Process]:
        """Every ffmpeg of this node, and those whose node has died."""
        return [one for one in psutil.process_iter() if self._is_encoder(one)]

    def _is_encoder(self, one: psutil.Process) -> bool:
        try:
            return any(self._environment["MEDIA_ROOT"] in word for word in one.cmdline())
        except psutil.Error:
            return False

    def stop(self) -> None:
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            for child in children:
                child.kill()
        self.process.wait()


@pytest.fixture
def worker(broker: redis.Redis, media_root: Path, tmp_path: Path) -> Iterator[Worker]:  # noqa: F811
    (tmp_path / "tokens").mkdir()
    node = Worker(media_root, tmp_path / "tokens")
    yield node
    node.stop()


@contextmanager
def relayed() -> Iterator[None]:
    """The relay's turns, by a thread, while the block runs."""
    stop, trouble = threading.Event(), []

    def turn() -> None:
        relay = Relay()
        try:
            while not stop.is_set():
                relay.run_once()
                stop.wait(POLL)
        except Exception as error:
            trouble.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not trouble


def leases_run_out() -> None:
    """As if their time had passed."""
    Segment.objects.filter(holder__isnull=False, done_at=None).update(due_at=timezone.now())
    Video.objects.filter(holder__isnull=False).update(due_at=timezone.now())


def at_its_end(video: Video) -> Video | None:
    video.refresh_from_db()
    return video if video.state not in Video.UNDER_WAY and video.due_at is None else None


def is_past(moment: float) -> bool | None:
    return monotonic() > moment or None


def test_killed_ten_times_it_is_made_all_the_same(worker: Worker, media_root: Path, tmp_path: Path) -> None:  # noqa: F811
    dice = random.Random(17)
    video = uploaded(clip(tmp_path / "clip.mp4", 24, size="640x360", picture=("-c:v", "mpeg4", "-g", "25")))
    done: dict[int, int] = {}
    kills = 0
    with relayed():
        while kills < 10 and not at_its_end(video):
            busy = wait_for(
                lambda: worker.child() if worker.encoders() or at_its_end(video) else None, "an encoder", 30
            )
            until = monotonic() + dice.uniform(0, 0.6)
            wait_for(partial(is_past, until), "a random moment")
            if dice.random() < 0.3:
                worker.process.kill()
                worker.process.wait()
            else:
                busy.kill()
            kills += 1
            wait_for(lambda: None if worker.encoders() else True, "the encoders of the dead to be gone", 3)
            if worker.process.poll() is not None:
                worker.start()
            now_done = dict(
                Segment.objects.filter(video=video, done_at__isnull=False).values_list("number", "encodes")
            )
            assert done.items() <= now_done.items()  # nobody has begun again what was done
            done = now_done
            # Ten deaths of one segment in a row would rightly be too many.
            Segment.objects.filter(video=video).update(attempts=0)
            Video.objects.filter(pk=video.pk).update(attempts=0)
            leases_run_out()
        wait_for(lambda: at_its_end(video), "the video to be made")
    assert video.state == Video.State.PUBLISHED, video.problem
    assert done.items() <= dict(Segment.objects.filter(video=video).values_list("number", "encodes")).items()
    assert facts(published_folder(video) / "fallback.mp4")["seconds"] == pytest.approx(24, abs=0.1)
    assert {name.split("/")[0] for name in files_under(media_root)} == {"public"}
    assert not list((media_root / "public").rglob(".*"))
    assert not DeadLetter.objects.exists()
    assert not worker.encoders()
    assert kills >= 5


def test_it_goes_on_within_thirty_seconds_from_where_it_was(worker: Worker, tmp_path: Path) -> None:
    video = uploaded(clip(tmp_path / "clip.mp4", 12, size="640x360", picture=("-c:v", "mpeg4", "-g", "25")))
    with relayed():
        wait_for(lambda: Segment.objects.filter(video=video, done_at__isnull=False).first(), "a segment")
        wait_for(lambda: worker.encoders() or None, "an encoder")
        child = worker.child()
        assert child
        child.kill()
        [lost] = Segment.objects.filter(video=video, holder__isnull=False, done_at=None)
        done = dict(Segment.objects.filter(video=video, done_at__isnull=False).values_list("pk", "encodes"))
        wait_for(
            lambda: Segment.objects.filter(pk=lost.pk, encodes=2).first(), "another to take it up", seconds=30
        )
        wait_for(lambda: at_its_end(video), "the video to be made")
    assert video.state == Video.State.PUBLISHED
    assert done.items() <= dict(Segment.objects.filter(video=video).values_list("pk", "encodes")).items()


def test_a_worker_told_to_end_gives_back_what_it_had(worker: Worker, tmp_path: Path) -> None:
    video = uploaded(clip(tmp_path / "clip.mp4", 30, size="1280x720", picture=("-c:v", "mpeg4", "-g", "250")))
    with relayed():
        wait_for(lambda: worker.encoders() or None, "an encoder")
    worker.process.send_signal(signal.SIGQUIT)
    worker.process.wait(30)
    wait_for(lambda: None if worker.encoders() else True, "its encoder to be gone", 3)
    left = video.segments.filter(done_at=None)
    assert left.exists()
    assert not left.filter(holder__isnull=False).exists()


def test_a_doubled_message_does_nothing(worker: Worker, broker: redis.Redis, tmp_path: Path) -> None:
    video = uploaded(clip(tmp_path / "clip.mp4", 6))
    with relayed():
        stop = threading.Event()

        def double() -> None:
            """Whatever is dispatched is dispatched three times, and comes again later."""
            seen: set[bytes | str] = set()
            while not stop.wait(0.005):
                for message in set(broker.lrange(QueueName.MEDIA.value, 0, -1)) - seen:
                    seen.add(message)
                    broker.lpush(QueueName.MEDIA.value, message, message)

        thread = threading.Thread(target=double)
        thread.start()
        try:
            wait_for(lambda: at_its_end(video), "the video to be made")
        finally:
            stop.set()
            thread.join()
    assert video.state == Video.State.PUBLISHED
    assert set(Segment.objects.filter(video=video).values_list("encodes", flat=True)) == {1}


def test_a_video_that_kills_its_workers_is_set_apart(worker: Worker, tmp_path: Path) -> None:
    video = uploaded(clip(tmp_path / "clip.mp4", 30, size="1280x720", picture=("-c:v", "mpeg4", "-g", "250")))
    with relayed():
        for _ in range(30):
            if at_its_end(video):
                break
            wait_for(lambda: worker.encoders() or at_its_end(video), "an encoder, or the end")
            if (child := worker.child()) and worker.encoders():
                child.kill()
                wait_for(lambda: None if worker.encoders() else True, "its end")
                leases_run_out()
        wait_for(lambda: at_its_end(video), "it to be set apart")
    assert video.state == Video.State.FAILED
    assert DeadLetter.objects.get(video=video).error_class.endswith("Poison")
    assert storages["default"].exists(video.source)  # for whoever tries again
