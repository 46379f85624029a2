"""The mutants fit the code as it stands, so that `./dev mutants` can show that the suite bites."""

import shlex
from pathlib import Path

import pytest

from bench.chaos.mutants import Mutant, applies, mutants
from stack.layout import ROOT

WANTED = {
    "acknowledge-early",
    "believe-in-a-vanished-host",
    "draw-the-keys",
    "drop-the-idempotency-key",
    "drop-the-lease",
    "drop-the-row-lock",
    "mark-done-before-the-call",
    "pay-without-looking",
    "publish-before-commit",
    "retry-twice",
}


def test_every_safeguard_has_its_mutant() -> None:
    assert {mutant.name for mutant in mutants()} >= WANTED


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code_and_says_who_catches_it(mutant: Mutant) -> None:
    assert applies(mutant) == ""
    assert mutant.breaks.endswith(".")
    assert (ROOT / shlex.split(mutant.run)[0].partition("::")[0]).is_file()


def test_a_mutant_that_fits_no_more_is_told_of(tmp_path: Path) -> None:
    patch = tmp_path / "gone.patch"
    patch.write_text(
        "Breaks: Nothing.\nRun: nothing.py\n\n"
        "diff --git a/manage.py b/manage.py\n--- a/manage.py\n+++ b/manage.py\n@@ -1 +1 @@\n-gone\n+new\n"
    )
    assert "does not apply" in applies(Mutant.read(patch))
