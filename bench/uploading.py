"""`./dev bench --only upload`: a large file comes in through nginx and web, and is interrupted on its way.

A sparse file is sent with the official client of tus, in pieces of 16 MiB. Several times something breaks in the middle
of a piece, while web writes it: the sender's connection, the web workers (SIGKILL), nginx's worker (SIGKILL), the
connections to the database. Then the sender asks where to go on. All the while the memory of every process is watched.
In the end what has arrived is compared with what was sent, byte for byte by SHA-256.
"""

import hashlib
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, LiteralString
from urllib.parse import urlsplit

import psutil
import psycopg
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from bench.cli import finish
from bench.display import line, note
from bench.isolated_stack import isolated_stack, scratch_folder
from bench.running_stack import RunningStack
from bench.waiting import wait_for
from stack.console import out

FULL, SHORT = 10 * 1024**3, 192 * 1024**2  # bytes
PIECE = 16 * 1024**2
MOST_MEMORY = 200 * 1024**2  # bytes, of any process
_MARK_EVERY = 64 * 1024**2  # bytes between two that are not zero
_SENDER = "the sender"
_TAKEN = "204"
_TRIES = 10
_PATIENCE = 60.0  # seconds until web answers again
_SAMPLE = 0.1  # seconds between two looks at the memory
# What this needs; no pool takes up what arrives, so that it can be looked at.
PROGRAMS = frozenset({"postgres", "web", "nginx"})

# Any product, to have a video.
_PRODUCT: LiteralString = "SELECT sku FROM catalogue_product ORDER BY sku LIMIT 1"
# Breaks every connection of web to the database.
_HANG_UP: LiteralString = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'web'"
)
# What arrived.
_VIDEOS: LiteralString = "SELECT source, size FROM videos_video"


@dataclass
class Upload:
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


def bench(size: int, file: Path | None) -> int:
    """Measure in an isolated stack, print, write the figures into `file`; 1 when something is not as it should be."""
    note(f"Opening a stack; sending {size / 1024**3:,.1f} GiB in pieces of 16 MiB …")
    with isolated_stack(only=PROGRAMS) as stack, scratch_folder("bench-") as folder:
        upload = carry(stack, make(folder / "film.mp4", size))
    found = upload.as_json()
    rate = f"{found['mebibytes_per_s']:,} MiB/s"
    out.print(f"\n[bold]upload[/bold]: {size:,} bytes in {upload.seconds:,.0f} s, {rate}")
    for one in upload.interrupted:
        beyond = f"{one['written_beyond']:,} bytes were written beyond that, and it went on at {one['goes_on_at']:,}"
        line("interrupted", f"{one['what']}, at {one['at']:,}; {beyond}")
    for program, most in sorted(upload.memory.items()):
        line("memory", f"{program}: at most {most / 1024**2:,.0f} MiB in one process")
    return finish(found, upload.problems, file)


