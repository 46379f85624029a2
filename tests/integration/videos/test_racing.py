"""Two senders of one upload, or more senders than allowed: their bytes are never mixed."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from shop.catalogue.models import Product
from shop.videos import uploads
from shop.videos.models import Upload
from shop.videos.refusals import Busy, InUse, WrongOffset
from shop.videos.uploads import BLOCK, SLOTS, Announcement, Piece
from tests.integration.videos.conftest import film
from tests.making import at_once, unlocked

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 30  # seconds; only a test that fails waits for so long


def announced(number: int = 0) -> Upload:
    return uploads.announce(Announcement("KETTLE", f"{number}.mp4", 4 * BLOCK), by="ada")


def blocks(fill: bytes) -> list[bytes]:
    return [film(64) + fill * (BLOCK - 64), fill * BLOCK]


def reader(
    bytes_of: list[bytes], before: Callable[[int], None] = lambda _number: None
) -> Callable[[int], bytes]:
    """A body of these blocks; `before` is called with the number of each before it is read."""
    left = iter(enumerate(bytes_of))

    def read(_size: int) -> bytes:
        number, block = next(left, (len(bytes_of), b""))
        before(number)
        return block

    return read


def slow_and_fast(upload: Upload, media: Path) -> tuple[object, object, set[bytes]]:
    """One is in the middle of a piece of A when another sends the same piece, of B; what both were told, and which
    letters are in the file then."""
    in_the_middle, done = threading.Event(), threading.Event()

    def halt(number: int) -> None:
        if number == 1:
            in_the_middle.set()
            assert done.wait(LIMIT)

    def send(number: int) -> Upload:
        if number == 0:
            return uploads.append(upload.token, Piece(0, reader(blocks(b"A"), halt)))
        try:
            assert in_the_middle.wait(LIMIT)
            return uploads.append(upload.token, Piece(0, reader(blocks(b"B"))))
        finally:
            done.set()

    slow, fast = at_once(send, 2)
    kept = (media / "uploads" / str(upload.token)).read_bytes()[64:]
    return slow, fast, {bytes([one]) for one in set(kept)}


def test_one_of_two_senders_is_told_to_ask_for_the_offset(kettle: Product, media: Path) -> None:
    upload = announced()
    slow, fast, kept = slow_and_fast(upload, media)
    assert isinstance(slow, Upload)
    assert isinstance(fast, InUse)
    assert kept == {b"A"}
    upload.refresh_from_db()
    assert upload.offset == 2 * BLOCK


def test_without_the_lock_their_bytes_are_mixed(
    kettle: Product, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race is real: the check of the offset alone does not keep the bytes apart."""
    monkeypatch.setattr(uploads, "_LOCK", unlocked(uploads._LOCK))
    slow, fast, kept = slow_and_fast(announced(), media)
    assert isinstance(slow, WrongOffset)
    assert isinstance(fast, Upload)
    assert kept == {b"A", b"B"}


def test_only_so_many_pieces_come_in_at_once(kettle: Product, media: Path) -> None:
    """A sender who finds all places taken is told so at once, and gets one when another has ended."""
    waiting = [announced(number) for number in range(SLOTS + 1)]
    taken, tried = threading.Barrier(SLOTS + 1), threading.Event()

    def hold(number: int) -> None:
        if number == 0:
            taken.wait(LIMIT)
            assert tried.wait(LIMIT)

    def send(number: int) -> Upload:
        if number < SLOTS:
            return uploads.append(waiting[number].token, Piece(0, reader(blocks(b"A"), hold)))
        taken.wait(LIMIT)
        try:
            return uploads.append(waiting[number].token, Piece(0, reader(blocks(b"A"))))
        finally:
            tried.set()

    *first, late = at_once(send, SLOTS + 1)
    assert all(isinstance(one, Upload) for one in first), first
    assert isinstance(late, Busy)
    again = uploads.append(waiting[-1].token, Piece(0, reader(blocks(b"A"))))
    assert again.offset == 2 * BLOCK


def test_two_announcements_at_once_do_not_both_get_the_last_space(
    kettle: Product, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = uploads.SPARE + 7 * BLOCK
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=free))
    told = at_once(announced, 4)
    assert sum(isinstance(one, Upload) for one in told) == 1, told
