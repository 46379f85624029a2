"""What a program of the stack is: how to start it, how to see that it works, how to stop it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path

from stack.layout import ROOT

# Given the process id: None when healthy, else what is wrong.
Check = Callable[[int], str | None]


class Group(StrEnum):
    """Programs that stop together; the shop stops before the servers."""

    SERVERS = "servers"
    SHOP = "shop"


class Stage(IntEnum):
    """When a program is started; those of one stage start together."""

    DATABASES = 1
    BESIDE = 2  # while the data is being prepared, which they do not touch before they are asked to work
    # Once tables and static files stand: who begins to work by itself, who lets the public in, and who reads at its
    # start which static files there are.
    PREPARED = 3


class StackError(Exception):
    """Something the person at the keyboard can act on; the message says what happened and what to do next."""


@dataclass(frozen=True)
class Program:
    name: str
    command: tuple[str, ...]
    check: Check = lambda _pid: None  # it is enough that it runs
    prepare: Callable[[], None] = lambda: None  # before every start: folders, rendered settings
    group: Group = Group.SHOP
    stage: Stage = Stage.BESIDE
    directory: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)  # on top of the stack's
    stop_signal: str = "TERM"
    stop_seconds: int = 2  # how long it may take to stop before it is killed
    is_pool: bool = False  # a Celery node, whose health is its answer to a ping
