"""What the stack's processes cost: CPU time by kind of process, children included.

A program is a tree of processes. What a child used stays in its parent's account once it has ended, so the sum over a
tree only grows (on Linux; macOS keeps no such account). When a program's main process itself ends, its account is gone:
so `sample` is called now and then, and no more is lost than what lies between two samples.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping

import psutil

from bench.running_stack import kind_of


class CpuMeter:
    """Counts from the moment it is made. `roots` gives the main process of each program by the program's name."""

    def __init__(self, roots: Callable[[], Mapping[str, int]]) -> None:
        self._roots = roots
        self._now: dict[tuple[str, int, float], float] = {}
        self.sample()
        # A process that is there already has used time before; one that comes later uses all of its time in our run.
        self._before = dict(self._now)

    def sample(self) -> None:
        """Read all accounts now."""
        used: dict[int, float] = {}  # CPU seconds of a process and of its ended children
        born: dict[int, float] = {}
        children: dict[int, list[int]] = defaultdict(list)
        for process in psutil.process_iter(["ppid", "cpu_times", "create_time"]):
            if times := process.info["cpu_times"]:  # None: not ours to read
                ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
                used[process.pid] = times.user + times.system + ended
                born[process.pid] = process.info["create_time"]
                children[process.info["ppid"]].append(process.pid)
        for name, pid in self._roots().items():
            if pid in used:
                account = (kind_of(name), pid, born[pid])
                self._now[account] = max(self._now.get(account, 0.0), _of_tree(pid, used, children))

    def seconds(self) -> dict[str, float]:
        """CPU seconds by kind of process, as of the last sample."""
        total: dict[str, float] = defaultdict(float)
        for account, now in self._now.items():
            total[account[0]] += now - self._before.get(account, 0.0)
        return dict(total)


def _of_tree(pid: int, used: Mapping[int, float], children: Mapping[int, list[int]]) -> float:
    return used.get(pid, 0.0) + sum(_of_tree(child, used, children) for child in children.get(pid, ()))
