"""A file that is interrupted five times arrives whole, and no process holds it in its memory: the short form of
`./dev bench --only upload`, started as a person does."""

from pathlib import Path

import pytest

from bench import uploading
from tests.bench.starting import short_bench

pytestmark = pytest.mark.acceptance


def test_interrupted_five_times_it_arrives_whole(tmp_path: Path) -> None:
    found, _ = short_bench(tmp_path / "figures.json", "--only", "upload")
    assert len({one["what"] for one in found["interrupted"]}) == 5
    # It was interrupted in the middle: more was on the disk than was counted, and what was not counted was sent again.
    assert any(one["written_beyond"] for one in found["interrupted"])
    for one in found["interrupted"]:
        assert one["at"] <= one["goes_on_at"] <= one["at"] + uploading.PIECE
    assert set(found["memory"]) == {*uploading.PROGRAMS, "the sender"}
    assert found["most_memory"] < uploading.MOST_MEMORY
