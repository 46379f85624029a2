"""`./dev bench --only upload`: a large file comes in through nginx and web, and is interrupted on its way.

A sparse file is sent with the official client of tus, in pieces of 16 MiB. So often something breaks in the middle of
a piece, while web writes it: the sender's line, the web workers (SIGKILL), nginx's worker (SIGKILL), the connections to
the database; the sender then asks where to go on. All the while the memory of every process is watched. In the end
what has arrived is held against what was sent, byte for byte by SHA-256.
"""

import hashlib
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import psutil
import psycopg
import requests
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from bench.display import note
from bench.house import House
from stack.program import StackError

PIECE = 16 * 1024 * 1024
MOST_MEMORY = 200 * 1024 * 1024  # bytes, of any process
_MARK_EVERY = 64 * 1024 * 1024  # bytes between two that are not zero
_SENDER = "the sender"
_TAKEN = "204"
_TRIES = 10
_PATIENCE = 60.0  # seconds until web answers again
_SAMPLE = 0.1  # seconds between two looks at the memory
# What a house needs for this; no pool takes up what arrives, so that it can be looked at.
PROGRAMS = frozenset({"postgres", "web", "nginx"})


@dataclass
class Carried:
    """What became of one file; bytes and seconds."""

    size: int
    piece: int = PIECE
    seconds: float = 0.0
    interrupted: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)  # the most that one process of each program had
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        rate = round(self.size / self.seconds / 1024**2, 1) if self.seconds else None
        return {**asdict(self), "mebibytes_per_s": rate, "most_memory": max(self.memory.values(), default=0)}


