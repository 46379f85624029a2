"""What `./dev status` says. Its JSON is read by programs: names in it stay as they are."""

from typing import Any

from rich.console import Console

from stack.environment import Stack
from stack.running import Process


def healthy(processes: list[Process]) -> bool:
    """Whether the stack is up, and all of it well."""
    return bool(processes) and all(one.problem is None for one in processes)


def as_dict(stack: Stack, processes: list[Process]) -> dict[str, Any]:
    return {
        "healthy": healthy(processes),
        "urls": stack.urls(),
        "processes": [
            {"name": one.name, "pid": one.pid, "healthy": one.problem is None} for one in processes
        ],
    }


def tell(out: Console, stack: Stack, processes: list[Process]) -> None:
    if not processes:
        out.print("Stampede is not up. Start it with `./dev up`.")
        return
    for one in processes:
        mark = "[bold red]unwell [/bold red]" if one.problem else "[green]healthy[/green]"
        out.print(f"  {one.name:<10} {one.pid or '-':>7}  {mark}", end="")
        out.print(f"  {one.problem}" if one.problem else "", markup=False)
    out.print()
    for name, url in stack.urls().items():
        out.print(f"  {name:<10} [cyan]{url}[/cyan]")
