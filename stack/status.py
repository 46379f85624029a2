"""What `./dev status` says. Its JSON is read by programs: names in it stay as they are."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from stack.environment import Stack
from stack.processes import programs
from stack.supervisor import Record, Supervisor
from stack.watch import look


@dataclass(frozen=True)
class Process:
    name: str
    pid: int
    problem: str | None

    @property
    def healthy(self) -> bool:
        return self.problem is None


@dataclass(frozen=True)
class Report:
    urls: dict[str, str]
    processes: list[Process]  # none when the stack is down

    @property
    def healthy(self) -> bool:
        return bool(self.processes) and all(one.healthy for one in self.processes)

    def as_dict(self) -> dict[str, Any]:
        return {
            "healthy": self.healthy,
            "urls": self.urls,
            "processes": [
                {"name": one.name, "pid": one.pid, "healthy": one.healthy} for one in self.processes
            ],
        }

    def tell(self, out: Console) -> None:
        if not self.processes:
            out.print("Stampede is not up. Start it with `./dev up`.")
            return
        for one in self.processes:
            mark = "[green]healthy[/green]" if one.healthy else "[bold red]unwell [/bold red]"
            out.print(f"  {one.name:<10} {one.pid or '-':>7}  {mark}", end="")
            out.print(f"  {one.problem}" if one.problem else "", markup=False)
        out.print()
        for name, url in self.urls.items():
            out.print(f"  {name:<10} [cyan]{url}[/cyan]")


def report(stack: Stack) -> Report:
    """Look at every program of the stack that is up now."""
    record = Record.load(stack.layout)
    if record is None:
        return Report(stack.urls(), [])
    supervisor, table = Supervisor.of(stack.layout, record), programs(stack)
    found, states = look(stack, supervisor, table), supervisor.states()
    return Report(stack.urls(), [Process(one.name, states[one.name].pid, found[one.name]) for one in table])
