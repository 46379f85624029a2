"""A whole stack for one measurement: every program in a folder of its own, gone afterwards.

`./dev bench` measures here and not in the stack that is up: tens of thousands of made-up orders do not land in the
shop that somebody is trying out, the tables are as new in every run, and workers can have other settings than usual.
The programs are those of `./dev up`, started without its process manager: what falls stays down, and the run fails.
"""

import os
import signal
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.running_stack import RunningStack
from bench.waiting import wait_for
from stack.children import Children
from stack.environment import MARKER, Secrets, Stack
from stack.layout import STACK, Layout
from stack.ports import Ports
from stack.processes import POOLS, Pool, programs
from stack.program import Stage

END_SECONDS = 60.0  # for one program to end


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """A folder on the disk of the stack's own data, gone afterwards; `./dev down` finds what a crash leaves."""
    STACK.base.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=STACK.base, ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


@contextmanager
def isolated_stack(
    overrides: Mapping[str, str] | None = None,
    *,
    only: Collection[str] = (),
    pools: Sequence[Pool] = POOLS,
    prefixes: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[RunningStack]:
    """A stack that is ready, with the demo catalogue. `overrides` replace variables; if `only` names programs, no
    others run; `prefixes` stand in front of a program's command."""
    with scratch_folder("bench-") as folder:
        stack = Stack(Layout(folder), Ports.free(), Secrets.new())
        stack.layout.make()
        _share_static_files(stack.layout)
        environment = {**stack.environment(), **(overrides or {}), MARKER: str(STACK.base)}
        chosen = [
            replace(one, command=(*(prefixes or {}).get(one.name, ()), *one.command))
            for one in programs(stack, pools)
            if not only or one.name in only
        ]
        children = Children(chosen, stack.layout.logs, environment)
        found = RunningStack(environment, children.pids)
        try:
            _start(found, children)
            yield found
        finally:
            # The shop before the servers, the databases last. Nobody waits for soft stops: the data goes away too.
            for one in sorted(chosen, key=lambda one: one.stage, reverse=True):
                children.kill(one.name)


def _share_static_files(layout: Layout) -> None:
    """They are the same in every stack of this checkout, and to collect them takes more than a second of CPU."""
    STACK.static.mkdir(mode=0o700, exist_ok=True)
    layout.static.rmdir()
    layout.static.symlink_to(STACK.static)


def end(stack: RunningStack, name: str) -> None:
    """Have one program end as it does on SIGTERM, and wait until it has."""
    os.kill(stack.roots()[name], signal.SIGTERM)
    wait_for(lambda: name not in stack.roots() or None, END_SECONDS, f"{name} to end")


def _start(found: RunningStack, children: Children) -> None:
    for stage in Stage:
        if stage is Stage.PREPARED:
            found.manage("prepare")
        own = [one.name for one in children.programs.values() if one.stage is stage]
        # Those beside spend the preparation importing.
        children.start(*own, wait=stage is Stage.DATABASES)
    children.wait_healthy(*children.programs)
