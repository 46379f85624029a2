"""A MEDIA_ROOT of the test's own, and the pipeline in this process: what is due, one after the other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.core.files.storage import storages
from django.utils import timezone
from pytest_django import Settings

from shop.videos.models import Segment, Video
from tests.media import keep_media_in
from workers.media import runner


@pytest.fixture(autouse=True)
def media_root(settings: Settings, tmp_path: Path) -> Path:
    """Where all files of the test lie."""
    return keep_media_in(tmp_path / "media", settings)


@pytest.fixture(autouse=True)
def _nobody_left_behind() -> Iterator[None]:
    yield
    assert not [one for one in psutil.Process().children(recursive=True) if _is_ffmpeg(one)]


def _is_ffmpeg(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("ffmpeg")
    except psutil.NoSuchProcess:
        return False  # it ended in this moment


def drive(video: Video, until: Callable[[Video], bool] = lambda _: False) -> Video:
    """Do what is due of this video, as workers would, until there is nothing; or `until`."""
    for _ in range(200):
        video.refresh_from_db()
        if until(video):
            return video
        now = timezone.now()
        segment = Segment.objects.filter(video=video, due_at__lte=now, video__state="encoding").first()
        if segment:
            runner.encode(segment.pk)
        elif video.due_at and video.due_at <= now:
            {"waiting": runner.probe, "joining": runner.join}.get(video.state, runner.clear)(video.pk)
        else:
            return video
    pytest.fail(f"{video} is {video.state} still")


def published_folder(video: Video) -> Path:
    return Path(storages["public"].path(f"videos/{video.token}"))


def files_under(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
