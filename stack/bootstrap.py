"""Makes .dev/venv: the one part of the project that runs before anything is installed.

Called by the launcher with the Python it found, so it uses the standard library alone. Three things make it
safe to interrupt it or to run it twice at once: a lock that the kernel releases when its holder dies; a stamp that is
removed before the environment is changed and written last; and an environment without a stamp is made anew.
"""

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

STAMP = "stampede.lock"  # the requirements.txt that was installed
HOME = "stampede.home"  # the checkout it was installed for


class Failed(Exception):
    """Setting up cannot go on; the message says why and what to do."""


def main(root: Path) -> None:
    dev = root / ".dev"
    try:
        dev.mkdir(mode=0o700, exist_ok=True)
        lock = (dev / "venv.lock").open("w")
    except PermissionError as error:
        raise Failed(
            f"{error.filename} cannot be written by this user.\n"
            "Run ./dev as the user who owns the checkout, or remove .dev and run it again."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another ./dev is installing; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)
    if not fits(root):  # another ./dev, which held the lock before us, may have done the work
        install(root)


def fits(root: Path) -> bool:
    """Whether the environment is whole and holds what the lock file says; the launcher asks the same."""
    target = root / ".dev/venv"
    try:
        return (
            (target / "bin/python").exists()
            and (target / STAMP).read_bytes() == (root / "requirements.txt").read_bytes()
            and (target / HOME).read_text() == f"{root}\n"
        )
    except FileNotFoundError:
        return False


def install(root: Path) -> None:
    target, started = root / ".dev/venv", time.monotonic()
    locked = (root / "requirements.txt").read_bytes()
    if whole(root, target):
        say("requirements.txt changed: bringing .dev/venv up to date")
        (target / STAMP).unlink()
    else:
        say(f"first run: installing into .dev/venv with Python {sys.version.split()[0]}")
        shutil.rmtree(target, ignore_errors=True)
        make_venv(target)
    environment = clean_environment(root)
    python = str(target / "bin/python")
    if not (target / "bin/uv").exists() or pinned_uv(locked.decode()).split()[0] not in installed_uv(target):
        pins = root / ".dev/uv.txt"
        pins.write_text(pinned_uv(locked.decode()))
        run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--only-binary=:all:", "--require-hashes", "-r", str(pins)],
            environment,
        )  # fmt: skip
    run(
        [str(target / "bin/uv"), "pip", "sync", "--quiet", "--python", python, "--require-hashes",
         # Compiled here once, and not by each of the many processes that start next.
         "--compile-bytecode", "--only-binary=:all:", str(root / "requirements.txt")],
        environment,
    )  # fmt: skip
    (target / HOME).write_text(f"{root}\n")
    (target / STAMP).write_bytes(locked)
    say(f"installed in {time.monotonic() - started:.1f} s")


def whole(root: Path, target: Path) -> bool:
    """Whether an earlier install came to its end, with an interpreter that still runs."""
    try:
        made_here = (target / STAMP).exists() and (target / HOME).read_text() == f"{root}\n"
        return made_here and subprocess.run([target / "bin/python", "-c", ""]).returncode == 0
    except OSError:
        return False


def make_venv(target: Path) -> None:
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise Failed(
            f"{sys.executable} lacks venv or ensurepip, which make a new environment with pip in it.\n"
            f"On Debian and Ubuntu:  sudo apt install python{version}-venv   and run ./dev again."
        )
    command = [sys.executable, "-I", "-m", "venv", "--symlinks", str(target)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"the environment {target} could not be made:\n{done.stdout}{done.stderr}")


def pinned_uv(locked: str) -> str:
    """The lines of the lock file that name uv and its hashes, so that uv has no second pin to go stale."""
    found = re.search(r"^uv==.*\n(?:    --hash=.*\n)+", locked, re.MULTILINE)
    if not found:
        raise Failed(
            "requirements.txt names no uv: it is not the file that ./dev lock writes.\n"
            "Restore it: git checkout requirements.txt"
        )
    return found.group()


def installed_uv(target: Path) -> str:
    answer = subprocess.run([target / "bin/uv", "--version"], capture_output=True, text=True)
    return answer.stdout.strip().replace("uv ", "uv==", 1)


def clean_environment(root: Path) -> dict[str, str]:
    """What pip and uv see: the user's settings for proxies and certificates, but no other environment."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    home = Path(environment.get("HOME", "/"))
    if not os.access(home, os.W_OK):  # a service account without a home: keep the downloads beside the venv
        environment.setdefault("UV_CACHE_DIR", str(root / ".dev/cache/uv"))
        environment.setdefault("PIP_CACHE_DIR", str(root / ".dev/cache/pip"))
    environment.setdefault("UV_LINK_MODE", "hardlink")
    return environment


def run(command: list[str], environment: dict[str, str]) -> None:
    if subprocess.run(command, env=environment).returncode:
        raise Failed(
            f"this command failed: {' '.join(command)}\n"
            "What it said stands above. Most often the package index cannot be reached: check the network\n"
            "and its proxy (HTTPS_PROXY, SSL_CERT_FILE), then run ./dev again; it starts from the beginning."
        )


def say(message: str) -> None:
    sys.stderr.write(f"dev: {message}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Failed as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; the next ./dev starts from the beginning")
        sys.exit(130)
