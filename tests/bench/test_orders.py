"""`./dev bench` in its short form, in isolated stacks."""

from pathlib import Path

import pytest

from tests.bench.starting import short_bench


@pytest.mark.acceptance
def test_the_bench_in_its_short_form(tmp_path: Path) -> None:
    found, said = short_bench(tmp_path / "bench.json")
    assert found["accepted"] == 200
    assert found["audit"]["clean"]
    for carried in found["backlog"].values():
        assert carried["ended"] == {"completed": 200}
        assert carried["floor"]["completed_per_s"] > carried["completed_per_s"]
    assert len(found["targets"]) == 4
    assert "target" in said
