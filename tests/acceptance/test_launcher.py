"""The launcher `./dev`: finds a Python, makes the environment once, and is not confused by a half-made one."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import bare_environment, copy_to

pytestmark = pytest.mark.acceptance

SECONDS = 300
# What `./dev status` loads, and what installs it. The whole list is installed by whoever runs these tests on a machine
# of their own; here it would be most of the time and prove nothing more.
NEEDED = frozenset(
    {
        *(
            "annotated-doc",
            "annotated-types",
            "markdown-it-py",
            "mdurl",
            "psutil",
            "pydantic",
            "pydantic-core",
        ),
        *("pygments", "rich", "shellingham", "typer", "typing-extensions", "typing-inspection", "uv"),
    }
)


def test_it_says_what_to_do_where_no_python_fits(tmp_path: Path) -> None:
    copy = copy_to(tmp_path / "stampede")
    answer = subprocess.run(
        [copy / "dev", "up"],
        env={**bare_environment(), "STAMPEDE_PYTHON": "/bin/false"},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 1
    assert "needs Python 3.11, 3.12 or 3.13" in answer.stderr
    assert "apt install python3" in answer.stderr
    assert not (copy / ".dev").exists()


def test_two_at_once_on_a_half_made_environment_make_it_anew_and_once(tmp_path: Path) -> None:
    copy = copy_to(tmp_path / "stampede")
    shorten(copy / "requirements.txt")
    half_made = copy / ".dev/venv/bin"
    half_made.mkdir(parents=True)
    (half_made / "python").symlink_to("/nowhere/python")
    both = [
        subprocess.Popen(
            [copy / "dev", "status"],
            cwd=tmp_path,
            env=bare_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [one.communicate(timeout=SECONDS) for one in both]
    assert all("Stampede is not up" in out for out, _ in told), told
    assert sum("first run: installing" in err for _, err in told) == 1, told
    assert (copy / ".dev/venv/stampede.lock").read_bytes() == (copy / "requirements.txt").read_bytes()

    again = subprocess.run(
        [copy / "dev", "status"], cwd=tmp_path, env=bare_environment(), capture_output=True, text=True
    )
    assert again.stderr == ""


def shorten(lock: Path) -> None:
    """Leave in the lock file what is needed, each with its hashes."""
    entries = re.split(r"^(?=[a-z])", lock.read_text(), flags=re.MULTILINE)
    kept = [entry for entry in entries if re.split("[=\\[]", entry)[0] in NEEDED]
    assert len(kept) == len(NEEDED)
    lock.write_text("".join(kept))
