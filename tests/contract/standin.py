"""Stripe on this machine: localstripe's own HTTP server, as a process beside the tests.

It is under the GPL and comes without a wheel, so it is no part of the environment that `./dev` makes: it is built once
into a folder of its own, from the file whose hash stands in localstripe.txt, and only ever run, by serving.py.
"""

import fcntl
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stack.layout import ROOT
from stack.ports import HOST, Ports
from tests.waiting import wait_for

HERE = Path(__file__).parent
HOME = ROOT / ".dev/localstripe"
STAMP = HOME / "built.txt"


@contextmanager
def localstripe() -> Iterator[str]:
    """A server that knows nothing yet; gives its address."""
    _build()
    port = Ports.free().payments
    url = f"http://{HOST}:{port}"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), "PYTHONWARNINGS": "ignore"}
    server = subprocess.Popen(
        [sys.executable, str(HERE / "serving.py"), HOST, str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: _answers(url, server), "localstripe to answer")
        yield url
    finally:
        server.terminate()
        server.communicate(timeout=10)


def _answers(url: str, server: subprocess.Popen[str]) -> bool | None:
    if server.poll() is not None:
        pytest.fail(f"localstripe ended with status {server.returncode}:\n{server.communicate()[1]}")
    try:
        with urllib.request.urlopen(f"{url}/js.stripe.com/v3/", timeout=5):  # noqa: S310 (our own URL)
            return True
    except (urllib.error.URLError, ConnectionError):
        return None


def _build() -> None:
    """Bring the pinned version into its folder, unless it is there; one process at a time."""
    wanted = (HERE / "localstripe.txt").read_text()
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME.parent / "localstripe.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if STAMP.exists() and STAMP.read_text() == wanted:
            return
        done = subprocess.run(
            [Path(sys.executable).parent / "uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes",
             "--python", sys.executable, "--target", str(HOME), "--reinstall",
             "--build-constraints", str(HERE / "building.txt"), "-r", str(HERE / "localstripe.txt")],
            capture_output=True,
            text=True,
        )  # fmt: skip
        if done.returncode:
            pytest.fail(
                f"localstripe could not be built into {HOME}, which these tests need once:\n{done.stderr}\n"
                "Most often the package index cannot be reached: check the network and its proxy."
            )
        STAMP.write_text(wanted)
