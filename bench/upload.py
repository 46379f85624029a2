"""The upload's measurement as a person starts it: a house of its own, and its figures (bench.uploading)."""

import json
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from bench import lab, uploading
from bench.display import note
from bench.house import House
from stack.console import out
from stack.environment import Secrets, Stack
from stack.layout import STACK, Layout
from stack.ports import Ports
from stack.processes import programs

FULL = 10 * 1024**3  # bytes
SHORT = 192 * 1024**2


def bench(size: int, file: Path | None) -> int:
    """Measure, print, write the figures into `file`; 1 when something is not as it should be."""
    note(f"Opening a house; sending {size / 1024**3:,.1f} GiB in pieces of 16 MiB …")
    with house_of() as house, tempfile.TemporaryDirectory(prefix="bench-", dir=STACK.base) as folder:
        carried = uploading.carry(house, Path(folder), size)
    found = carried.as_json()
    out.print(
        f"\n[bold]upload[/bold]: {size:,} bytes in {carried.seconds:,.0f} s, {found['mebibytes_per_s']:,} MiB/s"
    )
    for one in carried.interrupted:
        out.print(
            f"  interrupted   {one['what']}, at {one['at']:,}; {one['written_beyond']:,} bytes were written beyond "
            f"that, and it went on at {one['goes_on_at']:,}"
        )
    for program, most in sorted(carried.memory.items()):
        out.print(f"  memory        {program}: at most {most / 1024**2:,.0f} MiB in one process")
    for problem in carried.problems:
        out.print(f"[bold red]wrong[/bold red] {problem}")
    if file:
        file.write_text(json.dumps(found, indent=2) + "\n")
    return 1 if carried.problems else 0


def house_of() -> AbstractContextManager[House]:
    """A house with what an upload needs and nothing that takes up what has arrived."""
    everything = programs(Stack(Layout(STACK.base), Ports.free(), Secrets.new()))
    return lab.house(without=frozenset(one.name for one in everything) - uploading.PROGRAMS)
