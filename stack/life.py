"""What `./dev up`, `down` and `reset` do.

`up` looks at the machine; starts the databases; prepares the data, while programs start that do not need it yet; starts
the rest; and waits until every part answers. `down` asks the process manager to stop all in reverse order, and then
looks for what a crash may have left.
"""

import fcntl
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from stack import leftovers
from stack.console import Steps, banner, note, out, tell_problems
from stack.environment import Stack
from stack.layout import ROOT, Layout
from stack.logs import follow
from stack.preflight import problems
from stack.processes import programs
from stack.program import StackError, Stage
from stack.running import last_lines
from stack.supervisor import Record, Supervisor

DOWN_SECONDS = 9.0  # for the process manager to stop all; each program is killed after two


class Interrupted(Exception):
    """The person pressed Ctrl-C, closed the terminal, or asked us to end."""


def up(stack: Stack, *, detach: bool) -> int:
    """Start the stack, or say that it is up; returns the exit code."""
    stack.layout.make()
    try:
        with _interruptible():
            with _one_at_a_time(stack.layout):
                if record := Record.load(stack.layout):
                    return _already_up(stack, record)
                _start(stack, detached=detach)
            if detach:
                return 0
            return _stay(stack)
    except Interrupted:
        out.print("\nStopping …")
        down(stack.layout)
        return 0


def down(layout: Layout) -> bool:
    """Stop everything of this stack; True when anything ran."""
    record = Record.load(layout)
    if record:
        Supervisor.of(layout).shut_down(DOWN_SECONDS)
    left = leftovers.end_all(layout)
    return record is not None or left > 0


def reset(layout: Layout) -> None:
    """Stop the stack and remove its data, secrets and logs; the installed environment stays."""
    down(layout)
    for entry in layout.base.iterdir() if layout.base.exists() else ():
        if entry.name in ("venv", "venv.lock", "uv.txt", "cache", "up.lock"):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _start(stack: Stack, *, detached: bool) -> None:
    steps = Steps(4)
    table = programs(stack)
    databases, beside, prepared = ([one.name for one in table if one.stage is stage] for stage in Stage)
    try:
        with steps.step("Looking at this machine"):
            if leftovers.find(stack.layout):
                note("an earlier run was not stopped in order; cleaning up behind it")
                leftovers.end_all(stack.layout)
            if found := problems(stack):
                tell_problems(found)
                raise SystemExit(1)
        with steps.step(f"Starting {' and '.join(databases) or 'the process manager'}"):
            for program in table:
                program.prepare()
            supervisor = Supervisor.open(stack)
            supervisor.start(*databases)
        with steps.step("Preparing the data: tables, static files, demo catalogue"):
            supervisor.start(*beside, wait=False)  # they use this time for their imports
            _prepare(stack)
        with steps.step(f"Waiting until all answer: {', '.join([*beside, *prepared])}"):
            supervisor.start(*beside, *prepared)
    except StackError:
        down(stack.layout)
        raise
    banner(stack, headline=f"Stampede is ready, after {steps.seconds:.1f} s.", detached=detached)


def _already_up(stack: Stack, record: Record) -> int:
    if record.base_port != stack.ports.shop:
        raise StackError(
            f"Stampede is up on port {record.base_port} already.\n"
            f"To move it: ./dev down && ./dev up --port {stack.ports.shop}"
        )
    stack = record.stack(stack.layout)
    if wrong := [one for one in Supervisor(stack, record).look() if one.problem]:
        raise StackError(
            "Stampede is up, but not well:\n"
            + "\n".join(f"  {one.name}: {one.problem}" for one in wrong)
            + "\nSee `./dev logs NAME`, or start it anew: ./dev down && ./dev up"
        )
    banner(stack, headline="Stampede is up already.", detached=True)
    return 0


def _prepare(stack: Stack) -> None:
    log = stack.layout.logs / "prepare.log"
    with log.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-P", "manage.py", "prepare"],
            cwd=ROOT,
            env=stack.environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        raise StackError(f"preparing the data failed. The end of {log}:\n\n{last_lines(log)}")


def _stay(stack: Stack) -> int:
    """Show the logs until Ctrl-C, or until somebody else stops the stack."""
    names = [one.name for one in programs(stack)]
    for _ in follow(out, stack.layout.logs, names):
        if not Record.load(stack.layout):
            out.print("Stampede was stopped from elsewhere.")
            return 0
    return 0


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn the signals that ask us to end into one exception, and ignore them from then on."""
    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for one in asked:
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted

    before = [signal.signal(one, interrupt) for one in asked]
    yield
    for one, handler in zip(asked, before, strict=True):
        signal.signal(one, handler)


@contextmanager
def _one_at_a_time(layout: Layout) -> Iterator[None]:
    """When two start the same stack at once, the second waits, and then finds that it is up."""
    with (layout.base / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("another ./dev up is starting this stack; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
