"""The process manager: supervisord, told what to run by a rendered file and what to do over XML-RPC.

It restarts what fails, without a limit: a worker whose database is down must be back when the database is back. It
listens on a free port of loopback, with a password. A socket file would not do, because its path may have only a
hundred bytes, and the path of a checkout may be longer.
"""

import http.client
import json
import os
import resource
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from stack.environment import MARKER, Stack
from stack.layout import ROOT, Layout
from stack.ports import HOST, Ports
from stack.processes import programs
from stack.program import Group, StackError
from stack.running import Runner, State, runs

UP_STATES = ("STARTING", "RUNNING")
UNREACHABLE = (OSError, http.client.HTTPException, xmlrpc.client.Error)
RECORD = "stack.json"
OPEN_FILES = 24576  # two for every live page in nginx; macOS allows no program much more


@dataclass(frozen=True)
class Record:
    """What the next command must know of a running stack."""

    pid: int
    started: float  # the process's start by the system's clock: a reused pid has another
    control_port: int
    base_port: int
    database_url: str = ""
    broker_url: str = ""

    @classmethod
    def load(cls, layout: Layout) -> "Record | None":
        """The record of the stack that runs now; None when none does."""
        try:
            record = cls(**json.loads((layout.run / RECORD).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return record if record.alive else None

    def stack(self, layout: Layout) -> Stack:
        """The stack as it was started, whatever the environment says now."""
        urls = {"database_url": self.database_url, "broker_url": self.broker_url}
        return Stack.at(layout, self.base_port, **urls)

    @property
    def alive(self) -> bool:
        """Whether the process manager still runs, and its pid does not belong to another program now."""
        try:
            process = psutil.Process(self.pid)
        except psutil.NoSuchProcess:
            return False
        return process.create_time() == self.started and runs(process)

    def save(self, layout: Layout) -> None:
        path = layout.run / RECORD
        path.touch(mode=0o600)  # a given DATABASE_URL may hold a password
        path.write_text(json.dumps(asdict(self)))


class Supervisor(Runner):
    """A running supervisord."""

    def __init__(self, stack: Stack, record: Record) -> None:
        super().__init__(programs(stack), stack.layout.logs, stack.settings()["BROKER_URL"], poll_seconds=0.1)
        self.record = record
        self._url = f"http://dev:{stack.secrets.supervisor}@{HOST}:{record.control_port}/RPC2"

    @classmethod
    def of(cls, layout: Layout) -> "Supervisor":
        """The one of the stack in this folder; raises StackError when it is not up."""
        if record := Record.load(layout):
            return cls(record.stack(layout), record)
        raise StackError(
            f"the stack in {layout.base} is not up (any more); its logs are in {layout.logs}.\n"
            "`./dev up --detach` starts the stack of this checkout."
        )

    @classmethod
    def open(cls, stack: Stack) -> "Supervisor":
        """Start supervisord with all programs known and none started; returns when it takes commands."""
        layout, port = stack.layout, Ports.free().shop
        configuration = layout.run / "supervisord.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(_configuration(stack, port))
        command = (sys.executable, "-P", "-m", "supervisor.supervisord", "--nodaemon", "-c", configuration)
        with (layout.logs / "supervisord.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**stack.environment(), MARKER: str(layout.base)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # the same lines go to its log
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to handle: it ends the stack in its order
            )
        record = Record(
            pid=process.pid,
            started=psutil.Process(process.pid).create_time(),
            control_port=port,
            base_port=stack.ports.shop,
            database_url=stack.database_url,
            broker_url=stack.broker_url,
        )
        record.save(layout)
        supervisor = cls(stack, record)
        until = time.monotonic() + 15
        while not supervisor.answers():
            if process.poll() is not None or time.monotonic() > until:
                raise StackError(
                    f"the process manager did not start; it wrote to {layout.logs / 'supervisord.log'}"
                )
            time.sleep(0.02)
        return supervisor

    def states(self) -> dict[str, State]:
        return {one["name"]: _state(one) for one in self._ask("getAllProcessInfo")}

    def launch(self, names: Sequence[str]) -> None:
        states = self.states()
        for name in names:
            if not states[name].pid:
                self._ask("startProcess", self._full_name(name), False)

    def stop(self, name: str) -> None:
        self._ask("stopProcess", self._full_name(name), True)

    def answers(self) -> bool:
        with suppress(*UNREACHABLE):
            return bool(self._ask("getState"))
        return False

    def shut_down(self, seconds: float) -> None:
        """Have it stop all programs, the shop before the servers, and then itself; returns when it has ended.

        It checks its children once a second, and whenever it is asked something: so we keep asking.
        """
        try:
            self._ask("shutdown")
        except UNREACHABLE:
            with suppress(psutil.NoSuchProcess):  # it is ending already
                psutil.Process(self.record.pid).terminate()
        until = time.monotonic() + seconds
        while self.record.alive and time.monotonic() < until:
            self.answers()
            time.sleep(0.05)

    def _ask(self, method: str, *arguments: Any) -> Any:
        with xmlrpc.client.ServerProxy(self._url) as server:
            return getattr(server.supervisor, method)(*arguments)

    def _full_name(self, name: str) -> str:
        return f"{self.programs[name].group.value}:{name}"


def _state(info: dict[str, Any]) -> State:
    if info["statename"] in UP_STATES and info["pid"]:
        return State(info["pid"])
    stopped = info["statename"] == "STOPPED"
    return State(0, "was stopped" if stopped else f"ended with status {info['exitstatus']}")


def _configuration(stack: Stack, port: int) -> str:
    logs, table = stack.layout.logs, programs(stack)
    user = "user=root\n" if os.geteuid() == 0 else ""  # without this supervisord warns that it runs as root
    # supervisord raises the limit of open files to minfds, for itself and all programs.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    parts = [
        f"[supervisord]\nnodaemon=true\nlogfile={_quoted(logs / 'supervisord.log')}\nlogfile_maxbytes=5MB\n"
        f"logfile_backups=1\npidfile={_quoted(stack.layout.run / 'supervisord.pid')}\n"
        f"childlogdir={_quoted(logs)}\nidentifier=stampede\nminfds={files}\nminprocs=1\n{user}",
        f"[inet_http_server]\nport={HOST}:{port}\nusername=dev\npassword={stack.secrets.supervisor}\n",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
    ]
    # The programs of a group stop at the same moment, so a stop takes as long as the slowest of each group.
    for priority, group in enumerate(Group, start=1):
        members = ",".join(one.name for one in table if one.group is group)
        parts.append(f"[group:{group.value}]\nprograms={members}\npriority={priority}\n")
    for program in table:
        environment = ",".join(f'{key}="{_quoted(value)}"' for key, value in program.environment.items())
        parts.append(
            f"[program:{program.name}]\ncommand={_quoted(shlex.join(program.command))}\ndirectory={_quoted(program.directory)}\n"
            + (f"environment={environment}\n" if environment else "")
            + "autostart=false\nautorestart=true\nstartsecs=1\nstartretries=1000000\n"
            f"stopsignal={program.stop_signal}\nstopwaitsecs={program.stop_seconds}\nkillasgroup=true\n"
            f"redirect_stderr=true\nstdout_logfile={_quoted(logs / program.name)}.log\n"
            "stdout_logfile_maxbytes=20MB\nstdout_logfile_backups=1\n"
        )
    return "\n".join(parts)


def _quoted(value: str | Path) -> str:
    return str(value).replace("%", "%%")
