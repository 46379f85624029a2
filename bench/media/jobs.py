"""Videos as the shop has them when their upload is whole: a row that is due, and the file in its place."""

import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import psycopg

from bench.running_stack import RunningStack
from bench.waiting import wait_for
from stack.program import StackError

# Products that can have a video.
_PRODUCTS: LiteralString = "SELECT id FROM catalogue_product WHERE active ORDER BY id LIMIT %(count)s"
# A video whose upload is whole.
_PLACE: LiteralString = """
INSERT INTO videos_video (token, product_id, filename, source, size, by)
VALUES (%(token)s, %(product)s, %(name)s, %(source)s, %(size)s, 'bench') RETURNING id
"""
# How far these videos are.
_STATES: LiteralString = """
SELECT state, problem, created_at, published_at FROM videos_video WHERE id = ANY(%(ids)s) ORDER BY id
"""
# Encoders that are at work now.
_AT_IT: LiteralString = "SELECT count(*) FROM videos_segment WHERE holder IS NOT NULL AND due_at > now()"
# Videos whose files are not cleared away yet.
_UNCLEARED: LiteralString = "SELECT count(*) FROM videos_video WHERE id = ANY(%(ids)s) AND due_at IS NOT NULL"
# Seconds of these videos that are encoded by now.
_ENCODED: LiteralString = """
SELECT coalesce(sum(encoded_ms), 0) / 1000.0 FROM videos_segment WHERE video_id = ANY(%(ids)s) AND number > 0
"""
_CANCEL = """
from shop.videos.actions import cancel
from shop.videos.models import Video
for video in Video.objects.filter(state__in=Video.UNDER_WAY):
    cancel(video, by="bench")
"""
_LOOK_SECONDS = 0.5  # the times that are measured are the database's own
_QUICK_LOOK_SECONDS = 0.05


class Jobs:
    """The videos of one stack."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._media = Path(stack.environment["MEDIA_ROOT"])
        self._connection = psycopg.connect(stack["DATABASE_URL"], autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def place(self, clip: Path, count: int = 1) -> list[int]:
        """So many products get this clip as their video, which is due at once. Returns the videos' ids."""
        products = self._rows(_PRODUCTS, {"count": count})
        if len(products) < count:
            raise StackError(f"{count} videos want as many products, and there are {len(products)} on sale.")
        found = []
        for (product,) in products:
            token = uuid4()
            source = Path("videos", str(token), "source")
            (self._media / source).parent.mkdir(parents=True)
            try:
                os.link(clip, self._media / source)
            except OSError:  # it lies on another disk
                shutil.copyfile(clip, self._media / source)
            row = {"token": token, "product": product, "name": clip.name, "size": clip.stat().st_size}
            found += self._rows(_PLACE, {**row, "source": str(source)})
        return [video for (video,) in found]

    def published(self, ids: Collection[int], patience: float) -> list[float]:
        """Wait until all are published; returns how many seconds each took from arrived to published."""

        def all_there() -> list[float] | None:
            rows = self._rows(_STATES, {"ids": list(ids)})
            for state, problem, _, _ in rows:
                if state in ("failed", "refused", "cancelled"):
                    raise StackError(f"A video that was to be measured is {state}: {problem}")
            seconds: list[float] = [(out - made).total_seconds() for _, _, made, out in rows if out]
            return seconds if len(seconds) == len(ids) else None

        return wait_for(all_there, patience, "the videos to be published", _LOOK_SECONDS)

    def encoding(self, processes: int, patience: float) -> None:
        """Wait until so many encoders are at work."""
        wait_for(lambda: self.at_work() >= processes or None, patience, f"{processes} encoders at work")

    def at_work(self) -> int:
        """Encoders that are at work now."""
        return int(self._count(_AT_IT))

    def encoded(self, ids: Collection[int]) -> float:
        """Seconds of these videos that are encoded by now."""
        return float(self._count(_ENCODED, ids))

    def cancel(self, ids: Collection[int], patience: float) -> float:
        """Cancel all that is under way; returns the seconds until no encoder was at work any more. All their files are
        gone then too."""
        self._stack.manage("shell", "--verbosity", "0", "--command", _CANCEL)
        begun = time.monotonic()
        wait_for(lambda: not self.at_work() or None, patience, "the encoders to stop", _QUICK_LOOK_SECONDS)
        freed = time.monotonic() - begun
        wait_for(lambda: not self._count(_UNCLEARED, ids) or None, patience, "the files to be cleared")
        return freed

    def _count(self, statement: LiteralString, ids: Collection[int] = ()) -> Any:
        return self._rows(statement, {"ids": list(ids)})[0][0]

    def _rows(self, statement: LiteralString, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, params).fetchall()