def carry(house: House, folder: Path, size: int, interruptions: int = 5) -> Carried:
    """Send a file of `size` bytes to this house, interrupted so often; `folder` is for the file."""
    carried = Carried(size)
    film = make(folder / "film.mp4", size)
    with film.open("rb") as file, _watched(house, carried.memory):
        sender = _Sender(house, file)
        began = time.monotonic()
        sender.announce()
        kinds = _kinds(house)
        for number in range(interruptions):
            sender.send(until=size * (number + 1) // (interruptions + 1))
            name, strike = kinds[number % len(kinds)]
            carried.interrupted.append(_interrupt(sender, name, strike))
        sender.send(until=size)
        carried.seconds = time.monotonic() - began
    carried.problems += _faults(house, film, carried)
    return carried


def make(path: Path, size: int) -> Path:
    """A sparse file that begins as an MP4 file does, with a byte that is not zero every now and then."""
    with path.open("wb") as file:
        file.write(struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 512, b"isom", b"mp41"))
        for number, at in enumerate(range(_MARK_EVERY // 2, size - 8, _MARK_EVERY)):
            file.seek(at)
            file.write((number + 1).to_bytes(8, "big"))
        file.truncate(size)
    return path


class _Sender:
    """A program with a token: the official client, and what it cannot do, sending half of a piece."""

    def __init__(self, house: House, film: BinaryIO) -> None:
        shop = house["SHOP_URL"]
        token = house.manage("drf_create_token", "admin").split()[2]
        self.headers = {"Authorization": f"Token {token}"}
        [(sku,)] = _rows(house, "SELECT sku FROM catalogue_product ORDER BY sku LIMIT 1")
        self._client = TusClient(f"{shop}/api/uploads/", headers=self.headers)
        self._metadata = {"sku": sku, "filename": "film.mp4"}
        self._film = film
        self._media = Path(house.environment["MEDIA_ROOT"])
        self.url = ""

    def announce(self) -> None:
        self.url = self._uploader().create_url()

    def send(self, until: int) -> None:
        """From where the server says to there, or a little over."""
        uploader = self._uploader(self.url)
        while uploader.offset < until:
            uploader.upload_chunk()

    def offset(self) -> int | None:
        """What the server says that it has; None while nobody answers."""
        with suppress(TusCommunicationError):
            return int(self._uploader(self.url).offset)
        return None

    def kept(self) -> int:
        """Bytes on the disk, counted or not."""
        with suppress(FileNotFoundError):
            return (self._media / "uploads" / self.url.rstrip("/").rpartition("/")[2]).stat().st_size
        return 0

    def piece(self, offset: int) -> str:
        """One piece, whatever comes of it: the answer's status, or the error's name."""
        self._film.seek(offset)
        body = self._film.read(PIECE)
        try:
            answer = requests.patch(self.url, body, headers=self._of_piece(offset), timeout=_PATIENCE)
        except requests.RequestException as error:
            return type(error).__name__
        return str(answer.status_code)

    def half_a_piece(self, offset: int) -> str:
        """A line that breaks in the middle of a piece."""
        address = urlsplit(self.url)
        head = {**self._of_piece(offset), "Host": address.netloc, "Content-Length": str(PIECE)}
        with socket.create_connection((address.hostname or "", address.port or 80), timeout=10) as line:
            said = [f"PATCH {address.path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
            line.sendall("\r\n".join([*said, "", ""]).encode() + bytes(PIECE // 2))
        return "line broken"

    def _of_piece(self, offset: int) -> dict[str, str]:
        kind = "application/offset+octet-stream"
        return {
            **self.headers,
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": str(offset),
            "Content-Type": kind,
        }

    def _uploader(self, url: str | None = None) -> Any:
        return self._client.uploader(
            file_stream=self._film,
            chunk_size=PIECE,
            metadata=self._metadata,
            url=url,
            retries=8,
            retry_delay=1,
        )


Strike = Callable[[], None]


def _kinds(house: House) -> list[tuple[str, Strike | None]]:
    """What breaks in the middle of a piece; None: the sender's own line."""

    def children(program: str) -> None:
        for child in psutil.Process(house.roots()[program]).children(recursive=True):
            child.send_signal(signal.SIGKILL)

    def hang_up() -> None:
        _rows(
            house,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'web'",
        )

    return [
        ("the sender's line", None),
        ("every web worker, SIGKILL", lambda: children("web")),
        ("nginx's worker, SIGKILL", lambda: children("nginx")),
        ("the connections to the database", hang_up),
        # Not web's again: in a small run its main process, too, would give up over two deaths within six seconds.
        ("nginx's worker again, SIGKILL", lambda: children("nginx")),
    ]


def _interrupt(sender: _Sender, name: str, strike: Strike | None) -> dict[str, Any]:
    """Break it in the middle of a piece; returns once the server says where to go on. A piece that was taken before
    the blow fell is no interruption, and the next one is tried."""
    answered = _TAKEN
    for _ in range(_TRIES):
        before = sender.offset() or 0
        answered = _struck(sender, before, strike) if strike else sender.half_a_piece(before)
        if answered != _TAKEN:
            break
    beyond = max(0, sender.kept() - before)
    until = time.monotonic() + _PATIENCE
    while (after := sender.offset()) is None:
        if time.monotonic() > until:
            raise StackError(f"nobody answered for {_PATIENCE:g} s after {name} was struck")
        time.sleep(0.1)
    note(f"{name}: at {before:,}, {beyond:,} bytes written beyond it, {answered}; goes on at {after:,}")
    return {"what": name, "at": before, "written_beyond": beyond, "answer": answered, "goes_on_at": after}


def _struck(sender: _Sender, offset: int, strike: Strike) -> str:
    """Send a piece, and strike when some of it is written; returns what the sender was told."""
    told: list[str] = []
    piece = threading.Thread(target=lambda: told.append(sender.piece(offset)))
    piece.start()
    while piece.is_alive() and sender.kept() <= offset:
        time.sleep(0.0005)
    strike()
    piece.join()
    return told[0]


def _faults(house: House, film: Path, carried: Carried) -> list[str]:
    """What is not as it should be."""
    found = []
    videos = _rows(house, "SELECT source, size FROM videos_video")
    if len(videos) != 1:
        return [f"there are {len(videos)} videos, and should be one"]
    [(source, size)] = videos
    arrived = Path(house.environment["MEDIA_ROOT"]) / source
    with film.open("rb") as sent, arrived.open("rb") as kept:
        if hashlib.file_digest(sent, "sha256").digest() != hashlib.file_digest(kept, "sha256").digest():
            found.append(f"{arrived} is not what was sent")
    if size != carried.size:
        found.append(f"the video has {size:,} bytes, and {carried.size:,} were sent")
    for program, most in carried.memory.items():
        if most > MOST_MEMORY:
            found.append(f"a process of {program} had {most / 1024**2:,.0f} MiB")
    return found


@contextmanager
def _watched(house: House, most: dict[str, int]) -> Iterator[None]:
    """Note the most memory that a process of each program had while this lasts, the sender's own too."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_SAMPLE):
            most[_SENDER] = max(most.get(_SENDER, 0), _own(psutil.Process()))
            for program, pid in house.roots().items():
                with suppress(psutil.NoSuchProcess):
                    root = psutil.Process(pid)
                    for one in (root, *root.children(recursive=True)):
                        with suppress(psutil.NoSuchProcess):
                            most[program] = max(most.get(program, 0), _own(one))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _own(process: psutil.Process) -> int:
    """Bytes of memory that are resident; of PostgreSQL's without the buffers that all its processes share."""
    memory = process.memory_info()
    shared = memory.shared if "postgres" in process.name() else 0
    return int(memory.rss - shared)


def _rows(house: House, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(house["DATABASE_URL"], autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()
