"""The process manager: supervisord, told what to run by a rendered file and what to do over XML-RPC.

It restarts what falls, for as long as it falls: a worker whose database is away must be back when that is
back. It listens on a free port of loopback behind a password and not on a socket file, since the path of a
checkout may well be longer than the hundred bytes that a socket's path may have.
"""

import http.client
import json
import os
import resource
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from stack.environment import MARKER, Secrets, Stack
from stack.layout import ROOT, Layout
from stack.ports import HOST, Ports
from stack.program import Group, Program, StackError

UP_STATES = ("STARTING", "RUNNING")
OPEN_FILES = 16384  # live pages are one each


@dataclass(frozen=True)
class Record:
    """What is written down about a running stack, for the next command that is typed."""

    pid: int
    started: float  # by the system's clock: a reused pid has another
    control_port: int
    base_port: int
    database_url: str = ""
    broker_url: str = ""

    @classmethod
    def load(cls, layout: Layout) -> "Record | None":
        """The record of the stack that runs now; None when none does."""
        try:
            record = cls(**json.loads(_record_file(layout).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return record if record.alive else None

    def stack(self, layout: Layout) -> Stack:
        """The stack as it was started, whatever the environment says now."""
        ports, secrets = Ports.block(self.base_port), Secrets.of(layout)
        return Stack(layout, ports, secrets, self.database_url, self.broker_url)

    @property
    def alive(self) -> bool:
        """Whether the process manager still runs, and not a stranger under its pid."""
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.started and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def save(self, layout: Layout) -> None:
        path = _record_file(layout)
        path.touch(mode=0o600)  # a given DATABASE_URL may hold a password
        path.write_text(json.dumps(self.__dict__))


@dataclass(frozen=True)
class State:
    """A program as the process manager sees it; pid 0 when it does not run."""

    name: str
    pid: int
    state: str
    exit_status: int

    @property
    def up(self) -> bool:
        return self.state in UP_STATES and self.pid > 0


class Supervisor:
    """A running supervisord."""

    def __init__(self, record: Record, password: str) -> None:
        self.record = record
        self._server = xmlrpc.client.ServerProxy(f"http://dev:{password}@{HOST}:{record.control_port}/RPC2")

    @classmethod
    def of(cls, layout: Layout, record: Record) -> "Supervisor":
        """The one that this record speaks of."""
        return cls(record, Secrets.of(layout).supervisor)

    @classmethod
    def launch(cls, stack: Stack, programs: Sequence[Program]) -> "Supervisor":
        """Start supervisord with all programs known and none started; returns when it takes commands."""
        layout, port = stack.layout, _free_port()
        configuration = layout.run / "supervisord.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(_configuration(stack, programs, port))
        _raise_open_files()
        with (layout.logs / "supervisord.log").open("ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "supervisor.supervisord",
                    "--nodaemon",
                    "-c",
                    str(configuration),
                ],
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
        supervisor = cls(record, stack.secrets.supervisor)
        until = time.monotonic() + 15
        while not supervisor.answers():
            if process.poll() is not None or time.monotonic() > until:
                raise StackError(
                    f"the process manager did not start; it wrote to {layout.logs / 'supervisord.log'}"
                )
            time.sleep(0.02)
        return supervisor

    def close(self) -> None:
        """Let go of the connection; the process manager goes on."""
        self._server("close")()

    def answers(self) -> bool:
        try:
            self._server.supervisor.getState()
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return False
        return True

    def start(self, programs: Sequence[Program]) -> None:
        """Start these programs, all at once; their health is looked at elsewhere."""
        for one in programs:
            self._server.supervisor.startProcess(f"{one.group.value}:{one.name}", False)

    def stop(self, program: Program) -> None:
        """Stop one program and leave it stopped; returns when it is gone."""
        self._server.supervisor.stopProcess(f"{program.group.value}:{program.name}", True)

    def states(self) -> dict[str, State]:
        answer: Any = self._server.supervisor.getAllProcessInfo()
        return {
            one["name"]: State(one["name"], int(one["pid"]), str(one["statename"]), int(one["exitstatus"]))
            for one in answer
        }

    def shut_down(self, seconds: float) -> None:
        """Have it stop all programs, the shop before the servers, and then itself; returns when it is gone.

        It looks at its children once a second, and whenever it is asked something: so we keep asking.
        """
        try:
            self._server.supervisor.shutdown()
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            with suppress(psutil.NoSuchProcess):  # it is on its way already
                psutil.Process(self.record.pid).terminate()
        until = time.monotonic() + seconds
        while self.record.alive and time.monotonic() < until:
            self.answers()
            time.sleep(0.05)


def _configuration(stack: Stack, programs: Sequence[Program], port: int) -> str:
    logs = stack.layout.logs
    user = "user=root\n" if os.geteuid() == 0 else ""  # without it supervisord warns that it runs as root
    # minfds and minprocs are what it demands of the system before it starts: no more than any gives.
    parts = [
        f"[supervisord]\nnodaemon=true\nlogfile={_quoted(logs / 'supervisord.log')}\nlogfile_maxbytes=5MB\n"
        f"logfile_backups=1\npidfile={_quoted(stack.layout.run / 'supervisord.pid')}\n"
        f"childlogdir={_quoted(logs)}\nidentifier=stampede\nminfds=256\nminprocs=1\n{user}",
        f"[inet_http_server]\nport={HOST}:{port}\nusername=dev\npassword={stack.secrets.supervisor}\n",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
    ]
    # The programs of a group stop at the same moment, so a stop takes as long as the slowest of each group.
    for priority, group in enumerate(Group, start=1):
        members = ",".join(one.name for one in programs if one.group is group)
        parts.append(f"[group:{group.value}]\nprograms={members}\npriority={priority}\n")
    for program in programs:
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


def _record_file(layout: Layout) -> Path:
    return layout.run / "stack.json"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
