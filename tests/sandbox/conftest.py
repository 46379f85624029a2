"""Each test starts the providers that it names and leaves no process behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.sandbox.peers import Peer, Receiver, free_port


class StartPeer(Protocol):
    """Start a provider with further options of its command line, and of its environment."""

    def __call__(self, module: str, *options: str, **environment: str) -> Peer: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartPeer]:
    """Start a provider; it is stopped at the end of the test."""
    peers: list[Peer] = []

    def start_one(module: str, *options: str, **environment: str) -> Peer:
        peer = Peer(module, tmp_path / f"{module}.db", options, environment)
        peers.append(peer)
        return peer.start()

    yield start_one
    for peer in peers:
        peer.kill()


@pytest.fixture
def payments(start: StartPeer) -> Peer:
    return start("payments")


@pytest.fixture
def sms(start: StartPeer) -> Peer:
    return start("sms")


@pytest.fixture
def carrier(start: StartPeer) -> Peer:
    return start("carrier")


@pytest.fixture
def smtp_port() -> int:
    return free_port()


@pytest.fixture
def mailbox(start: StartPeer, smtp_port: int) -> Peer:
    return start("mailbox", "--smtp-port", str(smtp_port))


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    """A webhook receiver that answers the given statuses first, and 200 from then on."""
    receivers: list[Receiver] = []

    def receive(secret: str, *statuses: int) -> Receiver:
        receivers.append(Receiver(secret, list(statuses)))
        return receivers[-1]

    yield receive
    for one in receivers:
        one.close()
