"""Programs as children of the calling process, for tests and benchmarks: what fails is not restarted."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from stack.program import Program
from stack.running import Runner, State


class Children(Runner):
    """Each has a process group of its own, and a log file in the folder `logs`."""

    def __init__(self, programs: Sequence[Program], logs: Path, environment: Mapping[str, str]) -> None:
        super().__init__(programs, logs, environment["BROKER_URL"], poll_seconds=0.02)
        self._environment = environment
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def states(self) -> dict[str, State]:
        return {name: self._state(name) for name in self.programs}

    def launch(self, names: Sequence[str]) -> None:
        for program in (self.programs[name] for name in names if not self._state(name).pid):
            program.prepare()
            with (self.logs / f"{program.name}.log").open("ab") as log:
                self._processes[program.name] = subprocess.Popen(
                    program.command,
                    cwd=program.directory,
                    env={**self._environment, **program.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # A group and no session: Linux shares out the processor among sessions first (sched_autogroup), and
                    # `nice` counts only within one session.
                    process_group=0,
                )

    def stop(self, name: str) -> None:
        if self._state(name).pid:
            process, program = self._processes[name], self.programs[name]
            process.send_signal(signal.Signals[f"SIG{program.stop_signal}"])
            try:
                process.wait(program.stop_seconds)
            except subprocess.TimeoutExpired:
                self.kill(name)

    def kill(self, name: str) -> None:
        super().kill(name)
        if name in self._processes:
            self._processes[name].wait()

    def _state(self, name: str) -> State:
        process = self._processes.get(name)
        if process is None:
            return State(0, "was not started")
        ended = process.poll()
        return State(process.pid) if ended is None else State(0, f"ended with status {ended}")
