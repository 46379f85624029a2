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
    BESIDE = 2  # while the data is prepared: they do not touch it before they are given work
    # When tables and static files are ready: programs that begin to work by themselves, that let the public in, or that
    # read at their start which static files there are.
    PREPARED = 3


class StackError(Exception):
    """A problem that the user can solve; the message says what happened and what to do next."""


@dataclass(frozen=True)
class Program:
    name: str
    command: tuple[str, ...]
    check: Check = lambda _pid: None  # it is healthy as long as it runs
    prepare: Callable[[], None] = lambda: None  # before every start: folders, rendered settings
    group: Group = Group.SHOP
    stage: Stage = Stage.BESIDE
    directory: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)  # on top of the stack's
    stop_signal: str = "TERM"
    stop_seconds: int = 2  # how long it may take to stop before it is killed
    # On which it replaces its processes one after the other and goes on serving; without one it is stopped and started.
    renew_signal: str = ""
    is_pool: bool = False  # a Celery node, whose health is its answer to a ping