def make(path: Path, size: int) -> Path:
    """A sparse file that begins as an MP4 file does, with a byte that is not zero every now and then."""
    with path.open("wb") as file:
        file.write(struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 512, b"isom", b"mp41"))
        for number, at in enumerate(range(_MARK_EVERY // 2, size - 8, _MARK_EVERY)):
            file.seek(at)
            file.write((number + 1).to_bytes(8, "big"))
        file.truncate(size)
    return path


def carry(stack: RunningStack, film: Path) -> Upload:
    """Send this file to the stack, with interruptions."""
    upload = Upload(film.stat().st_size)
    with film.open("rb") as file, _watched(stack, upload.memory):
        sender = _Sender(stack, file)
        began = time.monotonic()
        faults = _faults(stack)
        for number, (name, fault) in enumerate(faults, start=1):
            sender.send(until=upload.size * number // (len(faults) + 1))
            upload.interrupted.append(_interrupt(sender, name, fault))
        sender.send(until=upload.size)
        upload.seconds = time.monotonic() - began
    upload.problems += _problems(stack, film, upload)
    return upload


class _Sender:
    """A program with a token: the official client, and what it cannot do, sending half of a piece."""

    def __init__(self, stack: RunningStack, film: BinaryIO) -> None:
        token = stack.manage("drf_create_token", "admin", "--reset").split()[2]
        self.headers = {"Authorization": f"Token {token}"}
        [(sku,)] = _rows(stack, _PRODUCT)
        self._client = TusClient(f"{stack['SHOP_URL']}/api/uploads/", headers=self.headers)
        self._metadata = {"sku": sku, "filename": "film.mp4"}
        self._film = film
        self._media = Path(stack.environment["MEDIA_ROOT"])
        self.url: str = self._uploader().create_url()

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

    def on_disk(self) -> int:
        """Bytes on the disk, counted or not."""
        with suppress(FileNotFoundError):
            return (self._media / "uploads" / self.url.rstrip("/").rpartition("/")[2]).stat().st_size
        return 0

    def piece(self) -> str:
        """One piece, whatever comes of it: the answer's status, if there is an answer."""
        try:
            self._uploader(self.url, retries=0).upload_chunk()
        except TusCommunicationError as error:
            return str(error.status_code or "no answer")
        return _TAKEN

    def piece_with_fault(self, offset: int, fault: Callable[[], None]) -> str:
        """Send a piece, and inject the fault when some of it is written; returns what the sender got."""
        with ThreadPoolExecutor(1) as threads:
            piece = threads.submit(self.piece)
            while not piece.done() and self.on_disk() <= offset:
                time.sleep(0.0005)
            fault()
            return piece.result()

    def half_a_piece(self, offset: int) -> str:
        """A connection that breaks in the middle of a piece."""
        address = urlsplit(self.url)
        headers = {
            **self.headers,
            "Host": address.netloc,
            "Content-Length": str(PIECE),
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        }
        head = [f"PATCH {address.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        with socket.create_connection((address.hostname or "", address.port or 80), timeout=10) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode() + bytes(PIECE // 2))
        return "line broken"

    def _uploader(self, url: str | None = None, retries: int = 8) -> Any:
        return self._client.uploader(
            file_stream=self._film,
            chunk_size=PIECE,
            metadata=self._metadata,
            url=url,
            retries=retries,
            retry_delay=1,
        )


def _faults(stack: RunningStack) -> list[tuple[str, Callable[[], None] | None]]:
    """What breaks in the middle of a piece, in this order; None: the sender's own connection."""

    def kill_children(program: str) -> None:
        for child in psutil.Process(stack.roots()[program]).children(recursive=True):
            child.send_signal(signal.SIGKILL)

    def hang_up() -> None:
        _rows(stack, _HANG_UP)

    return [
        ("the sender's line", None),
        ("every web worker, SIGKILL", lambda: kill_children("web")),
        ("nginx's worker, SIGKILL", lambda: kill_children("nginx")),
        ("the connections to the database", hang_up),
        # Not web's again: in a small run its main process, too, would give up over two deaths within six seconds.
        ("nginx's worker again, SIGKILL", lambda: kill_children("nginx")),
    ]


def _interrupt(sender: _Sender, name: str, fault: Callable[[], None] | None) -> dict[str, Any]:
    """Break it in the middle of a piece; returns once the server says where to go on. A piece that was taken before
    the fault came is no interruption, and the next one is tried."""
    for _ in range(_TRIES):
        before = sender.offset() or 0
        answer = sender.piece_with_fault(before, fault) if fault else sender.half_a_piece(before)
        if answer != _TAKEN:
            break
    beyond = max(0, sender.on_disk() - before)
    after = wait_for(sender.offset, _PATIENCE, f"an answer after this fault: {name}")
    note(f"{name}: at {before:,}, {beyond:,} bytes written beyond it, {answer}; goes on at {after:,}")
    return {"what": name, "at": before, "written_beyond": beyond, "answer": answer, "goes_on_at": after}


def _problems(stack: RunningStack, film: Path, upload: Upload) -> list[str]:
    """What is not as it should be."""
    videos = _rows(stack, _VIDEOS)
    if len(videos) != 1:
        return [f"there are {len(videos)} videos, and should be one"]
    found = []
    [(source, size)] = videos
    arrived = Path(stack.environment["MEDIA_ROOT"]) / source
    with film.open("rb") as sent, arrived.open("rb") as kept:
        if hashlib.file_digest(sent, "sha256").digest() != hashlib.file_digest(kept, "sha256").digest():
            found.append(f"{arrived} is not what was sent")
    if size != upload.size:
        found.append(f"the video has {size:,} bytes, and {upload.size:,} were sent")
    for program, most in upload.memory.items():
        if most > MOST_MEMORY:
            found.append(f"a process of {program} had {most / 1024**2:,.0f} MiB")
    return found


@contextmanager
def _watched(stack: RunningStack, most: dict[str, int]) -> Iterator[None]:
    """Note the most memory that a process of each program had while this lasts, the sender's own too."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_SAMPLE):
            most[_SENDER] = max(most.get(_SENDER, 0), _own(psutil.Process()))
            for program, pid in stack.roots().items():
                with suppress(
                    psutil.NoSuchProcess
                ):  # of one that ends meanwhile, the next sample has the rest
                    root = psutil.Process(pid)
                    for one in (root, *root.children(recursive=True)):
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


def _rows(stack: RunningStack, statement: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        return connection.execute(statement).fetchall()
